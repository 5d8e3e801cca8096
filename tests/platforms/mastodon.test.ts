import { PsnError } from "@psn/core/errors.ts";
import type { Fetch, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media, Post } from "@psn/core/types/post.ts";
import type { Body } from "@psn/platforms/mastodon/compose.ts";
import mastodon from "@psn/platforms/mastodon/index.ts";
import { afterEach, describe, expect, test } from "vitest";
import { adapter, failure, post, prepareAll, text } from "../support/adapter.ts";
import { FAULTS_AFTER, type MastodonFake, type Switches, startMastodon } from "../support/mastodon.ts";

const { requestsOf, publish } = adapter(mastodon);

const started: MastodonFake[] = [];
afterEach(async () => {
  for (const fake of started.splice(0)) await fake.stop();
});

interface Open {
  readonly fake: MastodonFake;
  readonly session: Session;
}

/** An answer that is late is not waited for. */
async function open(switches: Partial<Switches> = {}): Promise<Open> {
  let late = new AbortController();
  const onLate = () => late.abort(new DOMException("the answer is late", "TimeoutError"));
  const fake = await startMastodon({ ...switches, onLate });
  started.push(fake);
  const fetch: Fetch = (input, init) => {
    late = new AbortController();
    return globalThis.fetch(input, {
      ...init,
      signal: AbortSignal.any([late.signal, ...(init?.signal ? [init.signal] : [])]),
    });
  };
  const net = { fetch, now: () => new Date(), signal: new AbortController().signal };
  const connection = await mastodon.connect({ server: fake.origin, token: fake.token }, net);
  return { fake, session: { ...net, ...connection } };
}

const image = (id: string, alt?: string): Media => {
  const bytes = new TextEncoder().encode(`picture ${id}`);
  return {
    id,
    kind: "image",
    mime: "image/png",
    bytes: bytes.length,
    ...(alt ? { alt } : {}),
    open: async () => new Blob([bytes], { type: "image/png" }),
  };
};
const video = (id: string): Media => ({ ...image(id), kind: "video", mime: "video/mp4" });

async function prepared(request: PublishRequest<Body>, session: Session): Promise<PublishRequest<Body>> {
  return { ...request, prepared: await prepareAll(mastodon, request, session), at: new Date() };
}

/**
 * What the engine does: after a lost answer it looks first, and sends again with the same key only when it is not
 * there.
 */
async function deliver(request: PublishRequest<Body>, session: Session, known: Set<string> = new Set()): Promise<Ref> {
  try {
    return await publish(request, session);
  } catch (error) {
    if (!(error instanceof PsnError) || error.retry !== "reconcile") throw error;
    return (await mastodon.lookup?.(request, session, known)) ?? (await deliver(request, session, known));
  }
}

describe("connect", () => {
  test("reads who it is and what the server allows, and shows nothing", async () => {
    const { fake, session } = await open({ instance: "pleroma" });
    expect(session.profile).toEqual({
      subject: `${fake.accountId}@${new URL(fake.origin).host}`,
      handle: "ada@pleroma.example",
      url: `${fake.origin}/@ada`,
      home: fake.origin,
      limits: { text: { max: 5000, unit: "grapheme" }, altText: 5000 },
    });
    expect(session.credentials).toEqual({ access: fake.token, scopes: ["read", "write"] });
    expect(fake.requests.every((line) => line.startsWith("GET "))).toBe(true);
    expect(await mastodon.identify(session)).toEqual(session.profile);
  });

  test.each([
    ["v2", "ada@mastodon.example"],
    ["v1", "ada@mastodon.example"],
    ["none", undefined],
  ] as const)("an instance that answers as %s", async (instance, handle) => {
    const { fake, session } = await open({ instance });
    expect(session.profile.handle).toBe(handle ?? `ada@${new URL(fake.origin).host}`);
    expect(session.profile.limits?.text).toBeUndefined();
  });

  test("a wrong token, a token that may too little, a server that is no Mastodon", async () => {
    const { fake, session } = await open();
    const connect = (token: string) => failure(mastodon.connect({ server: fake.origin, token }, session));
    expect(await connect("wrong")).toMatchObject({
      code: "AUTH_REVOKED",
      hint: expect.stringContaining("write:media"),
    });
    expect(await connect("two words")).toMatchObject({ code: "INPUT_INVALID" });
    fake.switches.scopes = ["profile", "read:statuses", "write:statuses"];
    const error = await connect(fake.token);
    expect(error).toMatchObject({ code: "AUTH_SCOPE", message: "the token does not include write:media" });
    expect(JSON.stringify(error)).not.toContain(fake.token);
    fake.switches.scopes = null;
    expect(await mastodon.connect({ server: fake.origin, token: fake.token }, session)).toMatchObject({
      credentials: { scopes: [] },
    });
    const elsewhere = {
      ...session,
      fetch: async () => new Response(null, { status: 301, headers: { location: "https://social.example/api/v1/x" } }),
    };
    expect(await failure(mastodon.connect({ server: "example.com", token: "t" }, elsewhere))).toMatchObject({
      code: "INPUT_INVALID",
      message: "example.com redirects to https://social.example",
    });
    const page = { ...session, fetch: async () => new Response("<h1>404</h1>", { status: 404 }) };
    expect(await failure(mastodon.connect({ server: "example.com", token: "t" }, page))).toMatchObject({
      code: "INPUT_INVALID",
    });
  });
});

