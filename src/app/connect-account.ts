import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Account, Disconnected } from "@psn/core/ports/accounts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Connection, ExchangeRequest, Known, Profile } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import { type DeliveryState, TO_COME, UNDER_WAY } from "@psn/core/types/index.ts";
import type { Net, Platform } from "@psn/core/types/platform.ts";
import { nameOf } from "./choose-accounts.ts";
import { ownHandle, plainHandle } from "./own-name.ts";
import type { Scope } from "./scope.ts";
import { appOf, askAccount, credentialsFor, namingApp, netOf, openSession, sealCredentials } from "./session.ts";
import { sharedWith, soleSecrets } from "./shared-secrets.ts";
import { wakeUp } from "./wake-up.ts";

/** What waited for an account; more than this the watchdog finds. */
const MOST_WAITING = 500;
/** What is counted before an account is disconnected. */
const MOST_COUNTED = 10_000;

export interface ConnectedAccount {
  readonly id: string;
  readonly platform: string;
  readonly profile: Profile;
  /** True when this subject was known before: its history and its scheduled posts stay. */
  readonly again: boolean;
  /** See `Connection`. */
  readonly publicKey?: string;
  /** Until when an earlier secret is good beside the new one. */
  readonly formerUntil?: Date;
  /** Names of other accounts that have the same secret, and should not. */
  readonly shared: readonly string[];
}

/** What leads to a connection: a form's values, or the browser's answer. */
export type Consent = { readonly form: Readonly<Record<string, string>> } | { readonly answer: ExchangeRequest };

/** Which account is meant, where that is said: this one, or one more beside those that are there. */
export interface Meant {
  readonly account?: Account;
  readonly another?: boolean;
  /** Everything is checked, and nothing is written; what a platform grants is given back. */
  readonly dryRun?: boolean;
  /** Called right before the account is written; what it throws leaves all as it was. */
  readonly noReturn?: () => void;
}

/**
 * Connects or reconnects the account this leads to. Throws what the platform's `connect` or `exchange` throws, and
 * ACCOUNT_MISMATCH for another account than the one that is meant.
 */
export async function connectAccount(
  world: World,
  {
    userId,
    platformId,
    consent,
    signal,
    meant = {},
  }: {
    readonly userId: string;
    readonly platformId: string;
    readonly consent: Consent;
    readonly signal: AbortSignal;
    readonly meant?: Meant | undefined;
  },
): Promise<ConnectedAccount> {
  const platform = await world.platforms.load(platformId);
  const net: Net = { ...netOf(world, userId, signal), ...defined({ dryRun: meant.dryRun ? true : undefined }) };
  const known = knownTo(world, userId, platformId);
  const { credentials, profile, publicKey } = await connectionOf(platform, { consent, net, known }).catch(
    (error: unknown) => {
      // While connecting, a refused token is not an expired one.
      if (error instanceof PsnError && error.code === "AUTH_EXPIRED")
        throw new PsnError("AUTH_REVOKED", error.message, {
          cause: error,
          hint: `check what you entered, then: psn connect ${platformId}`,
        });
      throw namingApp(error, platform);
    },
  );
  const knownId = await world.stores.accounts.find(userId, platformId, profile.subject);
  const named = await withOwnName(world, { userId, platformId, profile });
  const wanted =
    meant.account ?? (knownId !== undefined || meant.another ? undefined : await needy(world, userId, platformId));
  if (wanted && wanted.profile.subject !== profile.subject) {
    await forget(world, { userId, platform, connection: { credentials, profile } });
    throw new PsnError(
      "ACCOUNT_MISMATCH",
      `you logged in as ${platformId}:${profile.handle}, but the account to reconnect is ${nameOf(wanted)}; ` +
        `nothing was changed`,
      {
        hint:
          `log in there as ${plainHandle(wanted.profile)} and try again; to connect both accounts: psn connect ` +
          `${platformId} ` +
          "--another",
      },
    );
  }
  const id = knownId ?? world.newId();
  const account = { id, platform: platformId, profile: named };
  const connected = {
    ...account,
    again: knownId !== undefined,
    ...defined({ publicKey, formerUntil: credentials.secretUntil }),
    shared: platform.sole ? sharedWith(await soleSecrets(world, userId), id, platform.sole(credentials)) : [],
  };
  if (meant.dryRun) {
    await forget(world, { userId, platform, connection: { credentials, profile } });
    return connected;
  }
  try {
    meant.noReturn?.();
  } catch (error) {
    // A token that the user pasted is the user's own; one that was granted just now is of no use to anybody.
    if (knownId === undefined && "answer" in consent)
      await forget(world, { userId, platform, connection: { credentials, profile } });
    throw error;
  }
  // A row that never was: nothing that was ever sealed opens in it.
  const row = { id: world.newId(), version: 1 };
  await world.stores.accounts.connect(userId, account, sealCredentials(world, { userId, row, account, credentials }));
  if (knownId !== undefined && world.queue) {
    const waiting = await world.stores.posts.list(userId, "open", MOST_WAITING);
    await wakeUp(
      world,
      userId,
      waiting.filter(({ accountId }) => accountId === id),
    );
  }
  return connected;
}

