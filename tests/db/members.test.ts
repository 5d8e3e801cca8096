import { openCredentials, sealCredentials } from "@psn/app/session.ts";
import type { Database } from "@psn/core/db/connection.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { hubUsers } from "@psn/core/db/hub-users.ts";
import { makeMemberLogin } from "@psn/core/db/logins.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import type { StoredCredentials } from "@psn/core/ports/accounts.ts";
import type { Place, Vault } from "@psn/core/ports/outside.ts";
import type { Stores } from "@psn/core/ports/world.ts";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import { createMemberVault, createVault, deriveUserKey } from "@psn/core/vault.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { asOwner, newName, newPassword, type TestDatabase, testDatabases, urlAs } from "../support/databases.ts";
import { thrown } from "../support/thrown.ts";
import { newId, newUser, profile } from "./stage.ts";

/*
 * A member of a team: a login of their own in the database and a key of their own for the vault, together. What
 * row-level security refuses each login is in rls.test.ts, what each key opens in src/core/vault.test.ts; here one of
 * the two guards has failed, or the login is taken for more than it is.
 */

const hubKey = keyFromHex(generateKey());
const ownersVault = createVault({ keys: [hubKey] });

interface Person {
  readonly userId: string;
  readonly accountId: string;
  readonly credentialsId: string;
  readonly token: string;
}

let db: TestDatabase;
let hub: Stores;
let owner: Person;
let anna: Person;
/** Anna's own machine: her login and her key, and nothing else of the hub's. */
let member: Database;
let her: { readonly stores: Stores; readonly vault: Vault };
beforeAll(async () => {
  const driver = testDatabases.find((one) => one.driver === "pg");
  if (!driver) throw new Error("no Postgres");
  db = await driver.open();
  hub = createStores(db.database);
  [owner, anna] = [await person(hub, ownersVault, "owner"), await person(hub, ownersVault, "anna")];
  member = await db.asMember(anna.userId);
  her = {
    stores: createStores(member),
    vault: createMemberVault({ userId: anna.userId, keys: [deriveUserKey(hubKey, anna.userId)] }),
  };
});
afterAll(() => db.close());

async function person(stores: Stores, vault: Vault, name: string): Promise<Person> {
  const userId = await newUser(stores);
  const [accountId, credentialsId, token] = [newId(), newId(), `token of ${name}`];
  const account = { id: accountId, platform: "mastodon", profile: profile(name) };
  const credentials = { access: token, refresh: `renews ${token}`, scopes: ["write"] };
  await stores.accounts.connect(
    userId,
    account,
    sealCredentials({ vault }, { userId, row: { id: credentialsId, version: 1 }, account, credentials }),
  );
  await stores.keys.put(userId, {
    id: credentialsId,
    name: "KEY",
    value: vault.seal(keyPlace(userId, credentialsId), `key of ${name}`),
  });
  return { userId, accountId, credentialsId, token };
}

const keyPlace = (userId: string, rowId: string): Place => ({
  table: "api_keys",
  column: "value",
  rowId,
  userId,
  version: 1,
  audience: ["KEY"],
});
/** As a thief has it, who came by the rows and not by the program. */
const stolen = async ({ userId, accountId }: Person): Promise<StoredCredentials> => {
  const [row] = await asOwner<
    Record<"id" | "access" | "refresh", string> & Pick<StoredCredentials, "version" | "audience">
  >(
    db,
    `SELECT t.id, t.version, json_build_array(a.platform, a.subject, a.home) AS audience,
       access_token AS access, refresh_token AS refresh
     FROM psn.oauth_tokens t JOIN psn.accounts a ON a.id = t.account_id WHERE t.user_id = $1 AND a.id = $2`,
    [userId, accountId],
  );
  if (!row) throw new Error("no row to steal");
  return { ...row, secret: null, secretUntil: null, expiresAt: null, scopes: [] };
};