describe("publishing", () => {
  test("a thread with media, alt texts, a warning and a language", async () => {
    const { fake, session } = await open({ processing: 2 });
    const value: Post = {
      ...post(text("one 👩‍🚀", [image("a", "first alt"), image("b")]), text("two"), text("", [video("v")])),
      language: "en",
      visibility: "followers",
      contentWarning: "space",
    };
    const refs: Ref[] = [];
    for (const request of requestsOf(value, session)) {
      const ready = request.unit.prepare ? await prepared(request, session) : request;
      refs.push(
        await publish(
          { ...ready, ...(refs.at(-1) ? { parent: refs.at(-1), root: refs[0] } : {}) } as PublishRequest<Body>,
          session,
        ),
      );
    }
    expect(fake.statuses.map(({ id }) => id)).toEqual(refs.map(({ id }) => id));
    expect(fake.statuses.map(({ parent }) => parent)).toEqual([null, refs[0]?.id, refs[1]?.id]);
    // A warning without a text becomes the text: Mastodon's doing.
    expect(fake.statuses.map((one) => [one.text, one.spoiler, one.visibility, one.language])).toEqual([
      ["one 👩‍🚀", "space", "private", "en"],
      ["two", "space", "private", "en"],
      ["space", "", "private", "en"],
    ]);
    expect(fake.statuses[0]?.media.map((id) => fake.media.get(id)?.description)).toEqual(["first alt", null]);
    expect(refs[0]?.url).toBe(`${fake.origin}/@ada/${refs[0]?.id}`);
    const names = [...fake.media.values()].map(({ name }) => name);
    expect(new Set(names).size).toBe(3);
    expect(names.every((name) => /^[0-9a-f]{32}\.(png|mp4)$/.test(name))).toBe(true);
  });

  test("a server without /api/v2/media, and uploads that run again", async () => {
    const { fake, session } = await open({ mediaV2: false });
    const [request] = requestsOf(post(text("x", [image("a")])), session);
    if (!request) throw new Error("no unit");
    await prepared(request, session);
    await publish(await prepared(request, session), session);
    expect(fake.statuses).toHaveLength(1);
    expect(fake.media.size).toBe(2);
    expect(new Set([...fake.media.values()].map(({ name }) => name)).size).toBe(1);
  });

  test.each(["mastodon", "gotosocial"] as const)(
    "no part of a split text is refused by %s for its length",
    async (refusal) => {
      const { fake, session } = await open({ refusal });
      const links = [
        "https://example.com/",
        "http://localhost:3000/",
        "https://user@example.com/",
        "https://日本語.jp/",
        "http://[::1]/",
      ];
      const words = Array.from(
        { length: 60 },
        (_, index) => `${links[index % links.length]}${"x".repeat(index * 3)} 👨‍👩‍👧‍👦 @ada@example.social`,
      );
      const requests = requestsOf({ ...post(text(words.join(" "))), split: true, numbered: true }, session);
      for (const request of requests) await publish(request, session);
      expect(fake.statuses.map((one) => one.text)).toEqual(requests.map(({ unit }) => unit.text));
      expect(requests.length).toBeGreaterThan(5);
    },
  );

  test.each(["mastodon", "gotosocial"] as const)(
    "a clear no as %s says it is a refusal, and nothing is out",
    async (refusal) => {
      const { fake, session } = await open({ refusal });
      const [request] = requestsOf(post(text("x", [image("a")])), session);
      const [reply] = requestsOf(post(text("y")), session);
      if (!request || !reply) throw new Error("no unit");
      const ready = await prepared(request, session);
      fake.forgetMedia();
      expect(await failure(publish(ready, session))).toMatchObject({
        code: "PLATFORM_REJECTED",
        message: expect.stringContaining("keeps uploaded media for about a day"),
      });
      expect(
        await failure(publish({ ...reply, parent: { id: "1", url: "https://a.example/1" } }, session)),
      ).toMatchObject({
        code: "PLATFORM_REJECTED",
        message: expect.stringContaining("the post it replies to may have been deleted"),
      });
      expect(
        await failure(publish({ ...reply, unit: { ...reply.unit, body: { status: "a".repeat(501) } } }, session)),
      ).toMatchObject({
        code: "PLATFORM_REJECTED",
        retry: "never",
      });
      expect(await failure(publish(request, session))).toMatchObject({ code: "BUG" });
      expect(fake.statuses).toHaveLength(0);
    },
  );

  test("media that are there are no reason: Hollo refuses a picture without text in its own words", async () => {
    const { fake, session } = await open({ refusal: "hollo" });
    const [request] = requestsOf(post(text("x", [image("a")])), session);
    if (!request) throw new Error("no unit");
    const ready = await prepared(request, session);
    const error = await failure(publish({ ...ready, unit: { ...ready.unit, body: { status: "" } } }, session));
    expect(error).toMatchObject({ code: "PLATFORM_REJECTED" });
    expect(String(error)).toContain("String must contain at least 1 character(s)");
    expect(String(error)).not.toMatch(/about a day|media were deleted/);
    expect(fake.statuses).toEqual([]);
  });

  test("a parent that psn has only just posted may be unknown for a moment, and then counts as gone", async () => {
    const { session } = await open();
    const [reply] = requestsOf(post(text("y")), session);
    if (!reply) throw new Error("no unit");
    const refusedAfter = (ms: number) =>
      failure(
        publish(
          { ...reply, parent: { id: "1", url: "https://a.example/1" }, parentAt: new Date(Date.now() - ms) },
          session,
        ),
      );
    expect(await refusedAfter(1_000)).toMatchObject({ code: "PLATFORM_DOWN", retry: "backoff", retryAfterMs: 2_000 });
    expect(await refusedAfter(10_000)).toMatchObject({ code: "PLATFORM_DOWN" });
    expect(await refusedAfter(180_000)).toMatchObject({
      code: "PLATFORM_REJECTED",
      message: expect.stringContaining("does not appear to exist"),
    });
  });

  test("a revoked token and a rate limit: nothing is out, and the pause is the server's", async () => {
    const { fake, session } = await open({ clockAheadMs: 0 });
    const [request] = requestsOf(post(text("x")), session);
    if (!request) throw new Error("no unit");
    expect(await failure(publish(request, { ...session, credentials: { access: "gone", scopes: [] } }))).toMatchObject({
      code: "AUTH_EXPIRED",
    });
    fake.switches.requests = 1;
    const error = await failure(publish(request, session));
    expect(error).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: expect.any(Number) });
    const pause = error instanceof PsnError ? (error.retryAfterMs ?? 0) : 0;
    expect(pause).toBeGreaterThan(4 * 60_000);
    // The server's Date header has whole seconds.
    expect(pause).toBeLessThanOrEqual(5 * 60_000 + 1_000);
    expect(fake.statuses).toHaveLength(0);
  });

  test("a post is not sent into a connection that an earlier answer left open", async () => {
    const { session } = await open();
    const [request] = requestsOf(post(text("x")), session);
    if (!request) throw new Error("no unit");
    const kept: unknown[] = [];
    const fetch: Fetch = (input, init) => {
      kept.push(init?.keepalive);
      return session.fetch(input, init);
    };
    await publish(request, { ...session, fetch });
    expect(kept).toEqual([false]);
  });

  test("a stop while a file is processed ends the wait", async () => {
    const { session } = await open({ processing: 1_000 });
    const [request] = requestsOf(post(text("x", [image("a")])), session);
    if (!request) throw new Error("no unit");
    await expect(prepared(request, { ...session, signal: AbortSignal.timeout(300) })).rejects.toThrow();
  });
});

