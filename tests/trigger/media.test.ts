import { createHash, randomBytes } from "node:crypto";
import { changeDeliveries } from "@psn/app/change-deliveries.ts";
import { pruneHub } from "@psn/app/prune-hub.ts";
import { type DraftPost, schedulePost } from "@psn/app/schedule-post.ts";
import { sweepBucket } from "@psn/app/sweep-bucket.ts";
import { wakeDelivery } from "@psn/app/wake-delivery.ts";
import { type BucketSettings, openBucket } from "@psn/core/bucket/index.ts";
import { type ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { runDelivery } from "@psn/trigger/delivery.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { recorder } from "../engine/recorder.ts";
import { asOwner } from "../support/databases.ts";
import { type S3, startS3 } from "../support/s3.ts";
import { thrown } from "../support/thrown.ts";
import { newKey } from "../support/world.ts";
import { openTaskStage, type TaskStage } from "./stage.ts";

/*
 * Media for tasks: small ones in their rows, large ones in a bucket on a real S3 server, never a file of this machine.
 */

const SMALL = 10_000;
const LARGE = 300_000;
/** What the platform read, in order. */
const seen: { readonly sha256: string; readonly alt: string | undefined }[] = [];
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const base = recorder("chosen", { duplicates: "client-id" });
const reading: Platform = {
  ...base,
  prepare: async ({ media }) => {
    const read: { readonly sha256: string; readonly alt: string | undefined }[] = [];
    for (const one of media)
      read.push({ sha256: sha256(new Uint8Array(await (await one.open()).arrayBuffer())), alt: one.alt });
    seen.push(...read);
    return { status: "prepared", prepared: read.length };
  },
};

let s3: S3;
let stage: TaskStage;
let account: Account;
let world: World;
const settings = (more: Partial<BucketSettings> = {}): BucketSettings => ({ ...s3, region: "auto", ...more });
const QUICK = { requestMs: 5_000, bytesPerMs: 100, pausesMs: [10] };

beforeAll(async () => {
  s3 = await startS3({ bucket: "media" });
});
afterAll(() => s3.stop());
beforeEach(async () => {
  seen.length = 0;
  for (const key of await s3.objects()) await openBucket(settings(), QUICK).remove(key);
  stage = await openTaskStage({ platforms: [reading] });
  account = await stage.connect("chosen");
  world = { ...stage.world, bucket: openBucket(settings(), QUICK), rowHolds: 4 * 1024 * 1024 };
  return () => stage.close();
});

function file(bytes: number, alt: string): NewMedia {
  const content = new Uint8Array(randomBytes(bytes));
  return {
    id: Bun.randomUUIDv7(),
    kind: "image",
    mime: "image/png",
    bytes,
    width: 1,
    height: 1,
    alt,
    sha256: sha256(content),
    content,
  };
}

async function schedule(media: readonly NewMedia[], as = world, key: string | null = null): Promise<string> {
  const draft: DraftPost = { parts: [{ text: "look", media }], overrides: {}, split: false, numbered: false };
  const due = { at: new Date(Date.now() - 1000), wallTime: null, timeZone: null };
  const { postId } = await schedulePost(as, {
    userId: stage.userId,
    draft,
    accounts: [account],
    due,
    idempotencyKey: key,
  });
  return (await as.stores.posts.ofPost(stage.userId, postId))[0]?.id ?? "";
}

const wake = (deliveryId: string, as = world) =>
  wakeDelivery({ world: as, deliveryId, userId: stage.userId, worker: as.newId(), onTrouble: () => undefined });
const rows = () =>
  asOwner<{ bytes: number; inRow: number | null; key: string | null }>(
    stage.db,
    `SELECT bytes, length(content) AS "inRow", object_key AS key FROM psn.media ORDER BY bytes`,
  );
const codeOf = async (run: Promise<unknown>): Promise<ErrorCode> => {
  const error = await run.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (error instanceof PsnError) return error.code;
  throw error ?? new Error("nothing was thrown");
};

test("a large file is in the bucket, a small one in its row, and the task sends both as they were", async () => {
  const [large, small] = [file(LARGE, "the large one"), file(SMALL, "the small one")];
  const id = await schedule([large, small]);
  const key = `psn/${stage.userId}/${large.id}`;
  expect(await s3.objects()).toEqual([key]);
  expect(await rows()).toEqual([
    { bytes: SMALL, inRow: SMALL, key: null },
    { bytes: LARGE, inRow: null, key },
  ]);
  expect(await wake(id)).toMatchObject({ state: "published" });
  expect(seen).toEqual([
    { sha256: large.sha256, alt: "the large one" },
    { sha256: small.sha256, alt: "the small one" },
  ]);
});

test("an object that somebody changed is never published, and one that is gone neither", async () => {
  for (const harm of ["changed", "gone"] as const) {
    const large = file(LARGE, "mine");
    const id = await schedule([large]);
    const key = `psn/${stage.userId}/${large.id}`;
    const bucket = openBucket(settings(), QUICK);
    await (harm === "gone"
      ? bucket.remove(key)
      : bucket.put(key, { bytes: new Uint8Array(randomBytes(LARGE)), mime: "image/png" }));
    expect(await wake(id)).toMatchObject({ state: "failed", failure: { code: "MEDIA_GONE" } });
    expect(await stage.detail(id)).toMatchObject({ state: "failed", code: "MEDIA_GONE" });
  }
  expect([seen, stage.remote.posts]).toEqual([[], []]);
});

test("a bucket whose key is refused: the run is tried again, and the post goes out when it is mended", async () => {
  const id = await schedule([file(LARGE, "mine")]);
  const locked = { ...world, bucket: openBucket(settings({ secretAccessKey: "another" }), QUICK) };
  const run = runDelivery({ deliveryId: id, userId: stage.userId }, locked).catch((error: unknown) => error);
  // Not what aborts a run.
  expect(await run).toMatchObject({ name: "PsnError", code: "VENDOR_AUTH", retryAfterMs: expect.any(Number) });
  expect(await stage.detail(id)).toMatchObject({ state: "scheduled", code: "VENDOR_AUTH" });
  await stage.due();
  expect(await runDelivery({ deliveryId: id, userId: stage.userId }, world)).toMatchObject({ state: "published" });
});

test("a bucket that is down: tried again, and published once", async () => {
  const id = await schedule([file(LARGE, "mine")]);
  const down = { ...world, bucket: openBucket(settings({ endpoint: "http://127.0.0.1:9" }), QUICK) };
  expect(await wake(id, down)).toMatchObject({
    state: "scheduled",
    failure: { code: "VENDOR_UNREACHABLE", retry: "backoff" },
  });
  expect(stage.remote.posts).toEqual([]);
  await stage.due();
  expect(await wake(id)).toMatchObject({ state: "published" });
  expect(stage.remote.posts).toHaveLength(1);
});

describe("what cannot be kept", () => {
  test("a signal while a file goes to the bucket: no row is written, and no object stays behind", async () => {
    const stop = new AbortController();
    const { bucket } = world;
    if (!bucket) throw new Error("this world has a bucket");
    const stopped = Object.assign(new Error("stopped"), { name: "AbortError" });
    const stopping: World = {
      ...world,
      bucket: {
        ...bucket,
        put: async (key, { bytes, mime, signal }) => {
          await bucket.put(key, { bytes, mime, signal });
          stop.abort(stopped);
        },
      },
    };
    const draft: DraftPost = {
      parts: [{ text: "look", media: [file(LARGE, "one"), file(LARGE, "two")] }],
      overrides: {},
      split: false,
      numbered: false,
    };
    const due = { at: new Date(), wallTime: null, timeZone: null };
    const noReturn = () => stop.signal.throwIfAborted();
    await expect(
      schedulePost(stopping, {
        userId: stage.userId,
        draft,
        accounts: [account],
        due,
        idempotencyKey: null,
        signal: stop.signal,
        noReturn,
      }),
    ).rejects.toBe(stopped);
    expect(await rows()).toEqual([]);
    expect(await s3.objects()).toEqual([]);
  });

  test("the row is not written: no object stays behind", async () => {
    await schedule([file(SMALL, "first")], world, "monday");
    // Another command of the same key was faster, between the look and the write.
    const posts = { ...world.stores.posts, findByKey: async () => undefined };
    const racing = { ...world, stores: { ...world.stores, posts } };
    expect(await codeOf(schedule([file(LARGE, "second")], racing, "monday"))).toBe("DB_FAILED");
    const failing = {
      ...world,
      stores: {
        ...world.stores,
        posts: { ...posts, schedule: () => Promise.reject(new PsnError("DB_UNREACHABLE", "away")) },
      },
    };
    expect(await codeOf(schedule([file(LARGE, "third")], failing))).toBe("DB_UNREACHABLE");
    expect(await s3.objects()).toEqual([]);
  });

  test("the bucket refuses: no row is written, and the error names the fix", async () => {
    const wrong = { ...world, bucket: openBucket(settings({ secretAccessKey: "wrong" }), QUICK) };
    const error = await schedule([file(LARGE, "mine")], wrong).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "VENDOR_AUTH", hint: "psn config set S3_SECRET_ACCESS_KEY" });
    expect(await rows()).toEqual([]);
  });

  test("without a bucket a row holds what can travel over HTTP, both ways, and no more", async () => {
    const { bucket: _none, ...bare } = world;
    const most = file(4 * 1024 * 1024, "as large as can be");
    const id = await schedule([most], bare);
    expect(await wake(id, bare)).toMatchObject({ state: "published" });
    expect(seen).toEqual([{ sha256: most.sha256, alt: "as large as can be" }]);
    const error = await schedule([file(4 * 1024 * 1024 + 1, "too large")], bare).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "MEDIA_INVALID", hint: expect.stringContaining("S3_BUCKET") });
    expect(await rows()).toHaveLength(1);
  });

  test("half a bucket in the settings is named", () => {
    const env = {
      DATABASE_URL: "postgres://a:b@c/d",
      HUB_ENCRYPTION_KEY: newKey(),
      TRIGGER_SECRET_KEY: "tr_prod_x",
      S3_BUCKET: "media",
    };
    const error = thrown(() => openWorld({ ...env, S3_ENDPOINT: s3.endpoint }));
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("S3_ACCESS_KEY_ID"),
      hint: "psn config set S3_ACCESS_KEY_ID",
    });
    expect(
      openWorld({ ...env, ...{ S3_ENDPOINT: s3.endpoint, S3_ACCESS_KEY_ID: "a", S3_SECRET_ACCESS_KEY: "b" } }).world
        .bucket,
    ).toBeDefined();
  });
});

