import type { Bucket } from "@psn/core/ports/outside.ts";
import { expect, test } from "vitest";
import { sweepBucket } from "./sweep-bucket.ts";

const USER = "0199c0de-0000-7000-8000-000000000001";
const DAY_MS = 24 * 3_600_000;

test("the sweep looks at what the hub put there under its earlier keys too, and at nothing else", async () => {
  const keys = ["aaaaaaaaaa-1", "bbbbbbbbbb-2", "cccccccccc-3", "dddddddddd-4"].map((name) => `psn/${USER}/${name}`);
  const left = new Set(keys);
  const bucket: Bucket = {
    address: "https://s3.example/media",
    put: async () => undefined,
    get: async () => undefined,
    link: () => "",
    remove: async (key) => void left.delete(key),
    list: async (folder) => keys.filter((key) => key.startsWith(folder)).map((key) => ({ key, ageMs: 2 * DAY_MS })),
    check: async () => undefined,
  };
  // The third is named by a row.
  const upkeep = {
    users: async () => [USER],
    unnamed: async (names: readonly string[]) => names.filter((name) => name !== keys[2]),
  };
  const swept = { bucket, objectMark: "aaaaaaaaaa-", formerMarks: ["bbbbbbbbbb-", "cccccccccc-"], stores: { upkeep } };
  expect(await sweepBucket(swept, () => undefined)).toBe(2);
  expect([...left]).toEqual(keys.slice(2));
});