describe("a lost answer", () => {
  for (const idempotency of ["honoured", "ignored", "racy"] as const) {
    for (const source of [true, false]) {
      test.each([...FAULTS_AFTER, "reset-before", "500-before"] as const)(
        `${idempotency} keys, ${source ? "sources" : "html"}, %s: a thread is out exactly once`,
        async (fault) => {
          const { fake, session } = await open({ idempotency, source });
          const words = [
            "Look: https://www.example.com/a/long/path/that/is/cut?x=1&y=<2>\nhi @ada@mastodon.example " +
              "#tag\n\n*bye* & 👋",
            "the second",
            "the second",
          ];
          const value = post(text(words[0] ?? "", [image("a", "alt")]), text(words[1] ?? ""), text(words[2] ?? ""));
          const warned = { ...value, contentWarning: "food & *drink*" };
          const known = new Set<string>();
          let parent: Ref | undefined;
          for (const request of requestsOf(warned, session)) {
            const ready = request.unit.prepare ? await prepared(request, session) : request;
            fake.faults.push(fault);
            parent = await deliver({ ...ready, at: new Date(), ...(parent ? { parent } : {}) }, session, known);
            known.add(parent.id);
          }
          expect(fake.faults).toEqual([]);
          expect(fake.statuses.map((one) => one.text)).toEqual(words);
          expect([...known]).toEqual(fake.statuses.map(({ id }) => id));
        },
      );
    }
  }
});

