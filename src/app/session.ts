import { type ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { SealedCredentials, StoredCredentials } from "@psn/core/ports/accounts.ts";
import { pass } from "@psn/core/ports/fault-points.ts";
import type { Place } from "@psn/core/ports/outside.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { AppGuide, Credentials, OAuthApp, Profile } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Net, Platform, Session } from "@psn/core/types/platform.ts";
import { momentOf, since } from "./clocks.ts";
import { plainHandle } from "./own-name.ts";

/** How long one refresh may take before another worker may try, in milliseconds: longer than a request's own limit. */
const REFRESH_LEASE_MS = 60_000;
const LOOK_AGAIN_MS = 250;
/**
 * A token is not exchanged again sooner, in milliseconds: a platform that accepts none is not asked for one after the
 * other.
 */
const REST_MS = 10 * 60_000;
/**
 * How long to wait before storing new credentials again when the database did not answer, in milliseconds: as long as
 * the lease lasts.
 */
const STORE_AGAIN_MS = [200, 1_000, ...Array.from({ length: 10 }, () => 4_000)] as const;

type AccountOf = { readonly id: string; readonly platform: string; readonly profile: Profile };

/** What the account's token is for, and nothing else (ADR 19). */
export const audienceOf = ({ platform, profile }: Pick<AccountOf, "platform" | "profile">): readonly string[] => [
  platform,
  profile.subject,
  profile.home,
];

/** The row that credentials lie in, and for which time: a new row has version 1. */
type TokenRow = Pick<StoredCredentials, "id" | "version">;

const placeOf = (
  userId: string,
  {
    row: { id, version },
    audience,
    column,
  }: { readonly row: TokenRow; readonly audience: readonly string[]; readonly column: string },
): Place => ({
  table: "oauth_tokens",
  column,
  rowId: id,
  userId,
  version,
  audience,
});

/** Credentials as the database keeps them, for this account alone. */
export function sealCredentials(
  world: Pick<World, "vault">,
  {
    userId,
    row: { id, version },
    account,
    credentials,
  }: {
    readonly userId: string;
    readonly row: TokenRow;
    readonly account: Pick<AccountOf, "platform" | "profile">;
    readonly credentials: Credentials;
  },
): SealedCredentials {
  const audience = audienceOf(account);
  const sealed = (column: string, value: string) =>
    world.vault.seal(placeOf(userId, { row: { id, version }, audience, column }), value);
  const seal = (column: string, value: string | undefined) => (value === undefined ? null : sealed(column, value));
  return {
    id,
    version,
    access: sealed("access_token", credentials.access),
    refresh: seal("refresh_token", credentials.refresh),
    secret: seal("secret", credentials.secret),
    secretUntil: credentials.secretUntil ?? null,
    expiresAt: credentials.expiresAt ?? null,
    scopes: credentials.scopes,
  };
}

/** Throws VAULT_TAMPERED, VAULT_LOCKED. */
export function openCredentials(world: Pick<World, "vault">, userId: string, sealed: StoredCredentials): Credentials {
  const opened = (column: string, value: string) =>
    world.vault.open(placeOf(userId, { row: sealed, audience: sealed.audience, column }), value);
  const open = (column: string, value: string | null) => (value === null ? undefined : opened(column, value));
  const refresh = open("refresh_token", sealed.refresh);
  const secret = open("secret", sealed.secret);
  return {
    access: opened("access_token", sealed.access),
    ...defined({
      refresh,
      secret,
      secretUntil: sealed.secretUntil ?? undefined,
      expiresAt: sealed.expiresAt ?? undefined,
    }),
    scopes: sealed.scopes,
  };
}

/**
 * The credentials of this account, as it is known here: where a request goes is read from the account, so that what was
 * given for any other address must not open. Throws VAULT_TAMPERED, VAULT_LOCKED; PLATFORM_DOWN where the account was
 * connected again in between.
 */
export function credentialsFor(
  world: Pick<World, "vault">,
  {
    userId,
    account,
    sealed,
  }: { readonly userId: string; readonly account: AccountOf; readonly sealed: StoredCredentials },
): Credentials {
  const credentials = (() => {
    try {
      return openCredentials(world, userId, sealed);
    } catch (error) {
      if (!(error instanceof PsnError) || error.code !== "VAULT_TAMPERED") throw error;
      throw new PsnError(
        error.code,
        `the token of ${account.platform}:${account.profile.handle} cannot be decrypted: the token or the address ` +
          "it belongs to was changed",
        { cause: error, hint: `psn connect ${account.platform}`, details: error.details },
      );
    }
  })();
  if (JSON.stringify(sealed.audience) === JSON.stringify(audienceOf(account))) return credentials;
  throw new PsnError("PLATFORM_DOWN", `${account.platform}:${account.profile.handle} was connected again just now`);
}

/** A session for one account. Throws AUTH_REQUIRED when it has no credentials, and what `credentialsFor` throws. */
export function openSession(
  world: World,
  {
    userId,
    account,
    sealed,
    signal = new AbortController().signal,
  }: {
    readonly userId: string;
    readonly account: AccountOf;
    readonly sealed: StoredCredentials | null;
    readonly signal?: AbortSignal | undefined;
  },
): Session {
  if (!sealed)
    throw new PsnError("AUTH_REQUIRED", `${account.platform} account ${account.profile.handle} is not connected`, {
      hint: `psn connect ${account.platform}`,
    });
  const profile = { ...account.profile, handle: plainHandle(account.profile) };
  return { credentials: credentialsFor(world, { userId, account, sealed }), profile, ...netOf(world, userId, signal) };
}

/** What an adapter is given for this user. */
export function netOf(
  world: Pick<World, "fetch" | "now" | "hub" | "hubUserId">,
  userId: string,
  signal: AbortSignal,
): Net {
  const { fetch, now, hub } = world;
  return { fetch, now, signal, ...defined({ hub }), owner: { userId, ownsHub: userId === world.hubUserId } };
}

/**
 * Reads something with the account's session, exchanging its token where it must. Throws NOT_FOUND, and what
 * `openSession` and `read` throw.
 */
export async function askAccount<T>(
  world: World,
  {
    userId,
    accountId,
    signal,
    read,
  }: {
    readonly userId: string;
    readonly accountId: string;
    readonly signal: AbortSignal;
    readonly read: (platform: Platform, session: Session) => Promise<T>;
  },
): Promise<T> {
  const account = (await world.stores.accounts.list(userId)).find(({ id }) => id === accountId);
  if (!account) throw new PsnError("NOT_FOUND", "no such account", { hint: "psn accounts" });
  const platform = await world.platforms.load(account.platform);
  const session = openSession(world, {
    userId,
    account,
    sealed: (await world.stores.accounts.credentials(userId, account.id)) ?? null,
    signal,
  });
  return read(platform, session).catch(async (error: unknown) => {
    if (!(error instanceof PsnError) || error.retry !== "refresh" || !platform.refresh) throw error;
    // An exchange that is broken off loses a token that dies on use: it is completed even if the command is stopped.
    const whole = { ...session, signal: new AbortController().signal };
    const fresh = await refreshSession(world, { userId, account, platform, session: whole, reason: error });
    return read(platform, { ...fresh, signal });
  });
}

/**
 * The session with new credentials, refreshed by the first process: one at a time for an account, since a rotating
 * token dies on use. Throws AUTH_REVOKED when only the user can help; a passing failure is thrown as what it is.
 */
export async function refreshSession(
  world: World,
  {
    userId,
    account,
    platform,
    session,
    reason,
  }: {
    readonly userId: string;
    readonly account: AccountOf;
    readonly platform: Platform;
    readonly session: Session;
    readonly reason: PsnError;
  },
): Promise<Session> {
  const { accounts } = world.stores;
  const read = async () => {
    const sealed = await accounts.credentials(userId, account.id);
    if (!sealed) throw revoked(account, reason);
    return { sealed, credentials: credentialsFor(world, { userId, account, sealed }) };
  };
  const isNew = ({ access }: Credentials) => access !== session.credentials.access;
  for (const began = momentOf(world); ; await world.sleep(LOOK_AGAIN_MS)) {
    const { credentials } = await read();
    if (isNew(credentials)) return { ...session, credentials };
    if (!platform.refresh) throw revoked(account, reason);
    const askedAt = momentOf(world);
    if (since(world, began).ms > REFRESH_LEASE_MS)
      throw new PsnError("PLATFORM_DOWN", "another worker has been refreshing this account's token for too long");
    const lease = await accounts.leaseRefresh(userId, account.id, REFRESH_LEASE_MS);
    if (lease === "resting" && !isNew((await read()).credentials))
      throw new PsnError("PLATFORM_DOWN", `${platform.name} rejects a token that it issued a short while ago`);
    if (lease !== "mine") continue;
    const leftMs = () => {
      const { ms, trusted } = since(world, askedAt);
      return trusted ? REFRESH_LEASE_MS - ms : 0;
    };
    // Who cannot give the right back leaves it to its lease; a lease that has ended is somebody else's by now.
    const release = async () => {
      if (leftMs() > 0) await accounts.releaseRefresh(userId, account.id).catch(() => undefined);
    };
    try {
      // The process that had the right before may have finished between the look and the lease; an old token must not
      // be spent again.
      const current = await read();
      if (!isNew(current.credentials)) {
        await pass(world, "before refreshing");
        const app = await appOf(world, userId, platform);
        // A request may take half a lease: this machine slept, and another worker may have begun.
        if (leftMs() < REFRESH_LEASE_MS / 2) {
          await release();
          continue;
        }
        const spent = { ...session, credentials: current.credentials, ...defined({ app }) };
        const fresh = await platform
          .refresh(spent)
          .catch((error: unknown) => Promise.reject(refused(account, namingApp(error, platform))));
        // Stored before it is used; a platform that sends no new refresh token means the old one stays.
        const { expiresAt: _expired, ...lasting } = current.credentials;
        const row = { id: current.sealed.id, version: current.sealed.version + 1 };
        const sealed = sealCredentials(world, { userId, row, account, credentials: { ...lasting, ...fresh } });
        await pass(world, "refreshed, not stored");
        await store(world, () =>
          accounts.refreshed(userId, {
            accountId: account.id,
            previous: current.sealed,
            credentials: sealed,
            restMs: restOf(fresh, world.now()),
          }),
        );
        await pass(world, "refreshed, stored");
      } else await release();
      // What is stored counts: if somebody reconnected meanwhile, theirs.
      return { ...session, credentials: (await read()).credentials };
    } catch (error) {
      const alone = leftMs() > 0;
      await release();
      if (!(error instanceof PsnError) || error.code !== "AUTH_REVOKED") throw error;
      // Refused is also who comes after somebody else: what is stored by now counts, and who was not alone may have
      // been too early.
      const { credentials: latest } = await read();
      if (isNew(latest)) return { ...session, credentials: latest };
      if (alone) throw error;
    }
  }
}

/** How long a new token is not exchanged again, in milliseconds: a short life is not waited out. */
function restOf({ expiresAt }: Credentials, now: Date): number {
  return expiresAt ? Math.max(0, Math.min(REST_MS, (expiresAt.getTime() - now.getTime()) / 2)) : REST_MS;
}

/**
 * What a platform says of an exchange is never said of a post: where it refuses, whatever for, only a new consent
 * helps.
 */
function refused(account: AccountOf, error: unknown): unknown {
  if (!(error instanceof PsnError)) return error;
  return REFUSALS.has(error.code) ? revoked(account, error) : error;
}
const REFUSALS: ReadonlySet<ErrorCode> = new Set(["AUTH_REVOKED", "AUTH_EXPIRED", "AUTH_SCOPE", "PLATFORM_REJECTED"]);

function guideOf({ auth }: Platform): AppGuide | undefined {
  return auth.flatMap((way) => (way.kind === "oauth" && way.app ? [way.app] : []))[0];
}

/** The user's own app, where the platform wants one. Throws APP_MISSING. */
export async function appOf(
  world: Pick<World, "apps">,
  userId: string,
  platform: Platform,
): Promise<OAuthApp | undefined> {
  const { id, name } = platform;
  const guide = guideOf(platform);
  if (!guide) return undefined;
  const app = await world.apps.find(userId, guide.keys);
  if (!app)
    throw new PsnError("APP_MISSING", `${name} requires your own developer app, and ${guide.keys.id} is not set`, {
      hint: `psn connect ${id}`,
    });
  return app;
}

/** Names the key that must be right where a platform does not accept the user's app. */
export function namingApp(error: unknown, platform: Platform): unknown {
  const guide = guideOf(platform);
  if (!(error instanceof PsnError) || error.code !== "APP_REFUSED" || !guide) return error;
  const hint = `psn keys set ${guide.keys.secret ?? guide.keys.id}`;
  return new PsnError(error.code, error.message, { cause: error, details: error.details, hint });
}

/** A rotating token that is not stored is lost, so a database that does not answer is asked again. */
async function store(world: World, write: () => Promise<boolean>): Promise<void> {
  for (const wait of STORE_AGAIN_MS) {
    try {
      await write();
      return;
    } catch (error) {
      if (!(error instanceof PsnError) || error.code !== "DB_UNREACHABLE") throw error;
      await world.sleep(wait);
    }
  }
  await write();
}

function revoked(account: AccountOf, reason: PsnError): PsnError {
  return new PsnError("AUTH_REVOKED", reason.message, { cause: reason, hint: `psn connect ${account.platform}` });
}
