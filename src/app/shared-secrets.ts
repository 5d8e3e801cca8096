import type { Account } from "@psn/core/ports/accounts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Flaw } from "@psn/core/types/account.ts";
import { nameOf } from "./choose-accounts.ts";
import { credentialsFor } from "./session.ts";

/*
 * What is wrong with secrets that work: one that two accounts have, so that each of the two receivers could sign events
 * for the other, and one that psn would not accept today.
 */

export interface Held {
  readonly account: Account;
  /** Those of its secrets that no second account should have. */
  readonly secrets: readonly string[];
  readonly flaw: Flaw | undefined;
}

/**
 * The user's accounts whose secrets should be their own. One that cannot be read is left out: it is told of where it is
 * used.
 */
export async function soleSecrets(world: World, userId: string): Promise<readonly Held[]> {
  const held: Held[] = [];
  for (const account of await world.stores.accounts.list(userId)) {
    if (account.health === "disconnected" || !world.platforms.ids.includes(account.platform)) continue;
    const platform = await world.platforms.load(account.platform);
    const sealed = platform.sole && (await world.stores.accounts.credentials(userId, account.id));
    if (!sealed) continue;
    try {
      const credentials = credentialsFor(world, { userId, account, sealed });
      held.push({ account, secrets: platform.sole?.(credentials) ?? [], flaw: platform.flaw?.(credentials) });
    } catch {
      // All of this is pure: one account's secret must not stop what is asked about the others.
    }
  }
  return held;
}

/** Names of the other accounts of `held` that have one of these secrets. */
export function sharedWith(held: readonly Held[], accountId: string, secrets: readonly string[]): readonly string[] {
  return held
    .filter(
      ({ account, secrets: others }) => account.id !== accountId && others.some((secret) => secrets.includes(secret)),
    )
    .map(({ account }) => nameOf(account));
}