describe("the fake", () => {
  test.each([
    ["honoured", 1, 1],
    ["racy", 1, 2],
    ["ignored", 2, 2],
  ] as const)(
    "%s keys: two posts one after the other make %i, two at once make %i",
    async (idempotency, inTurn, atOnce) => {
      const { fake, session } = await open({ idempotency });
      const [first, second] = [...requestsOf(post(text("x")), session), ...requestsOf(post(text("y")), session)];
      if (!first || !second) throw new Error("no unit");
      await publish(first, session);
      await publish(first, session);
      expect(fake.statuses).toHaveLength(inTurn);
      await Promise.all([publish(second, session), publish(second, session)]);
      expect(fake.statuses).toHaveLength(inTurn + atOnce);
    },
  );
});

describe("an answer that cannot be kept", () => {
  const answering = (session: Session, change: object): Session => ({
    ...session,
    fetch: async (input, init) => {
      const answer = await session.fetch(input, init);
      return Response.json({ ...(await answer.json()), ...change }, { headers: answer.headers });
    },
  });

  test.each(["a\u0000b", "a\ud800b", "a\nb", ""])("an id of %j is none", async (id) => {
    const { session } = await open();
    const [request] = requestsOf(post(text("x")), session);
    if (!request) throw new Error("no unit");
    expect(await failure(publish(request, answering(session, { id })))).toMatchObject({ code: "PLATFORM_CHANGED" });
  });

  test.each(["javascript:alert(1)", "file:///etc/passwd", "not an address", "\u0000"])(
    "an address of %j is not shown",
    async (url) => {
      const { fake, session } = await open();
      const [request] = requestsOf(post(text("x")), session);
      if (!request) throw new Error("no unit");
      const ref = await publish(request, answering(session, { url, uri: url }));
      expect(ref.url).toBe(`${fake.origin}/@ada/${ref.id}`);
    },
  );
});

describe("a refused repeat", () => {
  /** Refuses every post; `look` befalls what is read. */
  const refusing = (session: Session, look?: () => Promise<Response>): Session => ({
    ...session,
    fetch: async (input, init) => {
      if (init?.method === "POST") return Response.json({ error: "Validation failed" }, { status: 422 });
      return look ? look() : session.fetch(input, init);
    },
  });

  test("proves that nothing was taken only where the post is not there", async () => {
    const { fake, session } = await open();
    const [request] = requestsOf(post(text("good morning")), session);
    if (!request) throw new Error("no unit");
    const again = { ...request, at: new Date(), again: true as const };
    expect(await failure(publish(again, refusing(session)))).toMatchObject({
      code: "PLATFORM_REJECTED",
      neverTaken: true,
    });
    const down = async () => new Response("", { status: 502 });
    expect(await failure(publish(again, refusing(session, down)))).toMatchObject({
      code: "PLATFORM_REJECTED",
      neverTaken: false,
    });
    expect(await failure(publish(request, refusing(session)))).toMatchObject({
      code: "PLATFORM_REJECTED",
      neverTaken: false,
    });
    fake.seed({ text: "good morning" });
    expect(await failure(publish(again, refusing(session)))).toMatchObject({
      code: "OUTCOME_UNKNOWN",
      neverTaken: false,
    });
  });

  test("of a post with media is one too, and does not blame the media, which are there", async () => {
    const { session } = await open();
    const [request] = requestsOf(post(text("x", [image("a")])), session);
    if (!request) throw new Error("no unit");
    const ready = await prepared(request, session);
    const error = await failure(publish({ ...ready, again: true }, refusing(session)));
    expect(error).toMatchObject({ code: "PLATFORM_REJECTED", neverTaken: true });
    expect(String(error)).not.toContain("about a day");
  });
});

