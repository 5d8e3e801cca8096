import { publishDelivery } from "@psn/app/publish-delivery.ts";
import { concurrencyOf } from "@psn/app/run-worker.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Claim } from "@psn/core/ports/deliveries.ts";
import type { Bucket } from "@psn/core/ports/outside.ts";
import type { Platform, Preparation } from "@psn/core/types/platform.ts";
import { call, parse } from "@psn/platforms/kit/http.ts";
import { expect, test } from "vitest";
import { z } from "zod";
import { asOwner } from "../support/databases.ts";
import { atMost, until } from "../support/until.ts";
import { recorder } from "./recorder.ts";
import { openStage, picture, type Stage } from "./stage.ts";

/*
 * Everything slow happens before `sending` is written and under the lease: files, tokens, uploads. The claim is looked
 * at in the last await before the request.
 */

const base = recorder("chosen", { duplicates: "client-id" });

/** Takes its files in `publish`, as a webhook does. */
const inline: Platform = (({ prepare: _without, ...rest }: Platform) => ({
  ...rest,
  compose: (post, limits) => {
    const composed = rest.compose(post, limits);
    if (!composed.ok) return composed;
    const [first, ...others] = composed.units.map((unit) => ({ ...unit, prepare: false }));
    return first ? { ok: true as const, units: [first, ...others] as const } : composed;
  },
  publish: async (request, session) => {
    for (const file of request.media) await file.open();
    return rest.publish(request, session);
  },
}))(base);

const eventsOf = async (stage: Stage, id: string) => (await stage.detail(id)).events.map(({ event }) => event);

async function claimOf(stage: Stage, leaseMs: number, worker = "worker"): Promise<Claim> {
  const concurrency = await concurrencyOf(stage.world);
  const [claim] = await stage.world.stores.deliveries.claim({ worker, most: 1, leaseMs, concurrency });
  if (!claim) throw new Error("nothing was claimed");
  return claim;
}

/** The stage's world with files that open when they are told to. */
function withFiles(stage: Stage, open: () => Promise<void>) {
  const { posts } = stage.world.stores;
  const findMedia: typeof posts.findMedia = async (...args) => {
    await open();
    return posts.findMedia(...args);
  };
  return { ...stage.world, stores: { ...stage.world.stores, posts: { ...posts, findMedia } } };
}

test("files slower than the lease are read before `sending` is written, and nobody takes over", async () => {
  const stage = await openStage("pg", { platforms: [inline] });
  const [id = ""] = await stage.post(await stage.connect("chosen"), { media: [picture(), picture()] });
  let opened = 0;
  let letGo: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const world = withFiles(stage, async () => {
    opened += 1;
    await gate;
  });
  const leaseMs = Math.ceil(atMost(1_200));
  const claim = await claimOf(stage, leaseMs);
  const work = publishDelivery({ world, claim, worker: "worker", leaseMs });
  await until("both files are asked for", () => opened === 2);
  expect(await stage.detail(id)).toMatchObject({ state: "claimed", unitList: [{ state: "waiting", sentAt: null }] });
  // Twice its lease.
  for (const end = Date.now() + 2 * leaseMs; Date.now() < end; await Bun.sleep(50))
    expect(await stage.run()).toEqual([]);
  letGo();
  await work;
  expect(await eventsOf(stage, id)).toEqual(["scheduled", "claimed", "sending", "published"]);
  expect(stage.remote.posts).toHaveLength(1);
});

/** Sends links into the bucket, as a webhook does. */
const linked: Platform = {
  ...inline,
  compose: (post, limits) => {
    const composed = inline.compose(post, limits);
    if (!composed.ok) return composed;
    const [first, ...others] = composed.units.map((unit) => ({ ...unit, linked: true as const }));
    return first ? { ok: true as const, units: [first, ...others] as const } : composed;
  },
  publish: async (request, session) => {
    for (const file of request.media) links.push((await file.link?.(60)) ?? "");
    return inline.publish(request, session);
  },
};
let links: string[] = [];

