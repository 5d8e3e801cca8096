import type { PsnError } from "@psn/core/errors.ts";
import { toPsnError } from "@psn/core/errors.ts";
import type { World } from "./ports/world.ts";
import { pruneHub } from "./prune-hub.ts";
import { refreshTokens } from "./refresh-tokens.ts";

/** Tokens end in days and media are kept for a month: an hour is soon enough. In milliseconds. */
const EVERY_MS = 3_600_000;

/**
 * What a worker does beside publishing, until told to stop: exchanges tokens before they end, and drops what nobody can need any
 * more. Never throws: trouble is told, and tried again an hour later.
 */
export async function keepHub(world: World, stop: AbortSignal, onTrouble: (error: PsnError) => void): Promise<void> {
  while (!stop.aborted) {
    await refreshTokens(world, onTrouble).catch((error: unknown) => onTrouble(toPsnError(error)));
    await pruneHub(world, onTrouble).catch((error: unknown) => onTrouble(toPsnError(error)));
    // A stop ends the wait; that is no trouble.
    await world.sleep(EVERY_MS, stop).catch(() => undefined);
  }
}