describe("lookup", () => {
  const only = (session: Session, value: Post = post(text("good morning"))) => {
    const [request] = requestsOf(value, session);
    if (!request) throw new Error("no unit");
    return request;
  };
  const found = (request: PublishRequest<Body>, session: Session, known: string[] = []) =>
    mastodon.lookup?.(request, session, new Set(known));

  test.each([0, 3 * 3_600_000, -3 * 3_600_000])(
    "with a server clock %i ms ahead: this post, not the one of an hour before",
    async (clockAheadMs) => {
      const { fake, session } = await open({ clockAheadMs });
      const old = fake.seed({ text: "good morning", createdAt: new Date(Date.now() + clockAheadMs - 3_600_000) });
      const request = only(session);
      expect(await found(request, session)).toBeUndefined();
      const ref = await publish(request, session);
      expect(await found(request, session)).toEqual(ref);
      expect(await found({ ...request, at: new Date(Date.now() - 7_200_000) }, session, [ref.id])).toMatchObject({
        id: old.id,
      });
    },
  );

  test("not another's words, parent, files, warning, boost, or unit", async () => {
    const { fake, session } = await open();
    const parent = fake.seed({ text: "a root" });
    fake.seed({ text: "good evening" });
    fake.seed({ text: "good morning", parent: parent.id });
    fake.seed({ text: "good morning", spoiler: "coffee" });
    fake.seed({ text: "good morning", reblog: true });
    const known = fake.seed({ text: "good morning" });
    const ready = await prepared(only(session, post(text("good morning", [image("a")]))), session);
    const ref = await publish(ready, session);
    expect(await found(only(session), session, [known.id])).toBeUndefined();
    expect(await found(ready, session, [known.id])).toEqual(ref);
    expect(await found(only(session), session)).toMatchObject({ id: known.id });
  });

  test("it pages through what came since, and stops at what is older", async () => {
    const { fake, session } = await open();
    const old = Date.now() - 86_400_000;
    for (let index = 0; index < 100; index++) fake.seed({ text: `old ${index}`, createdAt: new Date(old + index) });
    const request = only(session, { ...post(text("good morning")), visibility: "public" });
    const ref = await publish(request, session);
    for (let index = 0; index < 90; index++) fake.seed({ text: `new ${index}` });
    const lists = () => fake.requests.filter((line) => line.endsWith("/statuses") && line.startsWith("GET")).length;
    fake.switches.source = false;
    expect(await found(request, session)).toEqual(ref);
    expect(lists()).toBe(3);
    expect(await found(request, session, [ref.id])).toBeUndefined();
    expect(lists()).toBe(7);
  });

  test.each(["followers", "direct"] as const)(
    "a %s post that the account's list hides is found in the home timeline",
    async (visibility) => {
      const { fake, session } = await open({ listsPrivate: false });
      const request = only(session, { ...post(text("for few")), visibility });
      expect(await found(request, session)).toBeUndefined();
      const ref = await publish(request, session);
      expect(await found(request, session)).toEqual(ref);
      expect(await found(request, session, [ref.id])).toBeUndefined();
      expect(fake.statuses).toHaveLength(1);
    },
  );

  test("a server in trouble is no answer", async () => {
    const { session } = await open();
    const request = only(session);
    const broken = { ...session, fetch: async () => new Response("", { status: 503 }) };
    expect(await failure(Promise.resolve(found(request, broken)))).toMatchObject({ code: "PLATFORM_DOWN" });
  });
});

describe("remove", () => {
  test("takes it back, twice if asked", async () => {
    const { fake, session } = await open();
    const { id } = fake.seed({ text: "x" });
    const kept = fake.seed({ text: "y" });
    const ref = { id, url: `${fake.origin}/@ada/${id}` };
    await mastodon.remove(ref, session);
    await mastodon.remove(ref, session);
    expect(fake.statuses).toEqual([kept]);
  });

  test("a server that cannot is not believed", async () => {
    const { fake, session } = await open({ deletes: false });
    const { id } = fake.seed({ text: "x" });
    expect(await failure(mastodon.remove({ id, url: "https://a.example/x" }, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining("https://a.example/x"),
    });
    expect(fake.statuses).toHaveLength(1);
  });
});
