import type { Scope } from "@psn/app/scope.ts";
import type { Account } from "@psn/core/ports/accounts.ts";

/** The user's accounts in the order in which they were connected; `all`: those that were disconnected too. */
export async function accountsOf(
  { world, user }: Scope,
  { all = false }: { readonly all?: boolean } = {},
): Promise<readonly Account[]> {
  const accounts = await world.stores.accounts.list(user.id);
  return all ? accounts : accounts.filter(({ health }) => health !== "disconnected");
}

/** The accounts that publish nothing before their user has reconnected them. */
export function needReconnect(accounts: readonly Account[]): readonly Account[] {
  return accounts.filter(({ health }) => health === "needs-reconnect");
}