test("links into the bucket are ready before `sending` is written: publishing asks the database for none", async () => {
  const stage = await openStage("pg", { platforms: [linked] });
  links = [];
  const held = new Map<string, Uint8Array>();
  const bucket: Bucket = {
    address: "https://s3.example/media",
    put: async (key, { bytes }) => void held.set(key, bytes),
    get: async (key) => held.get(key),
    link: (key, seconds) => `https://s3.example/media/${key}?${seconds}`,
    remove: async () => undefined,
    list: async () => [],
    check: async () => undefined,
  };
  Object.assign(stage.world, { bucket });
  const [id = ""] = await stage.post(await stage.connect("chosen"), { media: [picture(), picture()] });
  expect(held.size).toBe(2);
  const asked: string[] = [];
  const world = withFiles(stage, async () => void asked.push((await stage.detail(id)).state));
  await stage.run({ world });
  expect((await stage.detail(id)).state).toBe("published");
  expect(links.toSorted()).toEqual([...held.keys()].map((key) => bucket.link(key, 60)).toSorted());
  expect(new Set(asked)).toEqual(new Set(["claimed"]));
});

test("a file that is gone ends a first attempt before anything is sent", async () => {
  const stage = await openStage("pg", { platforms: [inline] });
  const [id = ""] = await stage.post(await stage.connect("chosen"), { media: [picture()] });
  const world = withFiles(stage, () => Promise.reject(new PsnError("MEDIA_GONE", "gone from the bucket")));
  await stage.run({ world });
  expect(await stage.detail(id)).toMatchObject({
    state: "failed",
    code: "MEDIA_GONE",
    unitList: [{ state: "waiting", sentAt: null }],
  });
  expect(await eventsOf(stage, id)).toEqual(["scheduled", "claimed", "failed"]);
  expect(stage.remote.calls.filter(({ route }) => route === "POST /posts")).toEqual([]);
});

test.each([
  "MEDIA_GONE",
  "FILE_UNREADABLE",
  "VENDOR_AUTH",
  "VENDOR_REFUSED",
  "BUCKET_MISSING",
  "MEDIA_INVALID",
  "BUG",
] as const)("a file that cannot be read for a repeat (%s) says nothing of the first attempt", async (code) => {
  const stage = await openStage("pg", { platforms: [inline] });
  const [id = ""] = await stage.post(await stage.connect("chosen"), { media: [picture()] });
  stage.remote.fault("reset-after");
  await stage.run();
  stage.remote.shows = false;
  await stage.expire();
  await stage.run({ world: withFiles(stage, () => Promise.reject(new PsnError(code, "no file"))) });
  expect(await stage.detail(id)).toMatchObject({ state: "sending", code, unitList: [{ state: "sending" }] });
  expect(stage.remote.calls.filter(({ route }) => route === "POST /posts")).toHaveLength(1);
  // When it can be read again the same request goes out again, and token accepted.
  await stage.expire();
  await stage.run();
  expect((await stage.detail(id)).state).toBe("published");
  expect(stage.remote.posts).toHaveLength(1);
});

test("a token that is about to end is exchanged while nothing waits for an answer", async () => {
  const stage = await openStage();
  const account = await stage.connect("blind");
  const [id = ""] = await stage.post(account);
  await asOwner(
    stage.db,
    "UPDATE psn.oauth_tokens SET expires_at = now() + interval '5 seconds', refresh_rest_until = NULL",
  );
  // As the vault has it: `expires_at` is not sealed.
  await stage.run();
  expect(await eventsOf(stage, id)).toEqual(["scheduled", "claimed", "sending", "published"]);
  const routes = stage.remote.calls.map(({ route }) => route);
  expect(routes.slice(routes.indexOf("POST /refresh"))).toEqual(["POST /refresh", "POST /posts"]);
});

test("a token that lasts costs a text no write more", async () => {
  const stage = await openStage();
  const [id = ""] = await stage.post(await stage.connect("blind"));
  await asOwner(
    stage.db,
    "UPDATE psn.oauth_tokens SET expires_at = now() + interval '5 minutes', refresh_rest_until = NULL",
  );
  await stage.run();
  expect(await eventsOf(stage, id)).toEqual(["scheduled", "sending", "published"]);
});

test("the claim is looked at in the last await before the request, however slow the adapter is", async () => {
  const slow: Platform = {
    ...base,
    publish: async (request, session) => {
      // The machine sleeps here for two minutes, and another worker takes over.
      stage.clock.passedMs += 120_000;
      await stage.expire();
      await claimOf(stage, 60_000, "another");
      return base.publish(request, session);
    },
  };
  const stage = await openStage("pg", { platforms: [slow] });
  const [id = ""] = await stage.post(await stage.connect("chosen"));
  await stage.run();
  expect(stage.remote.calls.filter(({ route }) => route === "POST /posts")).toEqual([]);
  expect((await stage.detail(id)).events.at(-1)).toMatchObject({ event: "settling", actor: "another" });
});

