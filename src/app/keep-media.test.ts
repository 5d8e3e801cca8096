import { PsnError } from "@psn/core/errors.ts";
import type { Bucket } from "@psn/core/ports/outside.ts";
import { expect, test } from "vitest";
import { linkerOf, type Shelf } from "./keep-media.ts";

const USER = "0199c0de-0000-7000-8000-000000000001";
const KEY = `psn/${USER}/a`;
const FILE = { id: "a", bytes: 3 };

const bucketAt = (address: string, holds: boolean): Bucket => ({
  address,
  put: async () => undefined,
  get: async () => (holds ? new Uint8Array(3) : undefined),
  link: (key, seconds) => `${address}/${key}?${seconds}`,
  remove: async () => undefined,
  list: async () => [],
  check: async () => undefined,
});
const shelf = (bucket: Bucket, putInto: string | null): Shelf => ({
  bucket,
  stores: { posts: { findMedia: async () => ({ objectKey: KEY, bucket: putInto, sha256: "" }) } },
});
const linkOf = async (bucket: Bucket, putInto: string | null) =>
  (await linkerOf(shelf(bucket, putInto), { bucket, userId: USER, ...FILE }))(60);

test("a link leads into the bucket into which the file was put, and psn does not read the file for it", async () => {
  const bucket = bucketAt("https://s3.example/mine", false);
  expect(await linkOf(bucket, bucket.address)).toBe(`https://s3.example/mine/${KEY}?60`);
});

test.each([["https://s3.example/mine"], [null]])(
  "a bucket without the file gives no link to it (put into %s)",
  async (putInto) => {
    await expect(linkOf(bucketAt("https://s3.example/foreign", false), putInto)).rejects.toThrow(
      expect.objectContaining({
        code: "BUCKET_MISSING",
        message: expect.stringContaining("is not in https://s3.example/foreign"),
      }),
    );
  },
);

test("a bucket into which the files were copied gives links to them", async () => {
  const bucket = bucketAt("https://s3.example/new", true);
  expect(await linkOf(bucket, "https://s3.example/old")).toBe(`https://s3.example/new/${KEY}?60`);
});

test("a bucket that is away gives no link to a file that was put into another", async () => {
  const away = new PsnError("VENDOR_UNREACHABLE", "the bucket's service does not answer");
  const bucket: Bucket = { ...bucketAt("https://s3.example/new", true), get: () => Promise.reject(away) };
  await expect(linkOf(bucket, "https://s3.example/old")).rejects.toThrow(away);
});
