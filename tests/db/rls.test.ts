import type { Database } from "@psn/core/db/connection.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asOwner, type TestDatabase, testDatabases } from "../support/databases.ts";
import { isShort } from "../support/how-much.ts";
import { digest, type Intruder, leaks, missingGuards, reaches } from "./row-security.ts";
import { connect, newId, type Stage, schedule, setUp } from "./stage.ts";

/** A user with at least one row in every table. */
async function victimOf(db: TestDatabase): Promise<Stage> {
  const stage = await setUp(db);
  const content = new Uint8Array([0, 1, 2]);
  const media = [{ id: newId(), kind: "image" as const, mime: "image/png", bytes: 3, sha256: "00", content }];
  await schedule(stage, { media });
  await stage.stores.deliveries.beat(stage.platform, "0.1.0");
  await stage.stores.incarnation.become(newId());
  await asOwner(db, "INSERT INTO psn.api_keys (id, user_id, name, value) VALUES ($1, $2, 'name', 'value')", [
    newId(),
    stage.userId,
  ]);
  await asOwner(
    db,
    "INSERT INTO psn.slots (id, user_id, weekday, wall_time, time_zone) VALUES ($1, $2, 1, '09:00', 'UTC')",
    [newId(), stage.userId],
  );
  return stage;
}

