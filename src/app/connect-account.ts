import { PsnError } from "@psn/core/errors.ts";
import type { Profile } from "@psn/core/types/platform.ts";
import type { World } from "./ports.ts";
import { openSession, sealCredentials } from "./session.ts";
import { wakeUp } from "./wake-up.ts";

/** What waited for an account; more than this the watchdog finds. */
const MOST_WAITING = 500;

export interface ConnectedAccount {
  readonly id: string;
  readonly platform: string;
  readonly profile: Profile;
  /** True when this subject was known before: its history and its scheduled posts stay. */
  readonly again: boolean;
}

/** Connects or reconnects the account these values lead to. Throws what the platform's `connect` throws. */
export async function connectAccount(
  world: World,
  userId: string,
  platformId: string,
  form: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ConnectedAccount> {
  const platform = await world.platforms.load(platformId);
  const { credentials, profile } = await platform.connect(form, { fetch: world.fetch, now: world.now, signal }).catch((error: unknown) => {
    // While connecting, a refused token is not an expired one.
    if (error instanceof PsnError && error.code === "AUTH_EXPIRED")
      throw new PsnError("AUTH_REVOKED", error.message, { cause: error, hint: `check what you entered, then: psn connect ${platformId}` });
    throw error;
  });
  const known = await world.stores.accounts.find(userId, platformId, profile.subject);
  const id = known?.id ?? world.newId();
  const credentialsId = known?.credentialsId ?? world.newId();
  await world.stores.accounts.connect(
    userId,
    { id, platform: platformId, profile },
    sealCredentials(world, userId, credentialsId, credentials),
  );
  if (known && world.queue) {
    const waiting = await world.stores.posts.list(userId, "open", MOST_WAITING);
    await wakeUp(
      world,
      userId,
      waiting.filter(({ accountId }) => accountId === id),
    );
  }
  return { id, platform: platformId, profile, again: known !== undefined };
}

export type AccountCheck = { readonly ok: true; readonly handle: string } | { readonly ok: false; readonly error: PsnError };

/** Asks the platform whether it still knows this account. Read-only but for a token that had to be exchanged. */
export async function checkAccount(world: World, userId: string, accountId: string, signal: AbortSignal): Promise<AccountCheck> {
  const account = (await world.stores.accounts.list(userId)).find(({ id }) => id === accountId);
  try {
    if (!account) throw new PsnError("NOT_FOUND", "no such account");
    const platform = await world.platforms.load(account.platform);
    const session = openSession(world, userId, account, (await world.stores.accounts.credentials(userId, accountId)) ?? null, signal);
    return { ok: true, handle: (await platform.identify(session)).handle };
  } catch (error) {
    if (error instanceof PsnError) return { ok: false, error };
    throw error;
  }
}
