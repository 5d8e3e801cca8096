import { publishDelivery } from "@psn/app/publish-delivery.ts";
import { concurrencyOf, runWorker } from "@psn/app/run-worker.ts";
import { openBucket } from "@psn/core/bucket/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { LEASE_MS } from "@psn/domain/delivery.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CuttingServer, type Reply, startCutting } from "../support/cutting-server.ts";
import { asOwner } from "../support/databases.ts";
import { someOf } from "../support/how-much.ts";
import { type S3, startS3 } from "../support/s3.ts";
import { until } from "../support/until.ts";
import { recorder } from "./recorder.ts";
import { openStage, picture, type Stage } from "./stage.ts";

/*
 * What is wrong with the hub and not with the post ends no post: each waits, its user is told once, and when it is
 * mended all go on, without a command.
 */

const base = recorder("chosen", { duplicates: "client-id" });
const breaks: { where: "prepare" | "publish" | undefined; error: PsnError } = {
  where: undefined,
  error: new PsnError("BUG", ""),
};
const broken: Platform = {
  ...base,
  prepare: async (request, session) => {
    for (const file of request.media) await file.open();
    if (breaks.where === "prepare") throw breaks.error;
    return base.prepare?.(request, session) ?? { status: "prepared", prepared: {} };
  },
  publish: async (request, session) => {
    if (breaks.where === "publish") throw breaks.error;
    return base.publish(request, session);
  },
};

