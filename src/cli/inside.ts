import { realpath } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { PsnError } from "@psn/core/errors.ts";

/**
 * Throws MEDIA_OUTSIDE where media that a draft names lie outside of the folder its file lies in: by an absolute path,
 * by `..`, or by a link. A text file that somebody else wrote would publish this user's pictures otherwise. What is
 * named on the command line is the user's own.
 */
export async function assertInside(media: readonly string[], folder: string, file: string): Promise<void> {
  const root = await realpath(folder);
  for (const named of new Set(media)) {
    const path = resolve(folder, named);
    const real = await realpath(path).catch(() => undefined);
    // One that is not there is looked at by its name alone; readMedia says that it is not there.
    if (real === undefined ? within(folder, path) || within(root, path) : within(root, real)) continue;
    throw new PsnError("MEDIA_OUTSIDE", `${file}: the media file ${named} is outside of the folder of ${file}`, {
      hint: "copy it into that folder; or, if you wrote the file or have read it: --allow-outside",
    });
  }
}

function within(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