describe("prune", () => {
  const age = (id: string, days: number) =>
    asOwner(stage.db, `UPDATE psn.deliveries SET updated_at = now() - $2 * interval '1 day' WHERE id = $1`, [id, days]);

  test("drops media a month after everything has ended, well or not, and nothing else", async () => {
    const old = await schedule([file(LARGE, "old"), file(SMALL, "old")]);
    const young = await schedule([file(LARGE, "young")]);
    const failed = await schedule([file(LARGE, "failed")]);
    const waiting = await schedule([file(LARGE, "waiting")]);
    for (const id of [old, young]) await wake(id);
    await asOwner(stage.db, "UPDATE psn.deliveries SET state = 'failed' WHERE id = $1", [failed]);
    for (const [id, days] of [
      [old, 31],
      [young, 29],
      [failed, 90],
      [waiting, 90],
    ] as const)
      await age(id, days);
    expect(await pruneHub(world, () => undefined)).toMatchObject({ media: 3 });
    expect(await s3.objects()).toHaveLength(2);
    expect((await rows()).filter(({ inRow, key }) => inRow === null && key === null)).toHaveLength(3);
    expect(await pruneHub(world, () => undefined)).toMatchObject({ media: 0 });
    expect(await stage.detail(old)).toMatchObject({ state: "published", text: "look" });
  });

  test("a row that names another's object loses the name, and the object stays", async () => {
    const id = await schedule([file(LARGE, "mine")]);
    await wake(id);
    await age(id, 40);
    const foreign = "psn/01930b1e-7c00-7000-8000-000000000000/theirs";
    const bucket = openBucket(settings(), QUICK);
    await bucket.put(foreign, { bytes: new Uint8Array(10), mime: "image/png" });
    await asOwner(stage.db, "UPDATE psn.media SET object_key = $1 WHERE object_key IS NOT NULL", [foreign]);
    expect(await pruneHub(world, () => undefined)).toMatchObject({ media: 1 });
    expect(await s3.objects()).toContain(foreign);
    expect(await pruneHub(world, () => undefined)).toMatchObject({ media: 0 });
  });

  test("a bucket that fails for one object keeps its row for the next time", async () => {
    const ids = [await schedule([file(LARGE, "a")]), await schedule([file(LARGE, "b")])];
    for (const id of ids) {
      await wake(id);
      await age(id, 40);
    }
    const bucket = openBucket(settings(), QUICK);
    let first = true;
    const flaky: World = {
      ...world,
      bucket: {
        ...bucket,
        remove: async (key) => {
          if (first) {
            first = false;
            throw new PsnError("VENDOR_UNREACHABLE", "away");
          }
          await bucket.remove(key);
        },
      },
    };
    const troubles: string[] = [];
    expect(await pruneHub(flaky, ({ code }) => troubles.push(code))).toMatchObject({ media: 1 });
    expect(troubles).toEqual(["VENDOR_UNREACHABLE"]);
    expect(await pruneHub(flaky, () => undefined)).toMatchObject({ media: 1 });
    expect(await s3.objects()).toEqual([]);
  });

  test("what was cancelled and pruned cannot go out any more, and says why", async () => {
    const id = await schedule([file(LARGE, "mine")]);
    await changeDeliveries(world, { userId: stage.userId, id, change: { to: "cancel" }, dryRun: false });
    await age(id, 40);
    await pruneHub(world, () => undefined);
    await changeDeliveries(world, { userId: stage.userId, id, change: { to: "retry" }, dryRun: false });
    expect(await wake(id)).toMatchObject({
      state: "failed",
      failure: { code: "MEDIA_GONE", message: expect.stringContaining("missing from the hub") },
    });
  });
});

