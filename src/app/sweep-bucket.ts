import { type PsnError, toPsnError } from "@psn/core/errors.ts";
import type { ListedObject } from "@psn/core/ports/outside.ts";
import type { Upkeep } from "@psn/core/ports/upkeep.ts";
import type { World } from "@psn/core/ports/world.ts";
import { objectPrefix } from "./keep-media.ts";

/**
 * An upload and the row that names it are minutes apart at most; what no row names a day after it was written, nobody
 * will name. In milliseconds.
 */
const LEFT_BEHIND_MS = 24 * 3_600_000;
/** What the sweep needs of the world. */
export interface Swept extends Pick<World, "bucket" | "objectMark" | "formerMarks"> {
  readonly stores: { readonly upkeep: Pick<Upkeep, "users" | "unnamed"> };
}

/** Names that one statement is asked about. */
const TOGETHER = 500;

/**
 * Removes from the bucket what no row names: an upload that ended after psn had taken it back, an object of a process
 * that was killed before it wrote the row. Looks at what this hub has put into the folders of its users, and at nothing
 * else: hubs may share a bucket, and users. Trouble with one folder or object is told and stops no other. Returns how
 * many are gone. Throws DB_….
 */
export async function sweepBucket(
  { bucket, stores, objectMark = "", formerMarks = [] }: Swept,
  onTrouble: (error: PsnError) => void,
): Promise<number> {
  if (!bucket) return 0;
  const { upkeep } = stores;
  let gone = 0;
  for (const userId of await upkeep.users()) {
    const trouble = (error: unknown) => {
      onTrouble(toPsnError(error));
      return [];
    };
    // The list first: what is named later is younger than a day, or was named all the time.
    const listed: ListedObject[] = [];
    for (const mark of new Set([objectMark, ...formerMarks]))
      listed.push(...(await bucket.list(`${objectPrefix(userId)}${mark}`).catch(trouble)));
    const old = listed.filter(({ ageMs }) => ageMs > LEFT_BEHIND_MS).map(({ key }) => key);
    for (let at = 0; at < old.length; at += TOGETHER) {
      for (const key of await upkeep.unnamed(old.slice(at, at + TOGETHER))) {
        const isGone = await bucket.remove(key).then(() => true, trouble);
        if (isGone === true) gone += 1;
      }
    }
  }
  return gone;
}
