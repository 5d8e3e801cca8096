import { PsnError } from "@psn/core/errors.ts";
import type { Bucket } from "@psn/core/ports/outside.ts";
import type { SpentMedia } from "@psn/core/ports/upkeep.ts";
import { defined } from "@psn/core/types/defined.ts";
import { expect, test } from "vitest";
import { pruneHub } from "./prune-hub.ts";

const USER = "0199c0de-0000-7000-8000-000000000001";
const objects = (count: number, name: string): SpentMedia[] =>
  Array.from({ length: count }, (_, n) => ({
    mediaId: `${name}-${n}`,
    userId: USER,
    objectKey: `psn/${USER}/${name}-${n}`,
  }));
const inRows = (count: number): SpentMedia[] =>
  Array.from({ length: count }, (_, n) => ({ mediaId: `row-${n}`, userId: USER, objectKey: null }));

/** A hub whose database gives these media in this order, each time. */
function hub(media: readonly SpentMedia[], bucket?: Bucket) {
  const left = new Map(media.map((one) => [one.mediaId, one]));
  let seed = 1;
  const upkeep = {
    dropEndedSecrets: async () => 0,
    forgetTroubles: async () => 0,
    spentMedia: async (_: number, most: number) => [...left.values()].slice(0, most),
    dropMedia: async (_: string, ids: readonly string[]) => {
      for (const id of ids) left.delete(id);
    },
    dropWorkers: async () => 0,
  };
  // Park and Miller's generator: the same numbers at each run of the test.
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  return { left, world: { random, stores: { upkeep }, ...defined({ bucket }) } };
}

const lockedBucket = (asked: string[]): Bucket => ({
  address: "https://s3.example/media",
  put: async () => undefined,
  get: async () => undefined,
  link: () => "",
  remove: async (key) => {
    asked.push(key);
    if (key.includes("locked")) throw new PsnError("VENDOR_AUTH", "the bucket's key may not delete");
  },
  list: async () => [],
  check: async () => undefined,
});

test("files in a bucket that the hub has no more keep no others from being dropped", async () => {
  const { left, world } = hub([...objects(500, "old"), ...inRows(3)]);
  expect(await pruneHub(world, () => undefined)).toMatchObject({ media: 3 });
  expect(left.size).toBe(500);
});

test("files in rows go before those whose objects cannot be removed", async () => {
  const { left, world } = hub([...objects(500, "locked"), ...inRows(3)], lockedBucket([]));
  await pruneHub(world, () => undefined);
  expect(left.size).toBe(500);
});

test("objects that can never be removed do not keep others, and are not all tried each time", async () => {
  const asked: string[] = [];
  const { left, world } = hub([...objects(500, "locked"), ...objects(20, "free")], lockedBucket(asked));
  for (let hour = 0; hour < 24 && left.size > 500; hour += 1) {
    asked.length = 0;
    await pruneHub(world, () => undefined).catch(() => undefined);
    expect(asked.length).toBeLessThanOrEqual(220);
  }
  expect(left.size).toBe(500);
});

test("settings that name half a bucket keep no files in rows from being dropped, and are told", async () => {
  const { left, world } = hub([...objects(1, "old"), ...inRows(3)]);
  const half = {
    ...world,
    get bucket(): Bucket {
      throw new PsnError("CONFIG_INVALID", "S3_ENDPOINT is missing");
    },
  };
  const told: string[] = [];
  expect(await pruneHub(half, ({ code }) => told.push(code))).toMatchObject({ media: 3 });
  expect([left.size, told]).toEqual([1, ["CONFIG_INVALID"]]);
});

test("one run drops no more than it did, and the next goes on", async () => {
  const { left, world } = hub(inRows(450));
  for (const rest of [250, 50, 0]) {
    await pruneHub(world, () => undefined);
    expect(left.size).toBe(rest);
  }
});