describe.each(testDatabases)("row-level security on $driver", ({ driver, open }) => {
  let db: TestDatabase;
  let victim: Stage;
  let other: Stage;
  let member: Database;
  beforeAll(async () => {
    db = await open();
    victim = await victimOf(db);
    other = await victimOf(db);
    member = await db.asMember(other.userId);
  });
  afterAll(() => db.close());

  const byService = (): Intruder[] => {
    const { database } = db;
    const garbage = [
      "",
      "garbage",
      "' OR true --",
      "*",
      "null",
      `${victim.userId} `,
      `{${victim.userId}}`,
      victim.userId.slice(0, -1),
      "0".repeat(36),
    ];
    return [
      { name: "another user", database, actor: { userId: other.userId } },
      { name: "a user who does not exist", database, actor: { userId: newId() } },
      ...garbage.map((setting) => ({
        name: `the setting "${setting}"`,
        database,
        actor: { userId: victim.userId },
        setting,
      })),
    ];
  };
  const byMember = (): Intruder[] => [
    { name: "a member", database: member, actor: { userId: other.userId } },
    { name: "a member who says to be somebody else", database: member, actor: { userId: victim.userId } },
    {
      name: "a member who sets somebody else",
      database: member,
      actor: { userId: other.userId },
      setting: victim.userId,
    },
    { name: "a member as the service", database: member, actor: "service", setting: victim.userId },
  ];

  it("every table and every function has its guards", async () => {
    expect(await missingGuards(db)).toEqual([]);
  });

  it.skipIf(isShort && driver.startsWith("neon"))("nobody reaches a row that is not theirs, by any verb", async () => {
    const before = await digest(db);
    expect(Object.values(before)).not.toContainEqual(expect.objectContaining({ rows: 0 }));
    expect(await leaks(db, victim.userId, [...byService(), ...byMember()])).toEqual([]);
    expect(await digest(db)).toEqual(before);
  });

  it("without a user the service reaches heartbeats and no user's rows", async () => {
    const nobody = { name: "nobody", database: db.database, actor: "service" as const };
    expect(await leaks(db, victim.userId, [nobody])).toEqual(
      ["select", "insert", "update", "delete"].map((verb) => `workers: ${verb} by nobody: reached`),
    );
  });

  it("the walk can see: whoever owns the rows reaches them, and may do just this", async () => {
    // Nobody deletes, and updates but these columns: functions do (ADR 18).
    const expected = {
      accounts: "select insert update",
      api_keys: "select insert update",
      deliveries: "select insert",
      delivery_events: "select",
      delivery_units: "select insert",
      incarnation: "",
      media: "select insert update",
      migrations: "select",
      oauth_tokens: "select insert update",
      posts: "select insert",
      slots: "select insert",
      users: "select update",
      workers: "",
    };
    const actor = { userId: victim.userId };
    expect(await reaches(db, victim.userId, { name: "itself", database: db.database, actor })).toEqual(expected);
    const itself = await db.asMember(victim.userId);
    expect(await reaches(db, victim.userId, { name: "its login", database: itself, actor })).toEqual(expected);
    // A member is itself, whatever it says.
    expect(
      await reaches(db, victim.userId, { name: "its login", database: itself, actor, setting: other.userId }),
    ).toEqual(expected);
    expect(
      await leaks(db, other.userId, [{ name: "its login", database: itself, actor: { userId: other.userId } }]),
    ).toEqual([]);
  });

  it("a row cannot point into another user's rows", async () => {
    const { userId } = other;
    const theirs = await schedule(victim, { dueInMs: 3_600_000 });
    // Without credentials, so that only the foreign key can refuse them.
    const bare = await connect(victim, "bare");
    await victim.stores.accounts.disconnect(victim.userId, bare);
    const mine = await schedule(other, { dueInMs: 3_600_000 });
    const pointers = {
      oauth_tokens:
        `(id, user_id, account_id, access_token, scopes) VALUES ('${newId()}', '${userId}', '${bare}', 'x', ` + "'{}')",
      media:
        `(id, user_id, post_id, kind, mime, bytes, sha256, content) VALUES ('${newId()}', '${userId}', ` +
        `'${theirs.postId}', 'image', 'x', 0, '', '')`,
      deliveries: `(id, user_id, post_id, account_id, state, due_at, wake_at)
        VALUES ('${newId()}', '${userId}', '${mine.postId}', '${victim.accountId}', 'held', now(), now())`,
      delivery_units: `(id, user_id, delivery_id, position, body, text, length, media, needs_prepare)
        VALUES ('${newId()}', '${userId}', '${theirs.id}', 9, '{}', '', 0, '{}', false)`,
      delivery_events:
        `(user_id, delivery_id, event, attempt, actor) VALUES ('${userId}', '${theirs.id}', 'x', 0, ` + "'x')",
    };
    // As an import writes rows, which may write the most.
    const points = (statement: string) =>
      expect(db.database.run({ userId, service: true }, (builder) => [builder.execute(sql.raw(statement))])).rejects;
    // 23503 foreign_key_violation
    for (const [table, values] of Object.entries(pointers))
      await points(`INSERT INTO psn.${table} ${values}`).toMatchObject({
        code: "DB_FAILED",
        details: { code: "23503", table },
      });
    await points(`UPDATE psn.deliveries SET account_id = '${victim.accountId}' WHERE id = '${mine.id}'`).toMatchObject({
      details: { code: "42501" },
    });
    await points(`UPDATE psn.deliveries SET user_id = '${victim.userId}' WHERE id = '${mine.id}'`).toMatchObject({
      details: { code: "42501" },
    });
  });

  it("a member cannot claim, wake, make users, take a role or change whose login it is", async () => {
    const refused = (statement: string) =>
      expect(
        member.run({ userId: other.userId }, (builder) => [builder.execute(sql.raw(statement))]),
        statement,
      ).rejects.toMatchObject({ code: "DB_REFUSED", details: { code: "42501" } });
    await refused("SELECT * FROM psn.claim_due('w', 1, 1, '{}', null, '{}')");
    await refused("SELECT psn.next_wake('{}', null)");
    await refused("SELECT psn.see_incarnation()");
    await refused(`SELECT psn.incarnate('${newId()}', null)`);
    await refused("SELECT psn.part('x', 'x', 'x', null)");
    await refused(`SELECT psn.add_user('${newId()}', 'x', 'UTC')`);
    await refused("SET LOCAL ROLE psn_service");
    await refused("SET LOCAL ROLE psn_definer");
    await refused("UPDATE psn.users SET login = null");
    await refused("UPDATE psn.users SET id = id");
    await refused("ALTER TABLE psn.posts DISABLE ROW LEVEL SECURITY");
    await refused("CREATE TABLE psn.mine (id integer)");
  });

  it("a login that does not go by the driver's context sees nothing either", async () => {
    if (driver === "neon-http" || driver === "embedded") {
      // No session of the login's own: what the driver sends is all there is.
      expect(driver === "embedded" || db.database.asOwner === undefined).toBe(true);
      return;
    }
    for (const [login, expected] of [
      [db.database, 0],
      [member, 1],
    ] as const) {
      await login.asOwner?.(async (client) => {
        const all = async () => (await client.query("SELECT count(*)::integer AS n FROM psn.accounts")).rows[0];
        expect(await all()).toEqual({ n: expected });
        if (login === member) await client.query(`SET app.current_user_id = '${victim.userId}'`);
        await client.query("RESET ROLE; RESET SESSION AUTHORIZATION; SET row_security = on");
        expect(await all()).toEqual({ n: expected });
        await client.query("RESET ALL");
      });
    }
  });
});

