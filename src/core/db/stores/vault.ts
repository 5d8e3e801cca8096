import type { Database } from "@psn/core/db/database.ts";
import { accounts, apiKeys, oauthTokens } from "@psn/core/db/schema.ts";
import type { Sealed, SealedRow } from "@psn/core/ports/hub.ts";
import { and, asc, eq, gt, not, or, type SQL, sql } from "drizzle-orm";
import type { AnyPgColumn } from "drizzle-orm/pg-core";
import { refreshLeased } from "./accounts.ts";

/*
 * Every column that holds a sealed value is named here, and nowhere else for a rotation: tests/vault/refusals.test.ts
 * walks the schema for others.
 */

const tokenColumns = {
  access_token: oauthTokens.accessToken,
  refresh_token: oauthTokens.refreshToken,
  secret: oauthTokens.secret,
};
const keyColumns = { value: apiKeys.value };
const { version } = oauthTokens;
const { platform, subject, home } = accounts;

/** The columns of each table that hold sealed values. */
export const SEALED = { oauth_tokens: Object.keys(tokenColumns), api_keys: Object.keys(keyColumns) } as const;

const keyIdOf = (column: AnyPgColumn) => sql<string>`split_part(${column}, '.', 2)`;
/** Twice the lease of an exchange (app/session.ts), in milliseconds. */
const LEASED_MOST_MS = 120_000;
const leased = refreshLeased(LEASED_MOST_MS);

const anyOf = (columns: Readonly<Record<string, AnyPgColumn>>, is: (column: AnyPgColumn) => SQL) =>
  or(...Object.values(columns).map(is));

export function sealedStore(database: Database): Sealed {
  const rowsWith = async (
    userId: string,
    {
      is,
      most,
      after,
    }: { readonly is: (column: AnyPgColumn) => SQL; readonly most: number; readonly after?: SealedRow | undefined },
  ) => {
    const tokensAfter =
      after === undefined ? undefined : after.table === "oauth_tokens" ? gt(oauthTokens.id, after.id) : sql`false`;
    const keysAfter = after?.table === "api_keys" ? gt(apiKeys.id, after.id) : undefined;
    const [tokens, keys] = await database.run(
      { userId },
      (db) => [
        db
          .select({ id: oauthTokens.id, leased, version, platform, subject, home, ...tokenColumns })
          .from(oauthTokens)
          .innerJoin(accounts, eq(accounts.id, oauthTokens.accountId))
          .where(and(anyOf(tokenColumns, is), tokensAfter))
          .orderBy(asc(oauthTokens.id))
          .limit(most),
        db
          .select({ id: apiKeys.id, name: apiKeys.name, ...keyColumns })
          .from(apiKeys)
          .where(and(anyOf(keyColumns, is), keysAfter))
          .orderBy(asc(apiKeys.id))
          .limit(most),
      ],
      { repeatable: true },
    );
    const rows: readonly SealedRow[] = [
      ...tokens.map(({ id, leased: isLeased, version: nth, platform: of, subject: whose, home: where, ...values }) => ({
        table: "oauth_tokens" as const,
        id,
        values,
        version: nth,
        audience: [of, whose, where],
        leased: isLeased,
      })),
      ...keys.map(({ id, name, ...values }) => ({
        table: "api_keys" as const,
        id,
        values,
        version: 1,
        audience: [name],
        leased: false,
      })),
    ];
    return rows.slice(0, most);
  };

  return {
    ofKey: (userId, { keyId, most, after }) =>
      rowsWith(userId, { is: (column) => sql`${keyIdOf(column)} = ${keyId}`, most, after }),

    ofOthers: (userId, keyIds, most) =>
      rowsWith(userId, {
        is: (column) => sql`not (${keyIdOf(column)} = any (${`{${keyIds.join(",")}}`}::text[]))`,
        most,
      }),

    async reseal(userId, { table, id, values: before }, values) {
      const same = (columns: Readonly<Record<string, AnyPgColumn>>) =>
        Object.entries(columns).map(([name, column]) => sql`${column} is not distinct from ${before[name] ?? null}`);
      const text = (name: string) => values[name] ?? null;
      const [rows] = await database.run({ userId }, (db) => [
        table === "api_keys"
          ? db
              .update(apiKeys)
              .set({ value: text("value") ?? sql`null` })
              .where(and(eq(apiKeys.id, id), ...same(keyColumns)))
              .returning({ id: apiKeys.id })
          : db
              .update(oauthTokens)
              .set({
                accessToken: text("access_token") ?? sql`null`,
                refreshToken: text("refresh_token"),
                secret: text("secret"),
              })
              .where(and(eq(oauthTokens.id, id), not(leased), ...same(tokenColumns)))
              .returning({ id: oauthTokens.id }),
      ]);
      return rows.length > 0;
    },

    async count(userId) {
      const columns = [
        ...Object.values(tokenColumns).map((column) => [oauthTokens, column] as const),
        [apiKeys, apiKeys.value] as const,
      ];
      const counts: Record<string, number> = {};
      for (const [table, column] of columns) {
        const [rows] = await database.run(
          { userId },
          (db) => [
            db
              .select({ key: keyIdOf(column), n: sql<number>`count(*)::integer` })
              .from(table)
              .where(sql`${column} is not null`)
              .groupBy(keyIdOf(column)),
          ],
          { repeatable: true },
        );
        for (const { key, n } of rows) counts[key] = (counts[key] ?? 0) + n;
      }
      return counts;
    },
  };
}