test("an upload the platform works on is pending: asked about later, goes on from its handle, removable", async () => {
  const answers: (Preparation | PsnError)[] = [];
  const handles: unknown[] = [];
  const working: Platform = {
    ...base,
    prepare: async ({ handle }) => {
      handles.push(handle);
      const answer = answers.shift();
      if (answer instanceof PsnError) throw answer;
      return answer ?? { status: "prepared", prepared: ["media-1"] };
    },
    refresh: async () => Promise.reject(new PsnError("PLATFORM_DOWN", "no tokens now")),
  };
  const stage = await openStage("pg", { platforms: [working] });
  const account = await stage.connect("chosen");
  const pending = (n: number): Preparation => ({ status: "pending", handle: { n }, checkAfterMs: 30_000 });
  const next = async () => {
    await stage.due();
    await stage.run();
  };

  const [id = ""] = await stage.post(account, { media: [picture()] });
  // A token that has ended, and whose successor cannot be had now, loses nothing of what was uploaded.
  answers.push(pending(1), new PsnError("AUTH_EXPIRED", "ended"), pending(2));
  await stage.run();
  const first = await stage.detail(id);
  expect(first).toMatchObject({
    state: "pending",
    code: null,
    unitList: [{ state: "pending", handle: { n: 1 }, sentAt: null, prepared: null }],
  });
  expect(first.aheadMs).toBeGreaterThan(25_000);
  await next();
  expect(await stage.detail(id)).toMatchObject({
    state: "pending",
    code: "PLATFORM_DOWN",
    unitList: [{ handle: { n: 1 }, sentAt: null }],
  });
  await next();
  expect(await stage.detail(id)).toMatchObject({
    state: "pending",
    code: null,
    attempt: 1,
    unitList: [{ handle: { n: 2 } }],
  });
  await next();
  expect(await stage.detail(id)).toMatchObject({
    state: "published",
    unitList: [{ handle: null, prepared: ["media-1"] }],
  });
  expect(handles).toEqual([undefined, { n: 1 }, { n: 1 }, { n: 2 }]);
  expect(stage.remote.posts.map(({ media }) => media)).toEqual([["media-1"]]);

  const [other = ""] = await stage.post(account, { media: [picture()], texts: ["another"] });
  answers.push(pending(3));
  await stage.run();
  expect(await stage.world.stores.posts.cancel(stage.userId, [other])).toEqual([other]);
  await next();
  expect((await stage.detail(other)).state).toBe("cancelled");

  // An adapter that throws has nothing worth keeping: the next attempt begins anew.
  const [anew = ""] = await stage.post(account, { media: [picture()], texts: ["anew"] });
  answers.push(pending(5), new PsnError("PLATFORM_DOWN", "for too long"));
  await stage.run();
  await next();
  expect(await stage.detail(anew)).toMatchObject({
    state: "scheduled",
    unitList: [{ state: "waiting", handle: null }],
  });
  await stage.world.stores.posts.cancel(stage.userId, [anew]);

  const [third = ""] = await stage.post(account, { media: [picture()], texts: ["a third"] });
  answers.push(pending(4), new PsnError("PLATFORM_REJECTED", "cannot be used"));
  await stage.run();
  await next();
  expect(await stage.detail(third)).toMatchObject({
    state: "failed",
    unitList: [{ state: "waiting", handle: null, sentAt: null }],
  });
  expect(stage.remote.posts).toHaveLength(1);
});

test("a pending post cannot be taken back: the platform has it", async () => {
  const stage = await openStage();
  const [id = ""] = await stage.post(await stage.connect("chosen"));
  stage.remote.fault("pending");
  await stage.run();
  expect((await stage.detail(id)).state).toBe("pending");
  expect(await stage.world.stores.posts.cancel(stage.userId, [id])).toEqual([]);
});

test("reading the account first does not count as the request", async () => {
  const reading: Platform = {
    ...base,
    publish: async (request, session) => {
      parse(
        await call(session, "https://chosen.example/posts?key=none", {
          effect: "none",
          headers: { authorization: `Bearer ${session.credentials.access}` },
        }),
        z.object({}),
      );
      return base.publish(request, session);
    },
  };
  const stage = await openStage("pg", { platforms: [reading] });
  const [id = ""] = await stage.post(await stage.connect("chosen"));
  await stage.run();
  expect((await stage.detail(id)).state).toBe("published");
});
