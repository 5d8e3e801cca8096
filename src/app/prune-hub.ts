import type { PsnError } from "@psn/core/errors.ts";
import { toPsnError } from "@psn/core/errors.ts";
import type { Bucket } from "@psn/core/ports/outside.ts";
import type { SpentMedia, Upkeep } from "@psn/core/ports/upkeep.ts";
import type { World } from "@psn/core/ports/world.ts";
import { objectPrefix } from "./keep-media.ts";

/** How long media are kept after the last delivery of their post has ended, well or not, in milliseconds. */
const KEEP_MEDIA_MS = 30 * 24 * 3_600_000;
/** After this a silent worker is only a name, in milliseconds. */
const KEEP_WORKERS_MS = 7 * 24 * 3_600_000;
/** Most media that one run drops, and most failures of the bucket after which it ends. */
const MOST = 200;
/** Media that one run chooses from: what cannot be dropped now must not stand before what can. */
const MOST_LOOKED_AT = 10_000;

/** What pruning needs of the world. */
export interface Pruned extends Pick<World, "bucket" | "random"> {
  readonly stores: {
    readonly upkeep: Pick<Upkeep, "dropEndedSecrets" | "forgetTroubles" | "spentMedia" | "dropMedia" | "dropWorkers">;
  };
}

/**
 * Drops what nobody can need any more: secrets whose time is over, media of posts that have ended long ago, and workers
 * that are long gone. History stays. Throws what the bucket says (VENDOR_…) where none of the objects could be removed.
 */
export async function pruneHub(
  world: Pruned,
  onTrouble: (error: PsnError) => void,
): Promise<{ readonly media: number; readonly workers: number }> {
  const { upkeep } = world.stores;
  await upkeep.dropEndedSecrets();
  await upkeep.forgetTroubles();
  const spent = await upkeep.spentMedia(KEEP_MEDIA_MS, MOST_LOOKED_AT);
  // Somebody who may write rows could name another's object: such a name is forgotten, and the object stays.
  const [objects, rows] = split(spent, ({ objectKey, userId }) => objectKey?.startsWith(objectPrefix(userId)) ?? false);
  const gone: SpentMedia[] = shuffled(rows, world.random).slice(0, MOST);
  const failures: PsnError[] = [];
  const failed = (error: unknown) => {
    const failure = toPsnError(error);
    failures.push(failure);
    onTrouble(failure);
  };
  const bucket = objects.length > 0 ? bucketOf(world, failed) : undefined;
  for (const one of bucket ? shuffled(objects, world.random) : []) {
    if (gone.length >= MOST || failures.length >= MOST) break;
    // The object first: a row that still names it is found again the next time.
    const isGone = await bucket?.remove(one.objectKey ?? "").then(() => true, failed);
    if (isGone) gone.push(one);
  }
  let dropped = 0;
  for (const [userId, media] of Map.groupBy(gone, ({ userId }) => userId)) {
    const ids = media.map(({ mediaId }) => mediaId);
    // One user's rows may be locked; the others' are not.
    const done = await upkeep.dropMedia(userId, ids).then(
      () => ids.length,
      (error: unknown) => {
        onTrouble(toPsnError(error));
        return 0;
      },
    );
    dropped += done;
  }
  const workers = await upkeep.dropWorkers(KEEP_WORKERS_MS);
  if (gone.length === 0 && failures[0]) throw failures[0];
  return { media: dropped, workers: workers };
}

/** Settings may name half a bucket for a while. */
function bucketOf(world: Pick<World, "bucket">, failed: (error: unknown) => void): Bucket | undefined {
  try {
    return world.bucket;
  } catch (error) {
    failed(error);
    return undefined;
  }
}

function split<T>(all: readonly T[], is: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(is), all.filter((one) => !is(one))];
}

/**
 * In another order each time: what can never be dropped, such as locked objects, must not be the first in every run.
 */
function shuffled<T>(all: readonly T[], random: () => number): readonly T[] {
  return all
    .map((one) => [random(), one] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, one]) => one);
}
