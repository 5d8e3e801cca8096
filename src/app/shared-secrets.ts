import { PsnError } from "@psn/core/errors.ts";
import { nameOf } from "./choose-accounts.ts";
import type { Account } from "./ports/accounts.ts";
import type { World } from "./ports/world.ts";
import { credentialsFor } from "./session.ts";

/*
 * A secret that two accounts have, and that should be one's alone: each of the two receivers could sign events for the other.
 */

export interface Held {
  readonly account: Account;
  /** Those of its secrets that no second account should have. */
  readonly secrets: readonly string[];
}

/** The user's accounts whose secrets should be their own. */
export async function soleSecrets(world: World, userId: string): Promise<readonly Held[]> {
  const held: Held[] = [];
  for (const account of await world.stores.accounts.list(userId)) {
    if (account.health === "disconnected" || !world.platforms.ids.includes(account.platform)) continue;
    const platform = await world.platforms.load(account.platform);
    const sealed = platform.sole && (await world.stores.accounts.credentials(userId, account.id));
    if (!sealed) continue;
    try {
      held.push({ account, secrets: platform.sole?.(credentialsFor(world, userId, account, sealed)) ?? [] });
    } catch (error) {
      // What does not open is told of elsewhere.
      if (!(error instanceof PsnError && (error.code.startsWith("VAULT_") || error.code === "PLATFORM_DOWN"))) throw error;
    }
  }
  return held;
}

/** Names of the other accounts of `held` that have one of these secrets. */
export function sharedWith(held: readonly Held[], accountId: string, secrets: readonly string[]): readonly string[] {
  return held
    .filter(({ account, secrets: others }) => account.id !== accountId && others.some((secret) => secrets.includes(secret)))
    .map(({ account }) => nameOf(account));
}
