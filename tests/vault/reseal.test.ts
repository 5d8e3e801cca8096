import { openKey } from "@psn/app/api-keys.ts";
import { openCredentials } from "@psn/app/session.ts";
import type { Database } from "@psn/core/db/connection.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { migrate, migrationStatus } from "@psn/core/db/migrate.ts";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import type { Resealing } from "@psn/core/db/reseal.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import { createFormerVault, createVault, keyIdOf } from "@psn/core/vault.ts";
import { afterEach, describe, expect, test } from "vitest";
import { failed } from "../support/cli.ts";
import { asOwner } from "../support/databases.ts";
import { sealedBefore } from "../support/former-seal.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";
import { freshDatabase } from "../support/shared-postgres.ts";
import { type Ground, grounds, openAll, sealedValues } from "./stage.ts";

/*
 * Hubs whose values were sealed before tokens were bound (ADR 19): they are sealed anew once, with the migration or not
 * at all.
 */

const KNOWN = knownMigrations();
/** The one that seals anew. */
const AT = KNOWN.findIndex(({ statements }) => statements.some((statement) => statement.includes("-- reseal:")));
const id = () => Bun.randomUUIDv7();

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const byKeys =
  (...keys: readonly string[]): Resealing =>
  () => {
    const all = keys.map(keyFromHex);
    return { open: createFormerVault(all).open, seal: createVault({ keys: all }).seal };
  };

/** A hub as an older psn left it: a user with two accounts and an app's key. */
async function older(schema: number, hubKey = generateKey()) {
  const database: Database = openPg(await freshDatabase());
  open.push(() => database.close());
  expect(await migrate(database, KNOWN.slice(0, schema))).toBe(schema);
  const rows = (text: string, values: readonly unknown[] = []) => asOwner({ owner: database }, text, values);
  const userId = id();
  await rows("INSERT INTO psn.users (id, handle, time_zone) VALUES ($1, 'ada', 'UTC')", [userId]);
  const account = async (subject: string, key = hubKey) => {
    const [accountId, rowId] = [id(), id()];
    await rows(
      `INSERT INTO psn.accounts (id, user_id, platform, subject, handle, url, home)
       VALUES ($1, $2, 'bluesky', $3, 'ada', 'https://example.org/ada', 'https://example.org')`,
      [accountId, userId, subject],
    );
    const seal = (column: string) =>
      sealedBefore(key, { table: "oauth_tokens", column, rowId, userId }, `${column} of ${subject}`);
    await rows(
      "INSERT INTO psn.oauth_tokens (id, user_id, account_id, access_token, refresh_token, scopes) VALUES ($1, $2, " +
        "$3, $4, $5, '{write}')",
      [rowId, userId, accountId, seal("access_token"), seal("refresh_token")],
    );
    return accountId;
  };
  const accounts = [await account("did:plc:one"), await account("did:plc:two")] as const;
  const keyId = id();
  const value = sealedBefore(hubKey, { table: "api_keys", column: "value", rowId: keyId, userId }, "app secret");
  await rows("INSERT INTO psn.api_keys (id, user_id, name, value) VALUES ($1, $2, 'X_CLIENT_SECRET', $3)", [
    keyId,
    userId,
    value,
  ]);
  const values = async () =>
    JSON.stringify(
      await rows(
        "SELECT access_token, refresh_token, secret FROM psn.oauth_tokens UNION ALL " +
          "SELECT value, NULL, NULL FROM psn.api_keys",
      ),
    );
  return { database, rows, hubKey, userId, accounts, account, values };
}

type Older = Awaited<ReturnType<typeof older>>;

/** What the program opens now, by this key alone. */
async function opened({ database, userId, accounts }: Older, key: string) {
  const stores = createStores(database);
  const vault = createVault({ keys: [keyFromHex(key)] });
  const tokens = await Promise.all(accounts.map((accountId) => stores.accounts.credentials(userId, accountId)));
  const [app] = await stores.keys.list(userId);
  return [
    ...tokens
      .map((sealed) => sealed && openCredentials({ vault }, userId, sealed))
      .map((one) => [one?.access, one?.refresh]),
    app && openKey(vault, userId, app),
  ];
}
const ALL = [
  ["access_token of did:plc:one", "refresh_token of did:plc:one"],
  ["access_token of did:plc:two", "refresh_token of did:plc:two"],
  "app secret",
];