let stage: Stage;
let told: string[];
let world: World;
const servers: (CuttingServer | S3)[] = [];
beforeEach(async () => {
  breaks.where = undefined;
  stage = await openStage("pg", { platforms: [broken] });
  told = [];
  world = { ...stage.world, notify: async (line) => void told.push(line) };
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const states = async (ids: readonly string[]) =>
  (await stage.world.stores.posts.detail(stage.userId, ids)).map(({ state }) => state);
const waiting = async () =>
  asOwner<{ code: string; wakes: number }>(
    stage.db,
    "SELECT code, extract(epoch FROM wake_at - now())::integer AS wakes FROM psn.deliveries WHERE state = " +
      "'scheduled' ORDER BY id",
  );
/** As many attempts as it takes for anything else to end. */
const tireOut = () => asOwner(stage.db, "UPDATE psn.deliveries SET attempt = 60");

describe.each(["prepare", "publish"] as const)("in %s", (where) => {
  test.each(["VENDOR_AUTH", "FILE_UNREADABLE", "APP_MISSING"] as const)(
    "%s: the post waits, however often, and goes out when it is mended",
    async (code) => {
      const [id = ""] = await stage.post(await stage.connect("chosen"), { media: [picture()] });
      breaks.error = new PsnError(code, "it is broken");
      breaks.where = where;
      await stage.run({ world });
      await tireOut();
      await stage.due();
      await stage.run({ world });
      expect(await waiting()).toEqual([{ code, wakes: expect.any(Number) }]);
      const [{ wakes = 0 } = {}] = await waiting();
      expect(wakes).toBeGreaterThan(200);
      expect(wakes).toBeLessThanOrEqual(900);
      expect(told).toHaveLength(1);
      breaks.where = undefined;
      await stage.due();
      await stage.run({ world });
      expect(await states([id])).toEqual(["published"]);
      expect(stage.remote.posts).toHaveLength(1);
    },
  );
});

test.each(["VENDOR_AUTH", "RATE_LIMITED"] as const)(
  "after %s, however long, a platform that is down has all of its tries",
  async (code) => {
    const [id = ""] = await stage.post(await stage.connect("chosen"));
    breaks.error = new PsnError(code, "not now");
    breaks.where = "publish";
    await stage.run({ world });
    await tireOut();
    breaks.error = new PsnError("PLATFORM_DOWN", "503");
    for (const attempt of [1, 2]) {
      await stage.due();
      await asOwner(stage.db, "UPDATE psn.accounts SET paused_until = NULL");
      await stage.run({ world });
      expect(await stage.detail(id)).toMatchObject({ state: "scheduled", code: "PLATFORM_DOWN", attempt });
    }
    await tireOut();
    await stage.due();
    await stage.run({ world });
    expect(await states([id])).toEqual(["failed"]);
  },
);

test("a trouble that another one took the place of is told again when it comes back", async () => {
  await stage.post(await stage.connect("chosen"), { media: [picture()] });
  breaks.where = "prepare";
  const meets = async (error: PsnError) => {
    breaks.error = error;
    await stage.due();
    await stage.run({ world });
  };
  for (const code of ["VENDOR_AUTH", "FILE_UNREADABLE", "VENDOR_AUTH", "VENDOR_AUTH"] as const)
    await meets(new PsnError(code, code));
  expect(told.map((line) => line.split(": ")[1])).toEqual(["VENDOR_AUTH", "FILE_UNREADABLE", "VENDOR_AUTH"]);
});

test("a trouble whose only post was cancelled is told again when it comes back", async () => {
  const account = await stage.connect("chosen");
  const [id = ""] = await stage.post(account, { media: [picture()] });
  breaks.where = "prepare";
  breaks.error = new PsnError("VENDOR_AUTH", "the key may not read");
  await stage.run({ world });
  expect(await world.stores.upkeep.forgetTroubles()).toBe(0);
  await asOwner(stage.db, "UPDATE psn.deliveries SET state = 'cancelled' WHERE id = $1", [id]);
  expect(await world.stores.upkeep.forgetTroubles()).toBe(1);
  await stage.post(account, { media: [picture()] });
  await stage.run({ world });
  expect(told).toHaveLength(2);
});

test("a post that somebody is writing keeps no other user's post from being woken", async () => {
  const [mine = "", other = ""] = [
    await stage.post(await stage.connect("chosen")),
    await stage.post(await stage.connect("chosen", "b")),
  ].flat();
  await asOwner(
    stage.db,
    "UPDATE psn.deliveries SET code = 'VENDOR_AUTH', attempt = 1, wake_at = now() + interval '10 minutes'",
  );
  await stage.db.owner.asOwner?.(async (client) => {
    await client.query("BEGIN");
    await client.query(`SELECT FROM psn.deliveries WHERE id = '${mine}' FOR UPDATE`);
    expect(await world.stores.upkeep.wakeTroubled(["VENDOR_AUTH"])).toBe(1);
    await client.query("ROLLBACK");
  });
  expect(await asOwner(stage.db, "SELECT id FROM psn.deliveries WHERE wake_at <= now()")).toEqual([{ id: other }]);
});

test("a token that this hub's key does not open waits for the right key", async () => {
  const [id = ""] = await stage.post(await stage.connect("chosen"));
  const locked = () => {
    throw new PsnError("VAULT_LOCKED", "another key has sealed this", { hint: "psn vault status" });
  };
  await stage.run({ world: { ...world, vault: { ...world.vault, open: locked } } });
  expect(await waiting()).toEqual([{ code: "VAULT_LOCKED", wakes: expect.any(Number) }]);
  expect(told).toEqual([
    "posts are on hold because of a problem with the hub: another key has sealed this; to fix it: psn vault status",
  ]);
  await stage.due();
  await stage.run({ world });
  expect(await states([id])).toEqual(["published"]);
});

test("ten posts that wait are told of once, and go on together when the first one does", async () => {
  const account = await stage.connect("chosen");
  const ids: string[] = [];
  for (let n = 0; n < 10; n += 1) ids.push(...(await stage.post(account, { media: [picture()] })));
  breaks.where = "prepare";
  breaks.error = new PsnError("VENDOR_AUTH", "the key may not read (12 minutes)", {
    hint: "psn config set S3_SECRET_ACCESS_KEY",
  });
  for (let round = 0; round < 3; round += 1) {
    while ((await stage.run({ world })).length > 0);
    // Figures in it make no other trouble of it.
    breaks.error = new PsnError("VENDOR_AUTH", `the key may not read (${round} minutes)`);
    if (round < 2) await stage.due();
  }
  expect(told).toEqual([
    "posts are on hold because of a problem with the hub: the key may not read (12 minutes); to fix it: psn config " +
      "set S3_SECRET_ACCESS_KEY",
  ]);
  expect(new Set(await states(ids))).toEqual(new Set(["scheduled"]));
  breaks.where = undefined;
  await asOwner(stage.db, "UPDATE psn.deliveries SET wake_at = now() WHERE id = $1", [ids[3]]);
  await stage.run({ world });
  await until("the others are due too", async () => (await stage.run({ world })).length > 0);
  while ((await stage.run({ world })).length > 0);
  expect(new Set(await states(ids))).toEqual(new Set(["published"]));
  expect(stage.remote.posts).toHaveLength(10);
  // The same again is told again.
  await stage.post(account, { media: [picture()] });
  breaks.where = "prepare";
  await stage.run({ world });
  expect(told).toHaveLength(2);
});

test("what passes by itself is told when it has not passed for minutes", async () => {
  await stage.post(await stage.connect("chosen"), { media: [picture()] });
  breaks.where = "prepare";
  breaks.error = new PsnError("VENDOR_UNREACHABLE", "the bucket's service does not answer");
  for (let attempt = 1; attempt <= 7; attempt += 1) {
    await stage.run({ world });
    expect(told).toHaveLength(attempt < 6 ? 0 : 1);
    await stage.due();
  }
});

test("two workers that meet the same trouble in the same instant tell it once", async () => {
  const accounts = await Promise.all(["a", "b", "c", "d"].map((name) => stage.connect("chosen", name)));
  for (const account of accounts) await stage.post(account, { media: [picture()] });
  breaks.where = "prepare";
  breaks.error = new PsnError("VENDOR_AUTH", "the key may not read");
  await stage.run({ world });
  expect(told).toHaveLength(1);
});

describe("a bucket", () => {
  const LARGE = 300 * 1024;
  const large = () => {
    const content = new Uint8Array(LARGE).fill(7);
    const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    return { ...picture(), content, bytes: LARGE, sha256 };
  };
  const QUICK = { requestMs: 2_000, bytesPerMs: 100, pausesMs: [5] };
  const start = async (bucket = "media") => {
    const s3 = await startS3({ bucket });
    servers.push(s3);
    return s3;
  };
  const at = (settings: { endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string }) =>
    openBucket({ ...settings, region: "auto" }, QUICK);
  const schedule = async (s3: S3) => {
    Object.assign(stage.world, { bucket: at(s3) });
    const [id = ""] = await stage.post(await stage.connect("chosen"), { media: [large()] });
    expect(await s3.objects()).toHaveLength(1);
    return id;
  };
  const run = async (bucket: World["bucket"]) => {
    await stage.due();
    const concurrency = await concurrencyOf(world);
    const claims = await world.stores.deliveries.claim({ worker: "worker", most: 9, leaseMs: LEASE_MS, concurrency });
    const { bucket: _other, ...rest } = world;
    const as: World = bucket ? { ...rest, bucket } : rest;
    for (const claim of claims) await publishDelivery({ world: as, claim, worker: "worker", leaseMs: LEASE_MS });
  };

  const ODD: readonly [string, () => Reply][] = [
    ["403", () => new Response(null, { status: 403 })],
    ["307", () => new Response(null, { status: 307, headers: { location: "http://127.0.0.1:1/" } })],
    ["a plain 404", () => new Response("<html>not found</html>", { status: 404 })],
    ["a captive page", () => new Response("<html>sign in</html>")],
    ["one wrong byte", () => new Response(new Uint8Array(LARGE).fill(8))],
    ["no bucket of that name", () => new Response("<Error><Code>NoSuchBucket</Code></Error>", { status: 404 })],
  ];
  test.each(someOf(ODD))("%s from the bucket at publishing time ends no post", async (_, reply) => {
    const s3 = await start();
    const id = await schedule(s3);
    const front = await startCutting(async () => reply());
    servers.push(front);
    await run(at({ ...s3, endpoint: front.origin }));
    expect(await states([id])).toEqual(["scheduled"]);
    expect(told).toHaveLength(1);
    await run(at(s3));
    expect(await states([id])).toEqual(["published"]);
  });

  test("one wrong byte, once, is not even noticed", async () => {
    const s3 = await start();
    const id = await schedule(s3);
    let asked = 0;
    const front = await startCutting(async () => {
      asked += 1;
      return new Response(new Uint8Array(LARGE).fill(asked === 1 ? 8 : 7));
    });
    servers.push(front);
    await run(at({ ...s3, endpoint: front.origin }));
    // Read twice, then read by the recorder itself.
    expect([await states([id]), asked]).toEqual([["published"], 3]);
  });

  test("a worker that looks into another bucket, or into none, says so and waits", async () => {
    const s3 = await start();
    const other = await start("other");
    const id = await schedule(s3);
    await run(at(other));
    expect(await stage.detail(id)).toMatchObject({
      state: "scheduled",
      code: "BUCKET_MISSING",
      message: `a media file of this post is not in ${other.endpoint}/other, and was put into ${s3.endpoint}/media`,
    });
    await run(undefined);
    expect(await stage.detail(id)).toMatchObject({
      state: "scheduled",
      message: `a media file of this post is in ${s3.endpoint}/media, and this hub has no bucket`,
    });
    // As a psn wrote it for which CONFIG_INVALID meant this too.
    await asOwner(stage.db, "UPDATE psn.deliveries SET code = 'CONFIG_INVALID'");
    expect(await stage.detail(id)).toMatchObject({ state: "scheduled", code: "CONFIG_INVALID" });
    await run(at(s3));
    expect(await states([id])).toEqual(["published"]);
  });

  test("an object that is gone, by the right bucket's own word, ends the post and says so", async () => {
    const s3 = await start();
    const id = await schedule(s3);
    for (const key of await s3.objects()) await at(s3).remove(key);
    await run(at(s3));
    expect(await stage.detail(id)).toMatchObject({
      state: "failed",
      code: "MEDIA_GONE",
      message: "a media file of this post is missing from the bucket",
    });
  });

  test("an object that somebody has changed ends the post and says so", async () => {
    const s3 = await start();
    const id = await schedule(s3);
    for (const key of await s3.objects())
      await at(s3).put(key, { bytes: Buffer.from("another picture"), mime: "image/png" });
    await run(at(s3));
    expect(await stage.detail(id)).toMatchObject({ state: "failed", code: "MEDIA_GONE" });
  });

  test("a row that names another user's object is served nothing of it", async () => {
    const s3 = await start();
    const id = await schedule(s3);
    await asOwner(stage.db, "UPDATE psn.media SET object_key = $1", ["psn/0199c0de-0000-7000-8000-00000000dead/x"]);
    await at(s3).put("psn/0199c0de-0000-7000-8000-00000000dead/x", { bytes: large().content, mime: "image/png" });
    await run(at(s3));
    expect(await stage.detail(id)).toMatchObject({ state: "failed", code: "MEDIA_GONE" });
  });
});

test("a running worker lets what waits go on as soon as it has gone on with one", async () => {
  const account = await stage.connect("chosen");
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) ids.push(...(await stage.post(account, { media: [picture()] })));
  breaks.where = "prepare";
  breaks.error = new PsnError("VENDOR_AUTH", "the key may not read");
  while ((await stage.run({ world })).length > 0);
  breaks.where = undefined;
  await asOwner(stage.db, "UPDATE psn.deliveries SET wake_at = now() + interval '10 minutes'");
  const stop = new AbortController();
  const working = runWorker({ world, name: "worker", version: "0", stop: stop.signal });
  await asOwner(stage.db, "UPDATE psn.deliveries SET wake_at = now() WHERE id = $1", [ids[0]]);
  await until("all are out", async () => (await states(ids)).every((state) => state === "published"), 30_000);
  stop.abort();
  await working;
});