/** What psn has of an account of this platform, for the adapter that connects it again. */
function knownTo(world: World, userId: string, platformId: string): Known {
  return async (subject) => {
    const account = (await world.stores.accounts.list(userId)).find(
      ({ platform, profile }) => platform === platformId && profile.subject === subject,
    );
    const sealed = account && (await world.stores.accounts.credentials(userId, account.id));
    if (!account) return undefined;
    const profile = { ...account.profile, handle: plainHandle(account.profile) };
    try {
      return {
        profile,
        ...defined({ credentials: sealed ? credentialsFor(world, { userId, account, sealed }) : undefined }),
      };
    } catch (error) {
      // Connecting again repairs a secret that cannot be decrypted.
      if (error instanceof PsnError && error.code.startsWith("VAULT_")) return { profile };
      throw error;
    }
  };
}

/** The profile under a name that no other account of this user and platform has. */
async function withOwnName(
  world: World,
  { userId, platformId, profile }: { readonly userId: string; readonly platformId: string; readonly profile: Profile },
): Promise<Profile> {
  const accounts = (await world.stores.accounts.list(userId)).filter(({ platform }) => platform === platformId);
  const profiles = accounts.map((account) => account.profile);
  const others = profiles.filter(({ subject }) => subject !== profile.subject);
  return {
    ...profile,
    handle: ownHandle(
      profile,
      others,
      profiles.find(({ subject }) => subject === profile.subject),
    ),
  };
}

/** The account of this platform that waits to be reconnected. */
async function needy(world: World, userId: string, platformId: string): Promise<Account | undefined> {
  const accounts = await world.stores.accounts.list(userId);
  return accounts.find(({ platform, health }) => platform === platformId && health === "needs-reconnect");
}

/** Best effort: what was granted and is not kept should not lie about. */
async function forget(
  world: World,
  {
    userId,
    platform,
    connection,
  }: { readonly userId: string; readonly platform: Platform; readonly connection: Connection },
): Promise<void> {
  try {
    const app = await appOf(world, userId, platform);
    const net = { fetch: world.fetch, now: world.now, signal: new AbortController().signal };
    await platform.revoke?.({ ...connection, ...net, ...defined({ app }) });
  } catch {
    // It ends by itself.
  }
}

/** How many deliveries of the account its end would cancel, and how many it would leave unconfirmed. */
export async function planDisconnect({ world, user }: Scope, account: Account): Promise<Disconnected> {
  const open = await world.stores.posts.list(user.id, "open", MOST_COUNTED);
  const count = (states: readonly DeliveryState[]) =>
    open.filter(({ accountId, state }) => accountId === account.id && states.includes(state)).length;
  return { cancelled: count(TO_COME), unconfirmed: count(UNDER_WAY) };
}

/**
 * Tells the platform to forget the account's credentials, where it offers that, and forgets them here. Returns what
 * became of its deliveries, and why the platform was not told, if it was not. `noReturn` is called before the platform
 * is told, and may throw.
 */
export async function disconnectAccount(
  world: World,
  {
    userId,
    account,
    signal,
    noReturn = () => undefined,
  }: {
    readonly userId: string;
    readonly account: Account;
    readonly signal: AbortSignal;
    readonly noReturn?: (() => void) | undefined;
  },
): Promise<Disconnected & { readonly revoked: boolean; readonly trouble: PsnError | undefined }> {
  let revoked = false;
  let trouble: PsnError | undefined;
  noReturn();
  try {
    const platform = await world.platforms.load(account.platform);
    const sealed = await world.stores.accounts.credentials(userId, account.id);
    if (platform.revoke && sealed) {
      const app = await appOf(world, userId, platform);
      await platform.revoke({ ...openSession(world, { userId, account, sealed, signal }), ...defined({ app }) });
      revoked = true;
    }
  } catch (error) {
    trouble = toPsnError(error);
  }
  return { ...(await world.stores.accounts.disconnect(userId, account.id)), revoked, trouble };
}

async function connectionOf(
  platform: Platform,
  { consent, net, known }: { readonly consent: Consent; readonly net: Net; readonly known: Known },
): Promise<Connection> {
  if ("form" in consent && platform.connect) return platform.connect(consent.form, net, known);
  if ("answer" in consent && platform.exchange) return platform.exchange(consent.answer, net);
  throw new PsnError("USAGE", `${platform.id} has no such way to connect`, {
    hint: `psn connect ${platform.id} --help`,
  });
}

export type AccountCheck =
  | { readonly ok: true; readonly handle: string }
  | { readonly ok: false; readonly error: PsnError };

/** Asks the platform whether it still knows this account. Read-only but for a token that had to be exchanged. */
export async function checkAccount(
  world: World,
  { userId, accountId, signal }: { readonly userId: string; readonly accountId: string; readonly signal: AbortSignal },
): Promise<AccountCheck> {
  try {
    const { handle } = await askAccount(world, {
      userId,
      accountId,
      signal,
      read: (platform, session) => platform.identify(session),
    });
    return { ok: true, handle };
  } catch (error) {
    if (error instanceof PsnError) return { ok: false, error };
    throw error;
  }
}