/** What the migration that seals anew and those after it have made, and would make again. */
const UNDO = [
  "ALTER TABLE psn.oauth_tokens DROP COLUMN version, DROP COLUMN secret_until, ADD CONSTRAINT " +
    "oauth_tokens_instants CHECK (true)",
  "ALTER TABLE psn.media DROP COLUMN bucket, ADD CONSTRAINT media_sizes CHECK (true)",
  "ALTER TABLE psn.users DROP COLUMN troubles, ADD CONSTRAINT users_sizes CHECK (true)",
  "ALTER TABLE psn.workers DROP COLUMN settings",
  // What 0021 adds: the policies name its columns.
  "ALTER POLICY deliveries_own ON psn.deliveries WITH CHECK (true)",
  "ALTER POLICY delivery_units_own ON psn.delivery_units WITH CHECK (true)",
  // What 0022 adds.
  "ALTER POLICY posts_own ON psn.posts WITH CHECK (true)",
  "DROP POLICY posts_definer ON psn.posts",
  "DROP TRIGGER deliveries_held ON psn.deliveries",
  "ALTER TABLE psn.deliveries DROP COLUMN wall_time, DROP COLUMN time_zone, DROP COLUMN revision, " +
    "DROP COLUMN held_reason, ADD CONSTRAINT deliveries_sizes CHECK (true)",
  "ALTER TABLE psn.media DROP COLUMN duration_ms, DROP COLUMN frame_rate",
  "ALTER TABLE psn.posts DROP COLUMN options, DROP COLUMN targets, DROP COLUMN state, DROP COLUMN revision, " +
    "DROP COLUMN origin, DROP COLUMN origin_ref, ADD COLUMN wall_time text, ADD COLUMN time_zone text",
  "DROP FUNCTION psn.move",
  "CREATE FUNCTION psn.move(ids uuid[], due timestamptz, note text) RETURNS TABLE (delivery_id uuid) LANGUAGE sql " +
    "AS 'SELECT NULL::uuid'",
  "ALTER FUNCTION psn.move OWNER TO psn_definer",
  "ALTER TABLE psn.deliveries DROP COLUMN operation",
  "ALTER TABLE psn.delivery_units DROP COLUMN asked_at, DROP COLUMN removed_at, ADD CONSTRAINT " +
    "delivery_units_instants CHECK (true)",
  ...[
    "hub_users",
    "unnamed_objects",
    "note_trouble",
    "mend_trouble",
    "forget_troubles",
    "wake_troubled",
    "drop_ended_secrets",
    "remove",
    "held_reason",
    "is_unsent",
    "edit",
  ].map((name) => `DROP FUNCTION psn.${name}`),
];

// First, since psn's group roles belong to the login that makes them, and here that is no superuser.
describe.each(Object.keys(grounds) as (keyof typeof grounds)[])("psn db migrate, %s", (kind) => {
  let ground: Ground;
  let server: MastodonFake;

  /** The hub as the psn before left it, with its values sealed in the former way. */
  const turnBack = async () => {
    const secrets = await openAll(ground);
    for (const { place } of await sealedValues(ground)) {
      const plaintext = secrets.get(`${place.rowId} ${place.column}`) ?? "";
      const sealed = sealedBefore(ground.env("HUB_ENCRYPTION_KEY") ?? "", place, plaintext);
      await ground.rows(`UPDATE psn.${place.table} SET ${place.column} = $2 WHERE id = $1`, [place.rowId, sealed]);
    }
    for (const statement of UNDO) await ground.rows(statement);
    await ground.rows("DELETE FROM psn.migrations WHERE number >= $1", [AT]);
    return secrets;
  };

  test("a hub of the psn before goes on with its tokens, and knows none that is put back", async () => {
    ground = await grounds[kind]();
    server = await startMastodon();
    open.push(() => server.stop());
    await ground.run(["connect", "mastodon", server.origin, "--token-stdin"], `${server.token}\n`);
    await ground.run(["keys", "set", "X_CLIENT_SECRET", "--stdin"], "secret of an app");
    const secrets = await turnBack();
    failed(await ground.psn(["accounts"]), "SCHEMA_OUTDATED");
    const former = await ground.rows("SELECT id, access_token FROM psn.oauth_tokens");
    expect(await ground.run(["db", "migrate"])).toMatchObject({ applied: KNOWN.length - AT });
    expect(await openAll(ground)).toEqual(secrets);
    for (const { sealed } of await sealedValues(ground)) expect(keyIdOf(sealed)).toMatch(/^[0-9a-f]{8}$/);
    expect(await ground.run(["post", "hello", "--to", "mastodon"])).toMatchObject({
      deliveries: [{ state: "published" }],
    });
    // A thief puts the former value back, and points it elsewhere.
    for (const row of former)
      await ground.rows("UPDATE psn.oauth_tokens SET access_token = $2 WHERE id = $1", [
        row["id"],
        row["access_token"],
      ]);
    const { code, stdout } = await ground.psn(["doctor", "--json"]);
    expect([code === 0, stdout]).toEqual([
      false,
      expect.stringMatching(/cannot be decrypted[^}]*psn connect mastodon/),
    ]);
    await ground.run(["connect", "mastodon", server.origin, "--token-stdin"], `${server.token}\n`);
    expect(await ground.run(["post", "again", "--to", "mastodon"])).toMatchObject({
      deliveries: [{ state: "published" }],
    });
  });
});

