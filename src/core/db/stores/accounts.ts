import type { Database } from "@psn/core/db/database.ts";
import { accounts, deliveries, oauthTokens } from "@psn/core/db/schema.ts";
import type { Account, Accounts, SealedCredentials, StoredCredentials } from "@psn/core/ports/accounts.ts";
import type { Profile } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import { and, asc, eq, not, type SQL, sql } from "drizzle-orm";

type AccountRow = Pick<typeof accounts.$inferSelect, "platform" | "subject" | "home">;

/**
 * Both rows as of one instant: a token is opened for what its account is in the row beside it, and for nothing read at
 * another time.
 */
export function credentialsOf(
  tokens: typeof oauthTokens.$inferSelect,
  { platform, subject, home }: AccountRow,
): StoredCredentials {
  const { id, version, accessToken: access, refreshToken: refresh, secret, secretUntil, expiresAt, scopes } = tokens;
  return { id, version, access, refresh, secret, secretUntil, expiresAt, scopes, audience: [platform, subject, home] };
}

export function profileOf(row: {
  subject: string;
  handle: string;
  url: string;
  home: string;
  limits: Profile["limits"] | null;
}): Profile {
  const { subject, handle, url, home, limits } = row;
  return {
    subject,
    handle,
    url,
    home,
    ...defined({ limits: limits && Object.keys(limits).length > 0 ? limits : undefined }),
  };
}

/**
 * The last instant the tables take, 9999-12-31, in epoch milliseconds: a platform may say that a token lasts longer.
 */
const LAST_MS = 253_402_300_799_000;

function tokenValues(credentials: SealedCredentials) {
  const { version, access, refresh, secret, secretUntil, scopes } = credentials;
  const ms = credentials.expiresAt?.getTime() ?? Number.NaN;
  const expiresAt = credentials.expiresAt && new Date(Number.isNaN(ms) ? LAST_MS : Math.max(0, Math.min(ms, LAST_MS)));
  return { version, accessToken: access, refreshToken: refresh, secret, secretUntil, expiresAt, scopes: [...scopes] };
}

/**
 * Whether somebody may be exchanging the token. A lease of more than `mostMs` milliseconds is longer than any lasts:
 * the database's clock has stepped back since, and whoever took it is done by now.
 */
export function refreshLeased(mostMs: number): SQL<boolean> {
  const { refreshLeaseUntil: until } = oauthTokens;
  return sql<boolean>`coalesce(
    ${until} > now() and ${until} <= clock_timestamp() + ${mostMs} * interval '1 millisecond', false)`;
}

const DISCONNECTED = "the account was disconnected";

