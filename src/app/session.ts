import { PsnError } from "@psn/core/errors.ts";
import type { Credentials, Platform, Profile, Session } from "@psn/core/types/platform.ts";
import { pass } from "./fault-points.ts";
import type { Place, SealedCredentials, World } from "./ports.ts";

/** How long one refresh may take before another worker may try, in milliseconds: longer than a request's own limit. */
const REFRESH_LEASE_MS = 60_000;
const LOOK_AGAIN_MS = 250;
/** How long to wait before storing new credentials again when the database did not answer, in milliseconds. */
const STORE_AGAIN_MS = [200, 1_000, 4_000] as const;

type AccountOf = { readonly id: string; readonly platform: string; readonly profile: Profile };

const placeOf = (userId: string, rowId: string, column: string): Place => ({ table: "oauth_tokens", column, rowId, userId });

/** Credentials as the database keeps them. */
export function sealCredentials(world: Pick<World, "vault">, userId: string, id: string, credentials: Credentials): SealedCredentials {
  const seal = (column: string, value: string | undefined) =>
    value === undefined ? null : world.vault.seal(placeOf(userId, id, column), value);
  return {
    id,
    access: world.vault.seal(placeOf(userId, id, "access_token"), credentials.access),
    refresh: seal("refresh_token", credentials.refresh),
    secret: seal("secret", credentials.secret),
    expiresAt: credentials.expiresAt ?? null,
    scopes: credentials.scopes,
  };
}

/** Throws VAULT_TAMPERED, VAULT_LOCKED. */
export function openCredentials(world: Pick<World, "vault">, userId: string, sealed: SealedCredentials): Credentials {
  const open = (column: string, value: string | null) =>
    value === null ? undefined : world.vault.open(placeOf(userId, sealed.id, column), value);
  const refresh = open("refresh_token", sealed.refresh);
  const secret = open("secret", sealed.secret);
  return {
    access: world.vault.open(placeOf(userId, sealed.id, "access_token"), sealed.access),
    ...(refresh === undefined ? {} : { refresh }),
    ...(secret === undefined ? {} : { secret }),
    ...(sealed.expiresAt ? { expiresAt: sealed.expiresAt } : {}),
    scopes: sealed.scopes,
  };
}

/** A session for one account. Throws AUTH_REQUIRED when it has no credentials, and what the vault throws. */
export function openSession(
  world: World,
  userId: string,
  account: AccountOf,
  sealed: SealedCredentials | null,
  signal = new AbortController().signal,
): Session {
  if (!sealed)
    throw new PsnError("AUTH_REQUIRED", `${account.platform} account ${account.profile.handle} is not connected`, {
      hint: `psn connect ${account.platform}`,
    });
  return { credentials: openCredentials(world, userId, sealed), profile: account.profile, fetch: world.fetch, now: world.now, signal };
}

/**
 * The session with new credentials, refreshed by whoever came first: one at a time for an account, since a rotating token
 * dies on use. Throws AUTH_REVOKED when only the user can help; a passing failure is thrown as what it is.
 */
export async function refreshSession(
  world: World,
  userId: string,
  account: AccountOf,
  platform: Platform,
  session: Session,
  reason: PsnError,
): Promise<Session> {
  const { accounts } = world.stores;
  const read = async () => {
    const sealed = await accounts.credentials(userId, account.id);
    if (!sealed) throw revoked(account, reason);
    return { sealed, credentials: openCredentials(world, userId, sealed) };
  };
  const isNew = ({ access }: Credentials) => access !== session.credentials.access;
  for (const deadline = world.now().getTime() + REFRESH_LEASE_MS; ; await world.sleep(LOOK_AGAIN_MS)) {
    const { credentials } = await read();
    if (isNew(credentials)) return { ...session, credentials };
    if (!platform.refresh) throw revoked(account, reason);
    if (world.now().getTime() > deadline)
      throw new PsnError("PLATFORM_DOWN", "another worker is refreshing this account's token and does not finish");
    if (!(await accounts.leaseRefresh(userId, account.id, REFRESH_LEASE_MS))) continue;
    try {
      // Whoever had the right before may have finished between the look and the lease; an old token must not be spent again.
      const current = await read();
      if (!isNew(current.credentials)) {
        await pass(world, "before refreshing");
        const fresh = await platform.refresh({ ...session, credentials: current.credentials });
        // Stored before it is used; a platform that sends no new refresh token means the old one stays.
        const { expiresAt: _expired, ...lasting } = current.credentials;
        const sealed = sealCredentials(world, userId, current.sealed.id, { ...lasting, ...fresh });
        await pass(world, "refreshed, not stored");
        await store(world, () => accounts.refreshed(userId, account.id, current.sealed, sealed));
        await pass(world, "refreshed, stored");
      } else await accounts.releaseRefresh(userId, account.id);
      // What is stored counts: if somebody reconnected meanwhile, theirs.
      return { ...session, credentials: (await read()).credentials };
    } catch (error) {
      // Who cannot give the right back leaves it to its lease; the reason must not be lost over that.
      await accounts.releaseRefresh(userId, account.id).catch(() => undefined);
      throw error;
    }
  }
}

/** A rotating token that is not written down is lost for good, so a database that does not answer is asked again. */
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
