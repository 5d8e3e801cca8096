import type { PsnError } from "@psn/core/errors.ts";
import { toPsnError } from "@psn/core/errors.ts";
import { objectPrefix } from "./keep-media.ts";
import type { SpentMedia } from "./ports/upkeep.ts";
import type { World } from "./ports/world.ts";

/** How long media are kept after the last delivery of their post has ended, well or not, in milliseconds. */
const KEEP_MEDIA_MS = 30 * 24 * 3_600_000;
/** After this a silent worker is only a name, in milliseconds. */
const KEEP_WORKERS_MS = 7 * 24 * 3_600_000;
const MOST = 200;

/**
 * Drops what nobody can need any more: secrets whose time is over, media of posts that have ended long ago, and workers that are long
 * gone. History stays. Throws what the bucket says (VENDOR_…) where none of the objects could be removed.
 */
export async function pruneHub(
  world: World,
  onTrouble: (error: PsnError) => void,
): Promise<{ readonly media: number; readonly workers: number }> {
  const { upkeep } = world.stores;
  await upkeep.dropEndedSecrets();
  await upkeep.forgetTroubles();
  const spent = await upkeep.spentMedia(KEEP_MEDIA_MS, MOST);
  const gone: SpentMedia[] = [];
  const failures: PsnError[] = [];
  for (const one of spent) {
    try {
      // Somebody who may write rows could name another's object: such a name is forgotten, and the object stays.
      if (one.objectKey?.startsWith(objectPrefix(one.userId))) {
        if (!world.bucket) continue;
        // The object first: a row that still names it is found again the next time.
        await world.bucket.remove(one.objectKey);
      }
      gone.push(one);
    } catch (error) {
      const failure = toPsnError(error);
      failures.push(failure);
      onTrouble(failure);
    }
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
