import type { PsnError } from "@psn/core/errors.ts";
import { toPsnError } from "@psn/core/errors.ts";
import type { World } from "@psn/core/ports/world.ts";
import { pruneHub } from "./prune-hub.ts";
import { refreshTokens } from "./refresh-tokens.ts";
import { sweepBucket } from "./sweep-bucket.ts";

/** Tokens end in days and media are kept for a month: an hour is soon enough. In milliseconds. */
const EVERY_MS = 3_600_000;
/** A list of the bucket costs money, and what it finds is a day old: so many rounds go by from one to the next. */
const ROUNDS_OF_SWEEP = 24;

/**
 * What a worker does beside publishing, until told to stop: exchanges tokens before they end, and drops what nobody can
 * need any more. Never throws: trouble is told, and tried again an hour later.
 */
export async function keepHub(world: World, stop: AbortSignal, onTrouble: (error: PsnError) => void): Promise<void> {
  const trouble = (error: unknown) => onTrouble(toPsnError(error));
  for (let round = 0; !stop.aborted; round += 1) {
    await refreshTokens(world, onTrouble).catch(trouble);
    await pruneHub(world, onTrouble).catch(trouble);
    if (round % ROUNDS_OF_SWEEP === 0) await sweepBucket(world, onTrouble).catch(trouble);
    // A stop ends the wait; that is no trouble.
    await world.sleep(EVERY_MS, stop).catch(() => undefined);
  }
}
