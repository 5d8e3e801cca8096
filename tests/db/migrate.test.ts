import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Database } from "@psn/core/db/connection.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { makeMemberLogin, makeServiceLogin, privilegesOf } from "@psn/core/db/logins.ts";
import { renderManifest } from "@psn/core/db/manifest.ts";
import { assertMigrated, migrate, migrationStatus } from "@psn/core/db/migrate.ts";
import { knownMigrations, type Migration } from "@psn/core/db/migrations.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { factsOf } from "@psn/core/db/stores/inspection.ts";
import { afterEach, describe, expect, it } from "vitest";
import { asOwner, newName, newPassword, type TestDatabase, testDatabases, urlAs } from "../support/databases.ts";
import { startPostgres } from "../support/postgres.ts";
import { freshDatabase } from "../support/shared-postgres.ts";
import { dumpSchema } from "./dump.ts";
import { missingGuards } from "./row-security.ts";
import { claimOne, done, newId, newUser, schedule, settle, setUp, stateOf } from "./stage.ts";

const KNOWN = knownMigrations();
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** As `sha256sum` has it. */
const DIGESTS = fileURLToPath(new URL("./migrations.sha256", import.meta.url));
const GOLDEN = fileURLToPath(new URL("./schema.sql", import.meta.url));

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
const openUrl = (url: string): Database => {
  const database = openPg(url);
  open.push(() => database.close());
  return database;
};
/** A database without anything, by its owner. */
const empty = async (): Promise<Database> => openUrl(await freshDatabase());
const opened = async (index: number): Promise<TestDatabase> => {
  const db = await testDatabases[index]?.open();
  if (!db) throw new Error("no such driver");
  open.push(() => db.close());
  return db;
};
const rows = (owner: Database, text: string, values: readonly unknown[] = []) => asOwner({ owner }, text, values);

describe("the golden schema", () => {
  it.each(testDatabases.map(({ driver }, index) => ({ driver, index })))("$driver has it", async ({ index }) => {
    const db = await opened(index);
    const dump = await dumpSchema(db);
    if (process.env["PSN_GOLDEN"] === "write" && index === 0) await writeFile(GOLDEN, dump);
    expect(dump).toBe(await readFile(GOLDEN, "utf8"));
  });

  it.each(testDatabases.map(({ driver }, index) => ({ driver, index })))(
    "$driver has the facts of the manifest",
    async ({ index }) => {
      const db = await opened(index);
      const facts = await factsOf(db.database);
      const of = ({ kind }: { kind: string }) => kind !== "neighbour";
      expect(renderManifest(facts.filter(of)), "run: bun run manifest").toBe(
        await readFile(join(ROOT, "drizzle/manifest.txt"), "utf8"),
      );
    },
  );

  it("is made by migrations that stay as they were: a hub that has applied one never reads it again", async () => {
    const folder = join(ROOT, "drizzle/migrations");
    const names = (await readdir(folder)).filter((name) => name.endsWith(".sql")).sort();
    const digests = await Promise.all(
      names.map(
        async (name) =>
          `${createHash("sha256")
            .update(await readFile(join(folder, name)))
            .digest("hex")}  ${name}\n`,
      ),
    );
    const noted = await readFile(DIGESTS, "utf8").catch(() => "");
    const added = digests.slice(noted.split("\n").length - 1);
    // Only what is new is written: whoever changes one that is noted here has to take its line out by hand.
    if (process.env["PSN_GOLDEN"] === "write") await writeFile(DIGESTS, noted + added.join(""));
    expect(digests.join("")).toBe(await readFile(DIGESTS, "utf8"));
  });

  it("schema.ts says nothing that the migrations do not, which needs no database to tell", async () => {
    const folder = await mkdtemp(join(tmpdir(), "psn-test-generate-"));
    open.push(() => rm(folder, { recursive: true }));
    await cp(join(ROOT, "drizzle", "migrations"), folder, { recursive: true });
    const files = async () => (await readdir(folder, { recursive: true })).sort();
    const before = await files();
    const { DATABASE_URL: _, ...env } = process.env;
    const kit = join(ROOT, "node_modules", "drizzle-kit", "bin.cjs");
    const args = [
      "--bun",
      kit,
      "generate",
      "--dialect",
      "postgresql",
      "--schema",
      "src/core/db/schema.ts",
      "--out",
      relative(ROOT, folder),
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, env });
    expect(stdout).toContain("No schema changes, nothing to migrate");
    expect(await files()).toEqual(before);
  });
});

