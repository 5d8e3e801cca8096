import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { StaleToken } from "@psn/core/ports/upkeep.ts";
import type { World } from "@psn/core/ports/world.ts";
import { needsUser } from "@psn/domain/delivery.ts";
import { NOTICE_MS } from "./account-health.ts";
import { openSession, refreshSession } from "./session.ts";
import { tellOfAccount, tellOfEnding } from "./tell-user.ts";

/** A token of a long life is exchanged this long before it ends, in milliseconds. */
const AHEAD_MS = 24 * 3_600_000;
/** Refresh tokens that nobody uses die too, at the strictest platform after some weeks; in milliseconds. */
const IDLE_MS = 7 * 24 * 3_600_000;

/**
 * How long one look exchanges tokens, in milliseconds: less than a task may run (`maxDuration`). The next look takes
 * the rest.
 */
const LOOK_MOST_MS = 200_000;

/**
 * Exchanges the tokens that would otherwise end before somebody needs them, and tells their users of those that cannot
 * be exchanged. One account's failure stops no other's: what only its user can fix is written on the account, anything
 * else is told to `onTrouble` and tried again at the next time. Each user has one exchanged before any has two, since a
 * slow server takes its time for each.
 */
export async function refreshTokens(
  world: World,
  onTrouble: (error: PsnError) => void,
): Promise<{ readonly refreshed: number; readonly failed: number }> {
  const stale = inTurns(await world.stores.upkeep.staleTokens(world.platforms.ids, AHEAD_MS, IDLE_MS));
  const began = world.elapsedMs();
  let refreshed = 0;
  let failed = 0;
  for (const one of stale) {
    if (world.elapsedMs() - began > LOOK_MOST_MS) break;
    try {
      if (await refreshOne(world, one)) refreshed += 1;
    } catch (error) {
      const failure = toPsnError(error);
      failed += 1;
      onTrouble(failure);
      if (needsUser(failure))
        await disable(world, one, failure.message).catch((error: unknown) => onTrouble(toPsnError(error)));
    }
  }
  for (const ending of await world.stores.upkeep.noteEndingTokens(world.platforms.ids, NOTICE_MS))
    await tellOfEnding(world, ending);
  return { refreshed, failed };
}

/** The first of each user, then the second of each. */
function inTurns(tokens: readonly StaleToken[]): readonly StaleToken[] {
  const ofUsers = [...Map.groupBy(tokens, ({ userId }) => userId).values()];
  const most = Math.max(0, ...ofUsers.map(({ length }) => length));
  return Array.from({ length: most }, (_, nth) => ofUsers.flatMap((own) => own[nth] ?? [])).flat();
}

async function disable(world: World, { userId, accountId }: StaleToken, reason: string): Promise<void> {
  await world.stores.accounts.needsReconnect(userId, accountId, reason);
  const account = (await world.stores.accounts.list(userId)).find(({ id }) => id === accountId);
  if (account) await tellOfAccount(world, account, reason);
}

/** False for a platform whose tokens cannot be exchanged, and for an account that is gone. */
async function refreshOne(world: World, { userId, accountId, platform: platformId }: StaleToken): Promise<boolean> {
  const platform = await world.platforms.load(platformId);
  if (!platform.refresh) return false;
  const account = (await world.stores.accounts.list(userId)).find(({ id }) => id === accountId);
  const sealed = await world.stores.accounts.credentials(userId, accountId);
  if (!account || !sealed) return false;
  const session = openSession(world, { userId, account, sealed });
  await refreshSession(world, {
    userId,
    account,
    platform,
    session,
    reason: new PsnError("AUTH_EXPIRED", "the token is about to end"),
  });
  return true;
}
