import { PsnError } from "@psn/core/errors.ts";
import type { Fetch, Ref } from "@psn/core/types/platform.ts";
import type { Media, Part } from "@psn/core/types/post.ts";
import { expect } from "vitest";
import type { Promised, Subject } from "../platform.ts";
import { keyOf, picture, postOf, type Seen, type Stage, settled } from "../stage.ts";

const HELLO = "hello-from-the-contract";
const withPicture = () => postOf(HELLO, { parts: [{ text: HELLO, media: [picture("image-1")] }] });
const writes = (requests: readonly Seen[]) => requests.filter(({ method }) => method !== "GET");
const settlesById = ({ platform }: Subject) =>
  platform.capabilities.duplicates === "client-id" || platform.capabilities.duplicates === "idempotency-key";

/** Publishing, finding again and taking back, on a platform in good health. */
export const publishing = {
  "publish.url": {
    says: "publishing makes one post public and returns its id and its url",
    holds: async ({ open, platform }) => {
      const { publish, live, secrets } = await open();
      const { ref } = await publish(postOf(HELLO));
      expect(ref.id).not.toBe("");
      expect(["https:", "http:", "file:"]).toContain(new URL(ref.url).protocol);
      expect(await live()).toBe(1);
      for (const secret of secrets) expect(JSON.stringify(ref)).not.toContain(secret);
      if (platform.capabilities.images) {
        await publish(withPicture(), keyOf(2));
        expect(await live()).toBe(2);
      }
    },
  },
  "publish.one-request": {
    says: "one request creates the post, and the unit's text is in it",
    holds: async ({ open, platform }) => {
      const stage = await open();
      const request = await stage.ready(stage.units(postOf(HELLO))[0]);
      stage.requests.length = 0;
      await platform.publish(request, stage.session);
      expect(writes(stage.requests)).toHaveLength(1);
      expect(writes(stage.requests)[0]?.body).toContain(HELLO);
    },
  },
  "publish.first-request": {
    says:
      "the request that creates is the first thing publish does: no file is opened (but in memory, where nothing is " +
      "prepared), nothing asked",
    holds: async ({ open, platform }) => {
      for (const again of [false, true]) {
        const stage = await open();
        const request = await stage.ready(stage.units(platform.capabilities.images ? withPicture() : postOf(HELLO))[0]);
        const did: string[] = [];
        const media = request.media.map(
          (one): Media => ({
            ...one,
            open: () => {
              did.push("open");
              return one.open();
            },
            link: () => Promise.reject(new Error("a link is for preparing")),
          }),
        );
        const fetch: Fetch = (input, init) => {
          did.push(init?.method ?? "GET");
          return stage.session.fetch(input, init);
        };
        await platform.publish({ ...request, media, ...(again ? { again } : {}) }, { ...stage.session, fetch });
        expect(["POST", undefined]).toContain(did.find((what) => what !== "open"));
        expect(did.lastIndexOf("open")).toBe(platform.prepare ? -1 : media.length - 1);
      }
    },
  },
  "publish.lease": {
    says: "where another worker acts by now nothing is sent, and LEASE_LOST comes through as it is",
    holds: async ({ open, platform }) => {
      for (const again of [false, true]) {
        const stage = await open();
        const request = await stage.ready(stage.units(postOf(HELLO))[0]);
        const lost = new PsnError("LEASE_LOST", "another worker took over");
        const fetch: Fetch = (input, init) =>
          (init?.method ?? "GET") === "GET" ? stage.session.fetch(input, init) : Promise.reject(lost);
        const session = { ...stage.session, fetch, assertHeld: () => Promise.reject(lost) };
        await expect(platform.publish({ ...request, ...(again ? { again } : {}) }, session)).rejects.toBe(lost);
        expect(await stage.live()).toBe(0);
      }
    },
  },
  "publish.same-request": {
    says: "the same key and instant make the same request, byte for byte, at a later attempt too",
    holds: async ({ open, platform, contract }) => {
      const perAttempt = new Set(contract.perAttempt);
      for (const post of [postOf(HELLO), ...(platform.capabilities.images ? [withPicture()] : [])]) {
        const stage = await open();
        const request = await stage.ready(stage.units(post)[0]);
        const send = async (laterMs: number, again = true) => {
          stage.requests.length = 0;
          await platform.publish({ ...request, ...(again ? { again } : {}) }, stage.sessionWith({ laterMs }));
          return writes(stage.requests);
        };
        const first = await send(0, false);
        if (!stage.world.now) expect(await send(0)).toEqual(first);
        const stable = (seen: Seen[]) =>
          seen.map((one) => ({
            ...one,
            headers: Object.entries(one.headers).filter(([name]) => !perAttempt.has(name)),
          }));
        expect(stable(await send(420_000))).toEqual(stable(first));
      }
    },
  },
  "publish.key-travels": {
    says: "another key makes another request (where the key settles a lost answer)",
    holds: async (subject) => {
      if (!settlesById(subject)) return;
      const stage = await subject.open();
      const sent: Seen[][] = [];
      for (const number of [1, 2]) {
        stage.requests.length = 0;
        await stage.publish(postOf(HELLO), keyOf(number));
        sent.push(writes(stage.requests));
      }
      expect(sent[0]).not.toEqual(sent[1]);
      expect(await stage.live()).toBe(2);
    },
  },
  "publish.again": {
    says:
      "publishing again under the same key is success, the same ref and still one post (where the key settles a lost " +
      "answer)",
    holds: async (subject) => {
      if (!settlesById(subject)) return;
      const stage = await subject.open();
      const { request, ref } = await stage.publish(postOf(HELLO));
      expect(await settled(subject.platform, request, stage.sessionWith({ laterMs: 60_000 }))).toEqual(ref);
      expect(await stage.live()).toBe(1);
    },
  },
  "publish.thread": {
    says: "the second unit of a thread answers the first",
    holds: async ({ open, platform }) => {
      if (platform.capabilities.thread !== "reply-chain") return;
      const stage = await open();
      const [one, two] = stage.units({
        id: "post-1",
        parts: [
          { text: "first", media: [] },
          { text: "second", media: [] },
        ],
      });
      if (!two) throw new Error("two parts make two units");
      const root = await settled(platform, await stage.ready(one), stage.session);
      stage.requests.length = 0;
      await settled(platform, await stage.ready(two, keyOf(2), { root, parent: root }), stage.session);
      expect(
        writes(stage.requests).some(({ body }) => body.includes(root.id) || body.includes(encodeURIComponent(root.id))),
      ).toBe(true);
      expect(await stage.live()).toBe(2);
    },
  },
  "prepare.hidden": {
    says: "preparing shows nothing to anybody and may run twice",
    holds: async ({ open, platform }) => {
      if (!platform.capabilities.images) return;
      const stage = await open();
      const [unit] = stage.units(withPicture());
      await stage.ready(unit);
      const request = await stage.ready(unit);
      expect(await stage.live()).toBe(0);
      for (const secret of stage.secrets) expect(JSON.stringify([unit, request.prepared])).not.toContain(secret);
      await settled(platform, request, stage.session);
      expect(await stage.live()).toBe(1);
    },
  },
  "poll.read-only": {
    says: "asking about a pending post changes nothing (where there is poll)",
    holds: async ({ open, platform }) => {
      if (!platform.poll) return;
      const stage = await open();
      if (!stage.world.slow) throw new Error("a platform with poll needs a world that can be slow");
      const request = await stage.ready(stage.units(postOf(HELLO))[0]);
      stage.world.slow();
      const outcome = await platform.publish(request, stage.session);
      if (outcome.status !== "pending") throw new Error("a slow world makes a pending outcome");
      stage.requests.length = 0;
      for (let asked = 0; asked < 3; asked++)
        await platform.poll(JSON.parse(JSON.stringify(outcome.handle)), stage.session);
      expect(writes(stage.requests)).toEqual([]);
    },
  },
  "lookup.own": {
    says:
      "lookup finds what was published, and never what somebody else's key or another unit published (where there is " +
      "lookup)",
    holds: async (subject) => {
      const { open, platform } = subject;
      if (!platform.lookup) return;
      const stage = await open();
      const nobody = new Set<string>();
      const other = await stage.publish(postOf("something else altogether"), keyOf(7));
      const request = await stage.ready(stage.units(postOf(HELLO))[0]);
      expect(await platform.lookup(request, stage.session, nobody)).toBeUndefined();
      const ref = await settled(platform, request, stage.session);
      stage.requests.length = 0;
      expect(await platform.lookup(request, stage.session, new Set([other.ref.id]))).toEqual(ref);
      expect(writes(stage.requests)).toEqual([]);
      // The same words under another key are another post: what is known to be another unit's is not this one's.
      const twin = { ...request, key: keyOf(9) };
      expect(await platform.lookup(twin, stage.session, new Set([ref.id, other.ref.id]))).toBeUndefined();
      expect(await stage.live()).toBe(2);
    },
  },
  "locate.own": {
    says:
      "locate has the ref of each unit of a thread by its address, and none for an address elsewhere (where units " +
      "answer one another)",
    holds: async (subject) => {
      const { open, platform } = subject;
      expect(platform.locate !== undefined).toBe(platform.capabilities.thread === "reply-chain");
      const stage = await open();
      const refs: Ref[] = [];
      const parts = ["one", "two", "three"].map((text): Part => ({ text, media: [] })) as [Part, ...Part[]];
      for (const [index, unit] of stage.units(postOf("one", { parts })).entries()) {
        const parent = refs.at(-1);
        const request = await stage.ready(
          unit,
          keyOf(index + 1),
          refs[0] && parent ? { root: refs[0], parent } : undefined,
        );
        refs.push(await settled(platform, request, stage.session));
      }
      stage.requests.length = 0;
      for (const ref of platform.locate ? refs : [])
        expect(await platform.locate?.(ref.url, stage.session)).toEqual(ref);
      for (const url of ["https://elsewhere.example/1", "https://elsewhere.example/%zz"])
        expect(await platform.locate?.(url, stage.session)).toBeUndefined();
      expect(writes(stage.requests)).toEqual([]);
    },
  },
  "remove.idempotent": {
    says: "removing takes back this post and no other; what is gone already is success",
    holds: async ({ open, platform }) => {
      const stage = await open();
      const kept = await stage.publish(postOf("this one stays"), keyOf(7));
      const { ref, request } = await stage.publish(postOf(HELLO));
      expect(await stage.live()).toBe(2);
      await platform.remove(ref, stage.session);
      expect(await stage.live()).toBe(1);
      await platform.remove(ref, stage.session);
      expect(await stage.live()).toBe(1);
      if (!platform.lookup) return;
      expect(await platform.lookup(request, stage.session, new Set([kept.ref.id]))).toBeUndefined();
      expect(await platform.lookup(kept.request, stage.session, new Set())).toEqual(kept.ref);
    },
  },
  "files.unreadable": {
    says:
      "a file that cannot be opened or linked says why, in its own error: it may be the hub's trouble and not the " +
      "post's",
    holds: async ({ open, platform }) => {
      if (!platform.capabilities.images) return;
      const stage = await open();
      const [unit] = stage.units(withPicture());
      const ready = await stage.ready(unit, keyOf(3));
      const away = () => Promise.reject(new PsnError("VENDOR_AUTH", "the bucket's key may not read"));
      const media = ready.media.map((one) => ({ ...one, open: away, ...(one.link ? { link: away } : {}) }));
      const request = { ...ready, media };
      const work = async () =>
        platform.prepare && unit.prepare
          ? platform.prepare({ ...request, prepared: null }, stage.session)
          : platform.publish(request, stage.session);
      await expect(work()).rejects.toMatchObject({ code: "VENDOR_AUTH" });
      expect(await stage.live()).toBe(0);
    },
  },
  "token.home": {
    says:
      "posts and secrets go to the account's home and nowhere else, secrets never in a url, and no redirect is " +
      "followed",
    holds: async ({ open, platform, contract }) => {
      const stage = await open();
      await everyVerb(platform, stage);
      const hosts = new Set([new URL(stage.connection.profile.home).host, ...(contract.loginHosts ?? [])]);
      expect(stage.requests.length).toBeGreaterThan(0);
      for (const seen of stage.requests) {
        expect(["manual", "error"], `${seen.method} ${seen.url}`).toContain(seen.redirect);
        const { protocol, hostname, host } = new URL(seen.url);
        if (!/^(127\.|localhost$|\[::1\])/.test(hostname)) expect(protocol).toBe("https:");
        const told = stage.secrets.filter((secret) =>
          JSON.stringify([seen.headers, seen.body]).includes(JSON.stringify(secret).slice(1, -1)),
        );
        if (told.length > 0 || seen.method !== "GET") expect([...hosts]).toContain(host);
        for (const secret of stage.secrets) expect(decodeURIComponent(seen.url)).not.toContain(secret);
      }
    },
  },
  "signal.stops": {
    says: "a signal that is already aborted stops every verb before anything happens",
    holds: async ({ open, platform, world }) => {
      const stage = await open();
      const { request, ref } = await stage.publish(postOf(HELLO));
      const [unit] = stage.units(platform.capabilities.images ? withPicture() : postOf(HELLO));
      const next = await stage.ready(unit, keyOf(2));
      const session = stage.sessionWith({ signal: AbortSignal.abort() });
      stage.requests.length = 0;
      const verbs = [
        () => platform.publish(next, session),
        () => platform.remove(ref, session),
        ...(platform.prepare && unit.prepare ? [() => platform.prepare?.({ ...next, prepared: null }, session)] : []),
      ];
      for (const verb of verbs) await expect((async () => verb())()).rejects.toThrow();
      expect(await stage.live()).toBe(1);
      // These may need no network at all; if they do, they stop before it.
      const { form } = await world();
      const reads = [
        () => platform.identify(session),
        () => platform.lookup?.(request, session, new Set()),
        () => platform.refresh?.(session),
        () => platform.connect?.(form, session),
      ];
      for (const read of reads) await (async () => read())().catch(() => undefined);
      expect(stage.requests).toEqual([]);
    },
  },
} as const satisfies Record<string, Promised>;

/** All that can send something. */
async function everyVerb(platform: Subject["platform"], stage: Stage): Promise<void> {
  const post = platform.capabilities.images ? withPicture() : postOf(HELLO);
  const { request, ref } = await stage.publish(post);
  await platform.lookup?.(request, stage.session, new Set());
  await platform.identify(stage.session);
  await platform.remove(ref, stage.session);
  await platform.refresh?.(stage.session);
}