describe("migrate", () => {
  it("applies what is missing, and nothing the second time", async () => {
    const owner = await empty();
    expect(await migrationStatus(owner)).toEqual({ applied: 0, pending: KNOWN.length, unknown: 0 });
    expect(await migrate(owner)).toBe(KNOWN.length);
    const dump = await dumpSchema({ owner });
    expect(await migrate(owner)).toBe(0);
    expect(await dumpSchema({ owner })).toBe(dump);
    expect(await migrationStatus(owner)).toEqual({ applied: KNOWN.length, pending: 0, unknown: 0 });
    await assertMigrated(owner);
  });

  it("goes on where an older psn stopped, and keeps the rows", async () => {
    const owner = await empty();
    expect(await migrate(owner, KNOWN.slice(0, 2))).toBe(2);
    const id = newId();
    await rows(owner, "INSERT INTO psn.users (id, handle, time_zone) VALUES ($1, 'anna', 'UTC')", [id]);
    expect(await migrationStatus(owner)).toEqual({ applied: 2, pending: KNOWN.length - 2, unknown: 0 });
    expect(await migrate(owner)).toBe(KNOWN.length - 2);
    expect(await createStores(owner).users.get(id)).toMatchObject({ handle: "anna" });
  });

  it("twenty at once are as good as one", async () => {
    const url = await freshDatabase();
    const owners = Array.from({ length: 20 }, () => openUrl(url));
    const applied = await Promise.all(owners.map((owner) => migrate(owner)));
    expect(applied.reduce((sum, n) => sum + n, 0)).toBe(KNOWN.length);
    const [owner] = owners;
    if (!owner) throw new Error("none");
    expect(await rows(owner, "SELECT number, hash FROM psn.migrations ORDER BY number")).toEqual(
      KNOWN.map(({ hash }, number) => ({ number, hash })),
    );
  });

  it("one that fails leaves those before it, and a program that works", async () => {
    const bad: Migration = {
      hash: "bad",
      statements: ["CREATE TABLE psn.half (id integer)", "ALTER TABLE psn.posts DROP COLUMN title", "SELECT 1 / 0"],
    };
    const db = await opened(1);
    await expect(migrate(db.owner, [...KNOWN, bad])).rejects.toMatchObject({
      code: "DB_FAILED",
      details: { code: "22012" },
    });
    expect(await dumpSchema(db)).toBe(await readFile(GOLDEN, "utf8"));
    await assertMigrated(db.database);
    const stage = await setUp(db);
    const { id } = await schedule(stage);
    await settle(stage, await claimOne(stage), done("1"));
    expect(await stateOf(stage, id)).toBe("published");
    const good: Migration = { hash: "good", statements: ["CREATE TABLE psn.half (id integer)"] };
    expect(await migrate(db.owner, [...KNOWN, good])).toBe(1);

    const owner = await empty();
    const [first] = KNOWN;
    if (!first) throw new Error("none");
    await expect(migrate(owner, [first, bad])).rejects.toMatchObject({
      code: expect.stringMatching(/^(DB_FAILED|SCHEMA_OUTDATED)$/),
    });
    expect(await migrationStatus(owner)).toEqual({ applied: 1, pending: KNOWN.length - 1, unknown: 0 });
    expect(await migrate(owner)).toBe(KNOWN.length - 1);
  });

  it.each([0, 1, 3])("a failure does not spoil the connection (driver %i)", async (index) => {
    const db = await opened(index);
    for (let n = 0; n < 3; n += 1)
      await expect(migrate(db.owner, [...KNOWN, { hash: "bad", statements: ["SELECT 1 / 0"] }])).rejects.toThrow();
    await expect(
      db.owner.asOwner?.(async (client) => {
        await client.query("BEGIN");
        await client.query("SELECT 1 / 0");
      }),
    ).rejects.toMatchObject({ code: "DB_FAILED" });
    await newUser(createStores(db.owner));
    await assertMigrated(db.owner);
  });

  it("needs a session", async () => {
    const db = await opened(2);
    await expect(migrate(db.database)).rejects.toMatchObject({ code: "BUG" });
    await assertMigrated(db.database);
  });

  it("an outdated schema is SCHEMA_OUTDATED with the command that helps, for every login", async () => {
    const url = await freshDatabase();
    const owner = openUrl(url);
    await expect(assertMigrated(owner)).rejects.toMatchObject({ code: "SCHEMA_OUTDATED", hint: "psn db migrate" });
    await expect(createStores(owner).users.get(newId())).rejects.toMatchObject({
      code: expect.stringMatching(/^(SCHEMA_OUTDATED|DB_FAILED)$/),
    });
    await migrate(owner);
    const id = newId();
    await createStores(owner).users.add({ id, handle: "anna", timeZone: "UTC" });
    const [service, member] = [newName(), newName()];
    const password = newPassword();
    await makeServiceLogin(owner, service, password);
    await makeMemberLogin(owner, { userId: id, name: member, password });
    const logins = [owner, openUrl(urlAs(url, service, password)), openUrl(urlAs(url, member, password))];
    for (const login of logins) await assertMigrated(login);
    await rows(owner, "DELETE FROM psn.migrations WHERE number = $1", [KNOWN.length - 1]);
    for (const login of logins)
      await expect(assertMigrated(login)).rejects.toMatchObject({ code: "SCHEMA_OUTDATED", hint: "psn db migrate" });
  });

  it("a schema of a newer psn, or a migration changed after its release, is SCHEMA_NEWER and stays", async () => {
    for (const change of [
      "INSERT INTO psn.migrations VALUES (99, 'of tomorrow')",
      "UPDATE psn.migrations SET hash = 'changed' WHERE number = 1",
    ]) {
      const db = await opened(1);
      await rows(db.owner, change);
      await expect(assertMigrated(db.database)).rejects.toMatchObject({ code: "SCHEMA_NEWER" });
      await expect(migrate(db.owner)).rejects.toMatchObject({ code: "SCHEMA_NEWER" });
      expect((await rows(db.owner, "SELECT count(*)::integer AS n FROM psn.migrations"))[0]).toEqual({
        n: KNOWN.length + (change.startsWith("INSERT") ? 1 : 0),
      });
    }
  });
});