describe("the walk finds what is missing", () => {
  const [, postgres] = testDatabases;
  const broken = async (...statements: readonly string[]) => {
    if (!postgres) throw new Error("no driver");
    const db = await postgres.open();
    const [victim, other] = [await victimOf(db), await victimOf(db)];
    for (const statement of statements) await asOwner(db, statement);
    const intruder: Intruder = { name: "another user", database: db.database, actor: { userId: other.userId } };
    const found = { guards: await missingGuards(db), leaks: await leaks(db, victim.userId, [intruder]) };
    await db.close();
    return found;
  };

  it("a new table without anything", async () => {
    const { guards, leaks } = await broken(
      "CREATE TABLE psn.notes (id integer, user_id uuid)",
      "INSERT INTO psn.notes SELECT 1, id FROM psn.users",
      "GRANT ALL ON psn.notes TO psn_runtime",
    );
    expect(guards).toEqual([
      "notes: row-level security is not enabled and forced",
      "notes: no policy for those who run the program",
    ]);
    expect(leaks).toEqual(
      ["select", "insert", "update", "delete"].map((verb) => `notes: ${verb} by another user: reached`),
    );
  });

  it("a new table of nobody's, and a view", async () => {
    const { guards, leaks } = await broken(
      "CREATE TABLE psn.things (id integer)",
      "CREATE VIEW psn.overview AS SELECT * FROM psn.posts",
    );
    expect(guards).toContain("things: has no user_id");
    expect(guards).toContain("overview: row-level security is not enabled and forced");
    expect(leaks).toContain("things: the victim has no row to steal");
  });

  it("a dropped policy", async () => {
    const { guards } = await broken("DROP POLICY posts_own ON psn.posts");
    expect(guards).toEqual(["posts: no policy for those who run the program"]);
  });

  it("a policy that lets everybody in", async () => {
    const { guards, leaks } = await broken("CREATE POLICY all_of_them ON psn.accounts TO psn_runtime USING (true)");
    expect(guards).toEqual([
      "accounts: the policy all_of_them lacks USING or WITH CHECK",
      "accounts: the policy all_of_them does not ask whose row it is",
    ]);
    expect(leaks).toEqual(["select", "insert", "update"].map((verb) => `accounts: ${verb} by another user: reached`));
  });

  it("row-level security that its owner escapes, or that is off", async () => {
    expect((await broken("ALTER TABLE psn.media NO FORCE ROW LEVEL SECURITY")).guards).toEqual([
      "media: row-level security is not enabled and forced",
    ]);
    const off = await broken("ALTER TABLE psn.oauth_tokens DISABLE ROW LEVEL SECURITY");
    expect(off.guards).toEqual(["oauth_tokens: row-level security is not enabled and forced"]);
    expect(off.leaks).toContain("oauth_tokens: select by another user: reached");
  });

  it("a foreign key without user_id, and functions that are open", async () => {
    const { guards } = await broken(
      "ALTER TABLE psn.media ADD CONSTRAINT loose FOREIGN KEY (post_id) REFERENCES psn.posts (id)",
      "CREATE FUNCTION psn.open() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
      "GRANT EXECUTE ON FUNCTION psn.open() TO PUBLIC",
      "GRANT EXECUTE ON FUNCTION psn.next_wake(jsonb, uuid[]) TO psn_runtime",
    );
    expect([...guards].sort()).toEqual([
      "loose: the foreign key can point into another user's rows",
      "next_wake(): a member may execute it",
      "open(): everybody may execute it",
      "open(): its search_path is not pinned",
      "open(): runs as somebody who can log in",
    ]);
  });
});
