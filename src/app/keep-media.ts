import { PsnError } from "@psn/core/errors.ts";
import type { Bucket } from "@psn/core/ports/outside.ts";
import type { NewMedia, NewPostMedia, Posts, StoredMedia } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { MediaInfo } from "@psn/core/types/post.ts";

/** What every key of a user's objects begins with. */
export const objectPrefix = (userId: string): string => `psn/${userId}/`;

/** Where there is a bucket, rows hold no more than this, in bytes: the database of a free plan is small. */
const ROW_HOLDS_BESIDE_BUCKET = 256 * 1024;

/**
 * Puts each file where it belongs: small ones into their row, large ones and those that a platform must fetch
 * (`linked`) into the bucket. What nobody points to when the post is not written, or `signal` is aborted before, is
 * taken back. False when `write` says that nothing was. Throws MEDIA_INVALID for what no row can hold where there is no
 * bucket, and VENDOR_….
 */
export async function keepMedia(
  world: World,
  {
    userId,
    files,
    linked,
    write,
    signal,
  }: {
    readonly userId: string;
    readonly files: readonly NewMedia[];
    readonly linked: ReadonlySet<string>;
    readonly write: (media: NewPostMedia) => Promise<boolean>;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<boolean> {
  const { bucket, objectMark = "", rowHolds: most = Number.POSITIVE_INFINITY } = world;
  const rowHolds = bucket ? Math.min(most, ROW_HOLDS_BESIDE_BUCKET) : most;
  const tooLarge = bucket ? undefined : files.find(({ bytes }) => bytes > rowHolds);
  if (tooLarge)
    throw new PsnError(
      "MEDIA_INVALID",
      `a file has ${megabytes(tooLarge.bytes)} MB, and this hub's database accepts at most ${megabytes(rowHolds)} MB`,
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
        const objectKey = `${objectPrefix(userId)}${objectMark}${info.id}`;
        put.push(objectKey);
        await bucket.put(objectKey, { bytes: content, mime: info.mime, signal });
        kept.push({ ...info, objectKey, bucket: bucket.address });
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

/** Where a file can be. */
export interface Shelf extends Pick<World, "bucket"> {
  readonly stores: { readonly posts: Pick<Posts, "findMedia"> };
}

/**
 * A file's bytes, from wherever they are, and exactly those that were kept. Throws MEDIA_GONE where it is certain that
 * nobody has them any more, BUCKET_MISSING where they may be in a bucket that this process does not look into,
 * VENDOR_…, DB_….
 */
export async function openMedia(
  world: Shelf,
  userId: string,
  { id, bytes }: Pick<MediaInfo, "id" | "bytes">,
): Promise<Uint8Array<ArrayBuffer>> {
  return contentOf(world, await findMedia(world, userId, id), bytes);
}

async function contentOf(
  { bucket }: Pick<Shelf, "bucket">,
  found: StoredMedia,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if ("content" in found) return found.content.slice();
  if (!bucket)
    throw new PsnError(
      "BUCKET_MISSING",
      `a media file of this post is in ${found.bucket ?? "a bucket"}, and this hub has no bucket`,
      {
        hint: "psn config set S3_BUCKET",
      },
    );
  const content = await bucket.get(found.objectKey, found.sha256, bytes);
  if (content) return content.slice();
  // The right bucket says so itself.
  if (found.bucket === bucket.address)
    throw new PsnError("MEDIA_GONE", "a media file of this post is missing from the bucket");
  const put = found.bucket === null ? "" : `, and was put into ${found.bucket}`;
  throw new PsnError("BUCKET_MISSING", `a media file of this post is not in ${bucket.address}${put}`, {
    hint: "psn config set S3_ENDPOINT and S3_BUCKET, and unset them in the shell that runs psn",
  });
}

/**
 * An address under which anybody can fetch a file for so many seconds. Throws MEDIA_INVALID for a file that is not in
 * the bucket.
 */
export type Linker = (seconds: number) => string;

/**
 * Both at once: a file's bytes, and links to it where the hub has a bucket. Asks the database once. Throws what
 * `openMedia` throws.
 */
export async function readyMedia(
  world: Shelf,
  userId: string,
  { id, bytes }: Pick<MediaInfo, "id" | "bytes">,
): Promise<{ readonly content: Uint8Array<ArrayBuffer>; readonly linker?: Linker }> {
  const { bucket } = world;
  const found = await findMedia(world, userId, id);
  const content = await contentOf({ bucket }, found, bytes);
  return { content, ...defined({ linker: bucket ? linkerTo(bucket, found) : undefined }) };
}

/**
 * What makes links to a file that is not read for it; everything slow is done when it resolves. A bucket other than the
 * one into which the file was put must have it. Throws MEDIA_GONE, DB_…, and what `openMedia` throws.
 */
export async function linkerOf(
  world: Shelf,
  { bucket, userId, id, bytes }: { readonly bucket: Bucket; readonly userId: string } & Pick<MediaInfo, "id" | "bytes">,
): Promise<Linker> {
  const found = await findMedia(world, userId, id);
  if ("objectKey" in found && found.bucket !== bucket.address) await contentOf({ bucket }, found, bytes);
  return linkerTo(bucket, found);
}

function linkerTo(bucket: Bucket, found: StoredMedia): Linker {
  return (seconds) => {
    if ("objectKey" in found) return bucket.link(found.objectKey, seconds);
    throw new PsnError("MEDIA_INVALID", "a media file of this post is not in the bucket", {
      hint: "post it again, now that the hub has a bucket",
    });
  };
}

async function findMedia({ stores }: Shelf, userId: string, mediaId: string): Promise<StoredMedia> {
  const found = await stores.posts.findMedia(userId, mediaId);
  // Somebody who may write rows could name another's object.
  const foreign = found !== undefined && "objectKey" in found && !found.objectKey.startsWith(objectPrefix(userId));
  if (!found || foreign) throw new PsnError("MEDIA_GONE", "a media file of this post is missing from the hub");
  return found;
}

const megabytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