describe("an owner that is no superuser", () => {
  it("needs CREATEROLE and a database of its own, and is under its own policies", async () => {
    const server = await startPostgres();
    open.push(() => server.stop());
    const superuser = openUrl(server.url);
    const password = newPassword();
    await rows(superuser, `CREATE ROLE hub_owner LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '${password}'`);
    // Twice: the second hub of this owner on one server meets the roles of the first.
    for (const name of ["hub", "second"]) {
      await rows(superuser, `CREATE DATABASE ${name} OWNER hub_owner`);
      const owner = openUrl(server.urlFor(name, { user: "hub_owner", password }));
      expect(await migrationStatus(owner)).toEqual({ applied: 0, pending: KNOWN.length, unknown: 0 });
      expect(await migrate(owner)).toBe(KNOWN.length);
      expect(await migrate(owner)).toBe(0);
      expect(await migrationStatus(owner)).toEqual({ applied: KNOWN.length, pending: 0, unknown: 0 });
      expect(await dumpSchema({ owner })).toBe(await readFile(GOLDEN, "utf8"));

      const [service, member] = [newName(), newName()];
      await makeServiceLogin(owner, service, password);
      // Once more is a new password.
      await makeServiceLogin(owner, service, newPassword());
      await makeServiceLogin(owner, service, password);
      await expect(makeServiceLogin(owner, "hub_owner", password)).rejects.toMatchObject({ code: "CHECK_FAILED" });
      const database = openUrl(server.urlFor(name, { user: service, password }));
      expect(await privilegesOf(database)).toEqual([]);
      expect(await privilegesOf(owner)).toEqual(["makes roles"]);
      const db: TestDatabase = {
        database,
        owner: superuserOf(name),
        asMember: () => Promise.reject(),
        roundTrips: () => undefined,
        close: async () => undefined,
      };
      const stage = await setUp(db);
      const { id } = await schedule(stage);
      await settle(stage, await claimOne(stage), done("1"));
      expect(await stateOf(stage, id)).toBe("published");
      expect(await missingGuards(db)).toEqual([]);
      expect((await createStores(database).inspection.differences()).filter(({ severe }) => severe)).toEqual([]);
      await makeMemberLogin(owner, { userId: stage.userId, name: member, password });
      const own = createStores(openUrl(server.urlFor(name, { user: member, password })));
      expect(await own.posts.list(stage.userId, "all", 10)).toMatchObject([{ id }]);
      expect(await own.users.get(stage.userId)).toMatchObject({ handle: "anna" });
      expect(await rows(owner, "SELECT count(*)::integer AS n FROM psn.posts")).toEqual([{ n: 0 }]);
      await expect(makeMemberLogin(owner, { userId: newId(), name: newName(), password })).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
    }

    function superuserOf(name: string): Database {
      return openUrl(
        server.urlFor(name, {
          user: new URL(server.url).username,
          password: decodeURIComponent(new URL(server.url).password),
        }),
      );
    }
  });
});