test.each(Array.from({ length: AT - 1 }, (_, n) => n + 2))(
  "a hub of schema %i: every value opens afterwards, and none as it was",
  async (schema) => {
    const hub = await older(schema);
    expect(await migrate(hub.database, KNOWN, byKeys(hub.hubKey))).toBe(KNOWN.length - schema);
    expect(await opened(hub, hub.hubKey)).toEqual(ALL);
    expect(await hub.values()).not.toContain("v1.");
    const unforced =
      "SELECT relname FROM pg_class WHERE relnamespace = 'psn'::regnamespace AND relrowsecurity " +
      "AND NOT relforcerowsecurity";
    expect(await hub.rows(unforced)).toEqual([]);
    expect(await migrate(hub.database, KNOWN, byKeys(hub.hubKey))).toBe(0);
  },
);

describe("all or nothing", () => {
  const stays = async (hub: Older, refusal: object, keys?: Resealing) => {
    const before = await hub.values();
    await expect(migrate(hub.database, KNOWN, keys)).rejects.toMatchObject(refusal);
    expect(await migrationStatus(hub.database)).toMatchObject({ applied: AT });
    expect(await hub.values()).toBe(before);
  };

  test("without the hub's key, or with another hub's, nothing is changed; with it the same hub goes on", async () => {
    const hub = await older(AT);
    await stays(hub, { code: "VAULT_LOCKED", hint: expect.stringContaining("psn db migrate") });
    await stays(hub, { code: "VAULT_LOCKED" }, byKeys(generateKey()));
    await migrate(hub.database, KNOWN, byKeys(hub.hubKey));
    expect(await opened(hub, hub.hubKey)).toEqual(ALL);
  });

  test("stopped in the middle, it begins again from what there was", async () => {
    const hub = await older(AT);
    let calls = 0;
    const dying: Resealing = () => {
      const { open: opens, seal } = byKeys(hub.hubKey)();
      return {
        open: opens,
        seal: (...args) => {
          calls += 1;
          if (calls === 4) throw new PsnError("INTERRUPTED", "stopped");
          return seal(...args);
        },
      };
    };
    await stays(hub, { code: "INTERRUPTED" }, dying);
    await migrate(hub.database, KNOWN, byKeys(hub.hubKey));
    expect(await opened(hub, hub.hubKey)).toEqual(ALL);
  });

  test("not while a token is being exchanged: its worker would store one as before", async () => {
    const hub = await older(AT);
    await hub.rows("UPDATE psn.oauth_tokens SET refresh_lease_until = now() + interval '50 seconds'");
    await stays(hub, { code: "HUB_BUSY" }, byKeys(hub.hubKey));
    // A user's own hand stops nobody's migration.
    await hub.rows("UPDATE psn.oauth_tokens SET refresh_lease_until = '9999-12-01'");
    await migrate(hub.database, KNOWN, byKeys(hub.hubKey));
  });

  test("not while an older worker runs, which could open nothing then; a task looks at the schema itself", async () => {
    const hub = await older(AT);
    const beat = (name: string, ago: string) =>
      hub.rows(`INSERT INTO psn.workers (name, version, beat_at) VALUES ($1, '0', now() - interval '${ago}')`, [name]);
    await beat("trigger.dev watchdog", "1 second");
    await beat("killed-1", "1 hour");
    await beat("here-2", "1 second");
    await stays(hub, { code: "WORKER_RUNNING", message: expect.stringContaining("here-2") }, byKeys(hub.hubKey));
    await hub.rows("DELETE FROM psn.workers WHERE name = 'here-2'");
    await migrate(hub.database, KNOWN, byKeys(hub.hubKey));
  });

  test("in a rotation that was begun: both keys open, and the current one seals", async () => {
    const hub = await older(AT);
    const next = generateKey();
    const third = await hub.account("did:plc:three", next);
    await migrate(hub.database, KNOWN, byKeys(next, hub.hubKey));
    expect(await opened(hub, next)).toEqual(ALL);
    expect(await opened({ ...hub, accounts: [third, third] }, next)).toMatchObject([
      ["access_token of did:plc:three", expect.anything()],
      {},
      ALL[2],
    ]);
  });
});

test("what does not open is left as it is, and its account waits to be connected again", async () => {
  const hub = await older(AT);
  await hub.rows("UPDATE psn.oauth_tokens SET refresh_token = access_token WHERE account_id = $1", [hub.accounts[0]]);
  const stray = await hub.account("did:plc:stray", generateKey());
  await migrate(hub.database, KNOWN, byKeys(hub.hubKey));
  const health = await hub.rows("SELECT id, health FROM psn.accounts ORDER BY subject");
  expect(health).toEqual([
    { id: hub.accounts[0], health: "needs-reconnect" },
    { id: stray, health: "needs-reconnect" },
    { id: hub.accounts[1], health: "ok" },
  ]);
  const [, second] = await opened({ ...hub, accounts: [hub.accounts[1], hub.accounts[1]] }, hub.hubKey);
  expect(second).toEqual(ALL[1]);
});