it("sees and opens what the hub sealed for her, and the hub opens what she seals", async () => {
  expect((await her.stores.accounts.list(anna.userId)).map(({ id }) => id)).toEqual([anna.accountId]);
  const sealed = await her.stores.accounts.credentials(anna.userId, anna.accountId);
  expect(sealed && openCredentials(her, anna.userId, sealed)).toMatchObject({
    access: anna.token,
    refresh: `renews ${anna.token}`,
  });
  const [key] = await her.stores.keys.list(anna.userId);
  expect(her.vault.open(keyPlace(anna.userId, anna.credentialsId), key?.value ?? "")).toBe("key of anna");

  const account = { id: newId(), platform: "bluesky", profile: profile("annas-own") };
  const own = sealCredentials(her, {
    userId: anna.userId,
    row: { id: newId(), version: 1 },
    account,
    credentials: { access: "hers", scopes: [] },
  });
  await her.stores.accounts.connect(anna.userId, account, own);
  const read = await hub.accounts.credentials(anna.userId, account.id);
  expect(read && openCredentials({ vault: ownersVault }, anna.userId, read).access).toBe("hers");
});

it("asked for somebody else, every verb of the stores is about nobody, and changes nothing", async () => {
  const { accounts, keys, posts, sealed, inspection } = her.stores;
  const before = await stolen(owner);
  // A member is who the login is: what the program says of whose rows it wants makes no difference.
  expect((await accounts.list(owner.userId)).map(({ id }) => id)).not.toContain(owner.accountId);
  expect(await accounts.credentials(owner.userId, owner.accountId)).toBeUndefined();
  expect(await accounts.leaseRefresh(owner.userId, owner.accountId, 1_000)).toBe("taken");
  expect(
    await accounts.refreshed(owner.userId, {
      accountId: owner.accountId,
      previous: before,
      credentials: { ...before, access: "stolen" },
      restMs: 0,
    }),
  ).toBe(false);
  await accounts.needsReconnect(owner.userId, owner.accountId, "by anna");
  expect(await accounts.disconnect(owner.userId, owner.accountId)).toEqual({ cancelled: 0, unconfirmed: 0 });
  expect((await keys.list(owner.userId)).map(({ id }) => id)).not.toContain(owner.credentialsId);
  expect(await posts.list(owner.userId, "all", 10)).toEqual([]);
  const { id, version, audience } = before;
  const row = { table: "oauth_tokens", id, version, audience, leased: false } as const;
  const values = { access_token: before.access, refresh_token: before.refresh, secret: null };
  expect(await sealed.reseal(owner.userId, { ...row, values }, { ...values, access_token: "stolen" })).toBe(false);
  expect((await inspection.differences()).filter(({ severe }) => severe)).toEqual([]);
  expect(await stolen(owner)).toEqual(before);
  expect((await hub.accounts.list(owner.userId))[0]?.health).toBe("ok");
});

it("rows cannot be planted among somebody else's", async () => {
  const account = { id: newId(), platform: "mastodon", profile: profile("planted") };
  const sealed = sealCredentials(her, {
    userId: anna.userId,
    row: { id: newId(), version: 1 },
    account,
    credentials: {
      access: "planted",
      scopes: [],
    },
  });
  await expect(her.stores.accounts.connect(owner.userId, account, sealed)).rejects.toMatchObject({
    details: { code: "42501" },
  });
  await expect(her.stores.keys.put(owner.userId, { id: newId(), name: "PLANTED", value: "x" })).rejects.toMatchObject({
    details: { code: "42501" },
  });
  expect((await hub.keys.list(owner.userId)).map(({ name }) => name)).toEqual(["KEY"]);
});

