import { realpath } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import type { HubPlace } from "@psn/core/types/account.ts";

/*
 * Where a feed's folder is: seen from the hub where it lies inside it, so that a hub that is moved or copied takes its
 * feed along and never writes into the one of its original.
 */

/**
 * The folder as the account keeps it: `./public` inside of the hub, else its absolute path. The folder must be there.
 */
export async function homeOf(root: string, hub: HubPlace | undefined): Promise<string> {
  if (!hub) return root;
  const [real, realHub] = await Promise.all([realpath(root), realpath(hub.folder)]);
  return isInside(realHub, real) ? `./${relative(realHub, real).split(sep).join("/")}` : root;
}

/**
 * The folder now. An absolute path inside of a folder where the hub was before is meant inside of the hub. Throws
 * FILE_UNREADABLE.
 */
export function rootOf(home: string, hub: HubPlace | undefined): string {
  if (isAbsolute(home)) {
    if (!hub || isInside(hub.folder, home)) return home;
    const old = hub.before.find((folder) => isInside(folder, home));
    return old === undefined ? home : join(hub.folder, relative(old, home));
  }
  const root = resolve(hub?.folder ?? "", home);
  if (!hub || !isInside(hub.folder, root))
    throw new PsnError(
      "FILE_UNREADABLE",
      "the feed's folder should be inside the hub's folder, but it does not exist",
      {
        hint: "psn connect feed",
      },
    );
  return root;
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
