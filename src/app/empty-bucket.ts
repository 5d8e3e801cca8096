import type { Bucket } from "@psn/core/ports/outside.ts";
import type { World } from "@psn/core/ports/world.ts";
import { objectPrefix } from "./keep-media.ts";

export interface BucketGround {
  readonly bucket: Bucket;
  /** What the names of this hub's objects begin with, under its key and under earlier ones. */
  readonly marks: readonly string[];
  /** The hub's database is a copy of another one, or a restored one. Throws DB_…. */
  readonly isCopy: () => Promise<boolean>;
  readonly users: () => Promise<readonly string[]>;
  readonly accounts: World["stores"]["accounts"];
  /** The account's health reason where its hub was moved. */
  readonly movedReason: string;
}

/** How many files went, and how many of the same users are another hub's; or why all were left. */
export type Emptied = { readonly removed: number; readonly others: number } | { readonly left: string };

const REMOVED_TOGETHER = 8;

/**
 * Removes the objects of a hub's users. A copy of a hub leaves them: its original has the same. Throws VENDOR_…, DB_….
 */
export async function emptyBucket({
  bucket,
  marks,
  isCopy,
  users,
  accounts,
  movedReason,
}: BucketGround): Promise<Emptied> {
  if (await isCopy()) return { left: "this hub is a copy, and its original may use the same files" };
  let removed = 0;
  let others = 0;
  for (const userId of await users()) {
    if ((await accounts.list(userId)).some(({ healthReason }) => healthReason === movedReason))
      return { left: "this hub was moved, and the hub at its new place uses the same files" };
    const folder = objectPrefix(userId);
    // What has another mark is of a hub that this one was imported from, or that was imported from this one; an older
    // psn had no marks.
    const isOwn = (name: string) => marks.some((mark) => name.startsWith(mark)) || !/^[0-9a-f]{10}-/.test(name);
    const all = (await bucket.list(folder)).map(({ key }) => key);
    const keys = all.filter((key) => isOwn(key.slice(folder.length)));
    others += all.length - keys.length;
    while (keys.length > 0) {
      const some = keys.splice(0, REMOVED_TOGETHER);
      await Promise.all(some.map((key) => bucket.remove(key)));
      removed += some.length;
    }
  }
  return { removed, others };
}
