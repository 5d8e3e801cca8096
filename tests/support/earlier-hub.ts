import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import { createVault } from "@psn/core/vault.ts";
import { asOwner } from "./databases.ts";
import { sealedBefore } from "./former-seal.ts";
import { freshDatabase } from "./shared-postgres.ts";

/** The first schema whose tokens are bound to what they were given for (0015_bound_tokens.sql, ADR 19). */
const BOUND = 16;
const ACCOUNT = ["bluesky", "did:plc:ada", "https://example.org"] as const;

/** A hub in `folder` as a psn of this schema left it: an account and its token, a post to come, one that is out. */
export async function earlierHub(schema: number, folder: string) {
  const url = await freshDatabase();
  const database = openPg(url);
  const rows = (text: string, values: readonly unknown[]) => asOwner({ owner: database }, text, values);
  const [userId, accountId, tokenId] = [Bun.randomUUIDv7(), Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  const key = generateKey();
  try {
    await migrate(database, knownMigrations().slice(0, schema));
    await rows("INSERT INTO psn.users (id, handle, time_zone) VALUES ($1, 'ada', 'UTC')", [userId]);
    const [platform, subject, home] = ACCOUNT;
    await rows(
      `INSERT INTO psn.accounts (id, user_id, platform, subject, handle, url, home)
       VALUES ($1, $2, $3, $4, 'ada.example.org', 'https://example.org/ada', $5)`,
      [accountId, userId, platform, subject, home],
    );
    const place = { table: "oauth_tokens", column: "access_token", rowId: tokenId, userId };
    const sealed =
      schema < BOUND
        ? sealedBefore(key, place, "an access token")
        : createVault({ keys: [keyFromHex(key)] }).seal(
            { ...place, version: 1, audience: [...ACCOUNT] },
            "an access token",
          );
    await rows(
      `INSERT INTO psn.oauth_tokens (id, user_id, account_id, access_token, scopes)
       VALUES ($1, $2, $3, $4, '{atproto}')`,
      [tokenId, userId, accountId, sealed],
    );
    const post = async (text: string, isOut: boolean) => {
      const [postId, id] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      const at = isOut ? "2026-01-01T09:00:00Z" : "2031-03-30T07:00:00Z";
      await rows(`INSERT INTO psn.posts (id, user_id, parts) VALUES ($1, $2, $3)`, [
        postId,
        userId,
        JSON.stringify([{ text, media: [] }]),
      ]);
      await rows(
        `INSERT INTO psn.deliveries (id, user_id, post_id, account_id, state, due_at, wake_at, published_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7)`,
        [id, userId, postId, accountId, isOut ? "published" : "scheduled", at, isOut ? at : null],
      );
      await rows(
        `INSERT INTO psn.delivery_units (id, user_id, delivery_id, position, state, body, text, length, media,
           needs_prepare, ref_id, ref_url, published_at)
         VALUES ($1, $2, $3, 0, $4, '{}', $5, 5, '{}', false, $6, $6, $7)`,
        [Bun.randomUUIDv7(), userId, id, isOut ? "published" : "waiting", text, isOut ? home : null, isOut ? at : null],
      );
      return id;
    };
    await post("out already", true);
    const scheduled = await post("to come", false);
    await mkdir(join(folder, "config"), { mode: 0o700 });
    const settings = { HUB_ENCRYPTION_KEY: key, PSN_USER: userId, DATABASE_URL: url };
    const text = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(folder, "config/hub.env"), text.join(""), { mode: 0o600 });
    return { url, key, userId, accountId, scheduled };
  } finally {
    await database.close();
  }
}
