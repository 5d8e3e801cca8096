import { PsnError } from "@psn/core/errors.ts";
import type { MediaInfo } from "@psn/core/types/post.ts";
import type { Bucket } from "./ports/outside.ts";
import type { NewMedia, StoredMedia } from "./ports/posts.ts";
import type { World } from "./ports/world.ts";

/** What every key of a user's objects begins with. */
export const objectPrefix = (userId: string): string => `psn/${userId}/`;

/** Where there is a bucket, rows hold no more than this, in bytes: the database of a free plan is small. */
const ROW_HOLDS_BESIDE_BUCKET = 256 * 1024;

/**
 * Puts each file where it belongs: small ones into their row, large ones and those that a platform must fetch (`linked`) into the bucket. What nobody points to when the post
 * is not written, or `signal` is aborted before, is taken back. False when `write` says that nothing was. Throws MEDIA_INVALID for what no row can hold where there is no bucket, and VENDOR_….
 */
export async function keepMedia(
  world: World,
  userId: string,
  files: readonly NewMedia[],
  linked: ReadonlySet<string>,
  write: (media: readonly (MediaInfo & StoredMedia)[]) => Promise<boolean>,
  signal?: AbortSignal,
): Promise<boolean> {
  const { bucket, rowHolds: most = Number.POSITIVE_INFINITY } = world;
  const rowHolds = bucket ? Math.min(most, ROW_HOLDS_BESIDE_BUCKET) : most;
  const tooLarge = bucket ? undefined : files.find(({ bytes }) => bytes > rowHolds);
  if (tooLarge)
    throw new PsnError(
      "MEDIA_INVALID",
      `a file of ${megabytes(tooLarge.bytes)} MB does not fit into this hub's database, which takes ${megabytes(rowHolds)} MB`,
      {
        hint: "make the file smaller, or give the hub a bucket: psn config set S3_BUCKET",
      },
    );
  const put: string[] = [];
  let written = false;
  let mayBeWritten = false;
  try {
    const kept: (MediaInfo & StoredMedia)[] = [];
    for (const { content, ...info } of files) {
      if (!bucket || (info.bytes <= rowHolds && !linked.has(info.id))) kept.push({ ...info, content });
      else {
        const objectKey = `${objectPrefix(userId)}${info.id}`;
        put.push(objectKey);
        await bucket.put(objectKey, content, info.mime, signal);
        kept.push({ ...info, objectKey });
      }
    }
    written = await write(kept);
    return written;
  } catch (error) {
    mayBeWritten = error instanceof PsnError && error.code === "OUTCOME_UNKNOWN";
    throw error;
  } finally {
    // Best effort: an object without a row costs a little room and tells nobody anything.
    if (!written && !mayBeWritten) await Promise.allSettled(put.map((key) => bucket?.remove(key)));
  }
}

/** A file's bytes, from wherever they are, and exactly those that were kept. Throws FILE_UNREADABLE, VENDOR_…, DB_…. */
export async function openMedia(world: World, userId: string, mediaId: string): Promise<Uint8Array<ArrayBuffer>> {
  const found = await world.stores.posts.findMedia(userId, mediaId);
  if (!found) throw new PsnError("FILE_UNREADABLE", "a media file of this post is gone from the hub");
  if ("content" in found) return found.content.slice();
  if (!world.bucket)
    throw new PsnError("FILE_UNREADABLE", "a media file of this post is in a bucket, and this hub has none here", {
      hint: "psn config set S3_BUCKET",
    });
  const bytes = await world.bucket.get(found.objectKey, found.sha256, found.bytes);
  if (!bytes) throw new PsnError("FILE_UNREADABLE", "a media file of this post is gone from the bucket");
  return bytes.slice();
}

/** An address under which anybody can fetch this file for so many seconds. Throws FILE_UNREADABLE, CONFIG_INVALID, DB_…. */
export async function linkMedia(world: World, bucket: Bucket, userId: string, mediaId: string, seconds: number): Promise<string> {
  const found = await world.stores.posts.findMedia(userId, mediaId);
  if (!found) throw new PsnError("FILE_UNREADABLE", "a media file of this post is gone from the hub");
  if ("objectKey" in found) return bucket.link(found.objectKey, seconds);
  throw new PsnError("FILE_UNREADABLE", "a media file of this post is not in the bucket", {
    hint: "post it again, now that the hub has a bucket",
  });
}

const megabytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