export function accountsStore(database: Database): Accounts {
  return {
    async list(userId) {
      const [rows] = await database.run(
        { userId },
        (db) => [
          db
            .select({
              account: accounts,
              expiresAt: oauthTokens.expiresAt,
              refreshedAt: oauthTokens.refreshedAt,
              renews: sql<boolean>`coalesce(${oauthTokens.refreshToken}, ${oauthTokens.secret}) is not null`,
            })
            .from(accounts)
            .leftJoin(oauthTokens, eq(oauthTokens.accountId, accounts.id))
            .orderBy(asc(accounts.platform), asc(accounts.handle)),
        ],
        { repeatable: true },
      );
      return rows.map(
        ({ account, expiresAt, refreshedAt, renews }): Account => ({
          id: account.id,
          platform: account.platform,
          profile: profileOf(account),
          health: account.health,
          healthReason: account.healthReason,
          pausedUntil: account.pausedUntil,
          createdAt: account.createdAt,
          expiresAt,
          refreshedAt,
          renews,
        }),
      );
    },

    async find(userId, platform, subject) {
      const [rows] = await database.run(
        { userId },
        (db) => [
          db
            .select({ id: accounts.id })
            .from(accounts)
            .where(and(eq(accounts.platform, platform), eq(accounts.subject, subject))),
        ],
        { repeatable: true },
      );
      return rows[0]?.id;
    },

    async connect(userId, { id, platform, profile }, credentials) {
      const { subject, handle, url, home, limits = {} } = profile;
      const now = sql`now()`;
      const fresh = { handle, url, home, limits, health: "ok" as const, healthReason: null, updatedAt: now };
      const tokens = tokenValues(credentials);
      await database.run({ userId }, (db) => [
        db
          .insert(accounts)
          .values({ id, userId, platform, subject, ...fresh })
          .onConflictDoUpdate({ target: [accounts.userId, accounts.platform, accounts.subject], set: fresh })
          .returning({ id: accounts.id }),
        db
          .insert(oauthTokens)
          .values({ id: credentials.id, userId, accountId: id, ...tokens, refreshedAt: now })
          .onConflictDoUpdate({
            target: oauthTokens.accountId,
            // With the id: the vault has sealed the tokens for a row of this id.
            set: {
              id: credentials.id,
              ...tokens,
              refreshLeaseUntil: null,
              refreshRestUntil: null,
              refreshedAt: now,
              updatedAt: now,
            },
          })
          .returning({ id: oauthTokens.id }),
        db.select({ id: sql<string>`delivery_id` }).from(sql`psn.reconnect(${id}::uuid)`),
      ]);
    },

    async disconnect(userId, accountId) {
      const [rows] = await database.run({ userId }, (db) => [
        db
          .select({ cancelled: sql<number>`cancelled`, unconfirmed: sql<number>`unconfirmed` })
          .from(sql`psn.disconnect(${accountId}::uuid, ${DISCONNECTED}::text)`),
      ]);
      return rows[0] ?? { cancelled: 0, unconfirmed: 0 };
    },

    async credentials(userId, accountId) {
      const [rows] = await database.run(
        { userId },
        (db) => [
          db
            .select({ tokens: oauthTokens, account: accounts })
            .from(oauthTokens)
            .innerJoin(accounts, eq(accounts.id, oauthTokens.accountId))
            .where(eq(oauthTokens.accountId, accountId)),
        ],
        { repeatable: true },
      );
      const [row] = rows;
      return row && credentialsOf(row.tokens, row.account);
    },

    async leaseRefresh(userId, accountId, leaseMs) {
      const { refreshRestUntil } = oauthTokens;
      const mine = eq(oauthTokens.accountId, accountId);
      // One that was exchanged in the future was exchanged before the database's clock stepped back: its rest is over.
      const rests = sql`coalesce(${refreshRestUntil} > now()
        and ${oauthTokens.refreshedAt} <= clock_timestamp() + interval '10 seconds', false)`;
      const [rows, resting] = await database.run({ userId }, (db) => [
        db
          .update(oauthTokens)
          .set({ refreshLeaseUntil: sql`now() + ${leaseMs} * interval '1 millisecond'` })
          .where(and(mine, not(refreshLeased(2 * leaseMs)), not(rests)))
          .returning({ id: oauthTokens.id }),
        db.select({ id: oauthTokens.id }).from(oauthTokens).where(and(mine, rests)),
      ]);
      return rows.length > 0 ? "mine" : resting.length > 0 ? "resting" : "taken";
    },

    async refreshed(userId, { accountId, previous, credentials, restMs }) {
      const [rows] = await database.run({ userId }, (db) => [
        db
          .update(oauthTokens)
          .set({
            ...tokenValues(credentials),
            refreshLeaseUntil: null,
            refreshRestUntil: sql`now() + ${restMs} * interval '1 millisecond'`,
            refreshedAt: sql`now()`,
            updatedAt: sql`now()`,
          })
          .where(and(eq(oauthTokens.accountId, accountId), eq(oauthTokens.accessToken, previous.access)))
          .returning({ id: oauthTokens.id }),
      ]);
      return rows.length > 0;
    },

    async releaseRefresh(userId, accountId) {
      await database.run({ userId }, (db) => [
        db
          .update(oauthTokens)
          .set({ refreshLeaseUntil: null })
          .where(eq(oauthTokens.accountId, accountId))
          .returning({ id: oauthTokens.id }),
      ]);
    },

    async hasFailed(userId, accountId, forMs) {
      const since = sql`now() - ${forMs} * interval '1 millisecond'`;
      const [tokens, published] = await database.run(
        { userId },
        (db) => [
          db
            .select({ id: oauthTokens.id })
            .from(oauthTokens)
            .where(and(eq(oauthTokens.accountId, accountId), sql`${oauthTokens.refreshedAt} <= ${since}`)),
          db
            .select({ id: deliveries.id })
            .from(deliveries)
            .where(and(eq(deliveries.accountId, accountId), sql`${deliveries.publishedAt} > ${since}`))
            .limit(1),
        ],
        { repeatable: true },
      );
      return tokens.length > 0 && published.length === 0;
    },

    async needsReconnect(userId, accountId, reason) {
      await database.run({ userId }, (db) => [
        db
          .update(accounts)
          .set({ health: "needs-reconnect", healthReason: reason, updatedAt: sql`now()` })
          .where(and(eq(accounts.id, accountId), eq(accounts.health, "ok")))
          .returning({ id: accounts.id }),
      ]);
    },
  };
}