describe("sweep", () => {
  const DAY = 24 * 3_600_000;
  const put = (key: string) => openBucket(settings(), QUICK).put(key, { bytes: Buffer.from("x"), mime: "image/png" });

  test("removes what no row names and is a day old, of this hub's users and nobody else's", async () => {
    await schedule([file(LARGE, "named")]);
    const [named = ""] = await s3.objects();
    const mine = `psn/${stage.userId}/`;
    const others = ["psn/0199c0de-0000-7000-8000-0000000000ff/theirs", "psn/another-hub/theirs"];
    for (const key of [`${mine}old`, `${mine}young`, ...others]) await put(key);
    for (const key of [named, `${mine}old`, ...others]) await s3.age(key, 2 * DAY);
    await s3.age(`${mine}young`, DAY - 60_000);
    const troubles: string[] = [];
    expect(await sweepBucket(world, ({ code }) => troubles.push(code))).toBe(1);
    expect(await s3.objects()).toEqual([named, `${mine}young`, ...others].toSorted());
    expect(troubles).toEqual([]);
    expect(await sweepBucket(world, () => undefined)).toBe(0);
  });

  test("leaves what another hub with the same users has put there", async () => {
    const keys = ["aaaaaaaaaa-1", "bbbbbbbbbb-2"].map((name) => `psn/${stage.userId}/${name}`);
    for (const key of keys) {
      await put(key);
      await s3.age(key, 2 * DAY);
    }
    expect(await sweepBucket({ ...world, objectMark: "aaaaaaaaaa-" }, () => undefined)).toBe(1);
    expect(await s3.objects()).toEqual(keys.slice(1));
  });

  test("a machine whose clock is days ahead removes nothing that is young", async () => {
    await put(`psn/${stage.userId}/young`);
    const bucket = openBucket(settings(), QUICK, () => new Date(Date.now() + 600_000));
    const ahead: World = { ...world, bucket, now: () => new Date(Date.now() + 9 * DAY) };
    expect(await sweepBucket(ahead, () => undefined)).toBe(0);
    expect(await s3.objects()).toHaveLength(1);
  });

  test("a copy of a hub that nobody has judged removes nothing, neither left behind nor spent", async () => {
    const id = await schedule([file(LARGE, "mine")]);
    await wake(id);
    await asOwner(stage.db, "UPDATE psn.deliveries SET updated_at = now() - interval '40 days'");
    const [key = ""] = await s3.objects();
    await put(`psn/${stage.userId}/old`);
    for (const one of [key, `psn/${stage.userId}/old`]) await s3.age(one, 2 * DAY);
    await stage.world.stores.incarnation.become(Bun.randomUUIDv7());
    await stage.world.stores.incarnation.part("copied", Bun.randomUUIDv7());
    expect(await sweepBucket(world, () => undefined)).toBe(0);
    expect(await pruneHub(world, () => undefined)).toMatchObject({ media: 0 });
    expect(await s3.objects()).toHaveLength(2);
  });

  test("a key that may not list is told, and stops nothing", async () => {
    const bucket = {
      ...openBucket(settings(), QUICK),
      list: () => Promise.reject(new PsnError("VENDOR_AUTH", "may not list")),
    };
    const troubles: string[] = [];
    expect(await sweepBucket({ ...world, bucket }, ({ code }) => troubles.push(code))).toBe(0);
    expect(troubles).toEqual(["VENDOR_AUTH"]);
  });
});