it("a Mastodon account known by its id alone is known by its server too, whoever owns the tables", async () => {
  for (const database of [await empty(), (await opened(0)).owner]) {
    const migration = KNOWN.find(({ statements }) => statements.some((text) => text.includes("platform = 'mastodon'")));
    if (!migration || !database.asOwner) throw new Error("no such migration");
    await migrate(database, KNOWN);
    const userId = newId();
    const seen = await database.asOwner(async (client) => {
      await client.query("BEGIN");
      await client.query("SET LOCAL ROLE psn_service");
      await client.query("SELECT set_config('app.current_user_id', $1, true)", [userId]);
      await client.query("SELECT psn.add_user($1::uuid, 'ada', 'UTC')", [userId]);
      for (const [platform, subject, home] of [
        ["mastodon", "1", "https://one.example"],
        ["mastodon", "2@two.example:8443", "https://two.example:8443"],
        ["x", "3", "https://x.com"],
      ] as const)
        await client.query(
          "INSERT INTO psn.accounts (id, user_id, platform, subject, handle, url, home) VALUES ($1, $2, $3, $4, " +
            "'ada', $5, $5)",
          [newId(), userId, platform, subject, home],
        );
      await client.query("RESET ROLE");
      for (const statement of migration.statements) await client.query(statement);
      await client.query("SET LOCAL ROLE psn_service");
      const { rows } = await client.query("SELECT subject FROM psn.accounts ORDER BY platform, subject");
      await client.query("RESET ROLE");
      await client.query("COMMIT");
      return rows;
    });
    expect(seen).toEqual([{ subject: "1@one.example" }, { subject: "2@two.example:8443" }, { subject: "3" }]);
  }
});

it("posts of schema 22 keep what is known of their source, and each hold has its reason", async () => {
  const owner = await empty();
  await migrate(owner, KNOWN.slice(0, 22));
  const [userId, accountId] = [newId(), newId()];
  await rows(owner, "INSERT INTO psn.users (id, handle, time_zone) VALUES ($1, 'anna', 'UTC')", [userId]);
  await rows(
    owner,
    `INSERT INTO psn.accounts (id, user_id, platform, subject, handle, url, home)
     VALUES ($1, $2, 'x', '1', 'a', 'u', 'h')`,
    [accountId, userId],
  );
  const add = async ({ state = "held", operation = "publish", code = null as string | null, event = "scheduled" }) => {
    const [postId, id] = [newId(), newId()];
    await rows(
      owner,
      `INSERT INTO psn.posts (id, user_id, parts, wall_time, time_zone)
       VALUES ($1, $2, '[]', '2031-03-30T09:00', 'UTC')`,
      [postId, userId],
    );
    await rows(
      owner,
      `INSERT INTO psn.deliveries (id, user_id, post_id, account_id, state, operation, code, due_at, wake_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, now(), now())`,
      [id, userId, postId, accountId, state, operation, code],
    );
    await rows(
      owner,
      "INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, actor) VALUES ($1, $2, $3, 0, 'user')",
      [id, userId, event],
    );
    return id;
  };
  const made = [
    await add({}),
    await add({ code: "LATE" }),
    await add({ code: "HUB_COPIED" }),
    await add({ event: "imported" }),
    await add({ event: "moved away" }),
    await add({ state: "scheduled", event: "moved" }),
    await add({ state: "scheduled", operation: "remove", event: "removal asked for" }),
    await add({ operation: "remove" }),
    await add({ state: "removed", operation: "remove" }),
  ];
  await migrate(owner);
  const found = await rows(
    owner,
    `SELECT d.id, d.state, d.operation, d.held_reason, d.wall_time, d.time_zone, d.revision, p.options, p.targets
     FROM psn.deliveries d JOIN psn.posts p ON p.id = d.post_id`,
  );
  const now = made.map((id) => found.find((one) => one["id"] === id));
  expect(now.map((one) => one?.["held_reason"])).toEqual([
    "reconnect",
    "late",
    "copied",
    "imported",
    "moved",
    null,
    null,
    "reconnect",
    null,
  ]);
  expect(now.map((one) => one?.["operation"])).toEqual([...Array(6).fill("publish"), ...Array(3).fill("remove")]);
  // What was moved says its new instant alone.
  expect(now.map((one) => one?.["wall_time"] === null)).toEqual(made.map((_, n) => n === 5));
  for (const one of now)
    expect(one).toMatchObject({ time_zone: "UTC", revision: 1, options: null, targets: [accountId] });
});