it("a stolen row of the owner's does not open with her key, at its place or moved among her own", async () => {
  const row = await stolen(owner);
  expect(thrown(() => openCredentials(her, owner.userId, row)).code).toBe("VAULT_LOCKED");
  expect(thrown(() => openCredentials(her, anna.userId, row)).code).toBe("VAULT_TAMPERED");
  // A key that is said to be another's is not.
  const posing = { vault: createMemberVault({ userId: owner.userId, keys: [deriveUserKey(hubKey, anna.userId)] }) };
  expect(thrown(() => openCredentials(posing, owner.userId, row)).code).toBe("VAULT_TAMPERED");
  // Put over her own by somebody who may write everything: the program opens nothing and says so.
  const mine = await stolen(anna);
  await asOwner(db, "UPDATE psn.oauth_tokens SET access_token = $1, refresh_token = $2 WHERE id = $3", [
    row.access,
    row.refresh,
    mine.id,
  ]);
  const moved = await her.stores.accounts.credentials(anna.userId, anna.accountId);
  expect(moved && thrown(() => openCredentials(her, anna.userId, moved)).code).toBe("VAULT_TAMPERED");
  expect(moved && thrown(() => openCredentials({ vault: ownersVault }, anna.userId, moved)).code).toBe(
    "VAULT_TAMPERED",
  );
  await asOwner(db, "UPDATE psn.oauth_tokens SET access_token = $1, refresh_token = $2 WHERE id = $3", [
    mine.access,
    mine.refresh,
    mine.id,
  ]);
});

it("she is no service: no verb over all users, no role, no list of users", async () => {
  const { deliveries, upkeep, users, inspection } = her.stores;
  const refused = (asked: Promise<unknown>) =>
    expect(asked).rejects.toMatchObject({ code: "DB_REFUSED", details: { code: "42501" } });
  await refused(deliveries.claim({ worker: "w", most: 1, leaseMs: 1, concurrency: { mastodon: 1 } }));
  await refused(deliveries.nextWake({ mastodon: 1 }));
  await refused(deliveries.beat("w", "0"));
  await refused(upkeep.staleTokens(["mastodon"], 1, 1));
  await refused(upkeep.spentMedia(1, 1));
  await refused(users.add({ id: newId(), handle: "x", timeZone: "UTC" }));
  await refused(inspection.workers());
  await refused(
    member.run({ userId: anna.userId, service: true }, (builder) => [builder.execute(sql.raw("SELECT 1"))]),
  );
  // Not by the session itself either, as a rotation or an export asks.
  await expect(hubUsers(member)).rejects.toMatchObject({
    code: "DB_OWNER_REQUIRED",
    hint: expect.stringContaining("DATABASE_OWNER_URL"),
  });
  expect(await hubUsers(db.owner)).toEqual([owner.userId, anna.userId].toSorted());
});

it("a login belongs to one user; whoever is given another login loses the first one's sight", async () => {
  const bob = await person(hub, ownersVault, "bob");
  const url = await asOwner<{ readonly name: string }>(db, "SELECT current_database()::text AS name");
  const [first, second] = [newName(), newName()];
  const open = async (name: string) => {
    const password = newPassword();
    await makeMemberLogin(db.owner, { userId: bob.userId, name, password });
    return openPg(urlAs(await addressOf(url[0]?.name ?? ""), name, password));
  };
  const [before, after] = [await open(first), await open(second)];
  try {
    const sees = async (database: Database) => (await createStores(database).accounts.list(bob.userId)).length;
    expect([await sees(before), await sees(after)]).toEqual([0, 1]);
    // 23505: a login of a user's cannot be given to another one as well.
    await expect(
      makeMemberLogin(db.owner, { userId: anna.userId, name: second, password: newPassword() }),
    ).rejects.toMatchObject({
      details: { code: "23505" },
    });
  } finally {
    await before.close();
    await after.close();
  }
});

async function addressOf(database: string): Promise<string> {
  const { sharedPostgres } = await import("../support/shared-postgres.ts");
  const address = new URL((await sharedPostgres()).url);
  address.pathname = `/${database}`;
  return address.href;
}
