import type { MediaType } from "@psn/core/types/post.ts";
import { cleanAvif } from "./avif.ts";
import { cleanGif } from "./gif.ts";
import { cleanJpeg } from "./jpeg.ts";
import { cleanWebm } from "./matroska.ts";
import { cleanMovie } from "./movie.ts";
import { cleanPdf } from "./pdf.ts";
import { cleanPng } from "./png.ts";
import type { Cleaned } from "./taken.ts";
import { cleanWebp } from "./webp.ts";

/*
 * Where a photograph was taken stays at home. A file is cleaned byte by byte and never decoded: pixels, sound,
 * orientation, colour profile and animation stay as they are. There is no library that does it for all these kinds
 * without decoding, and none for one of them that keeps orientation and profile.
 */

const READERS: Readonly<Record<MediaType, (bytes: Uint8Array) => Cleaned | undefined>> = {
  "image/jpeg": cleanJpeg,
  "image/png": cleanPng,
  "image/webp": cleanWebp,
  "image/gif": cleanGif,
  "image/avif": cleanAvif,
  "video/mp4": cleanMovie,
  "video/quicktime": cleanMovie,
  "video/webm": cleanWebm,
  "application/pdf": cleanPdf,
};

/**
 * The same file without position, serial numbers, names and comments.
 *
 * @param mime found from the bytes.
 * @returns undefined for a file that cannot be followed (damaged, encrypted, or written in a way psn does not know). It
 * is for the caller to refuse it: passed on as it is, it would break the promise without a word.
 */
export function withoutMetadata(bytes: Uint8Array, mime: MediaType): Cleaned | undefined {
  try {
    return READERS[mime](bytes);
  } catch (error) {
    // A table that points out of the file.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
