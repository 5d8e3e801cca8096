import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { copyFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Decrypter, Encrypter } from "age-encryption";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Receiver, startReceiver } from "../journeys/receiver.ts";
import { failed, filesOf, picture, psn, scratch } from "../support/cli.ts";
import { until } from "../support/until.ts";
import { type Ground, grounds, openAll, type Row, secondUser } from "./stage.ts";

/*
 * A hub as a file: from the embedded database to Postgres and back, with everything that can be in a hub, and what
 * becomes of posts that two hubs now have.
 */

const PASSPHRASE = "five random words are good";
const SECRET = "canary-secret-of-an-app";
const TEXT = "canary text of a post";

const TABLES = ["users", "accounts", "posts", "media", "deliveries", "delivery_units", "slots"] as const;

let old: Ground;
let receiver: Receiver;
let secrets: ReadonlyMap<string, string>;
beforeAll(async () => {
  old = await grounds.embedded();
  receiver = startReceiver();
  await old.run(["connect", "webhook", receiver.url, "--secret-stdin"], `${receiver.secret}\n`);
  await old.run(["connect", "feed", join(old.folder, "public"), "--title", "Notes"]);
  await old.run(["keys", "set", "X_CLIENT_SECRET", "--stdin"], SECRET);
  await old.run(["config", "set", "PSN_LATE", "publish"]);
  await writeFile(join(old.folder, "config", "keys.env"), "THREADS_APP_ID=12345\n");
  const bob = await secondUser(old, 2, 3);
  await old.rows(
    "INSERT INTO psn.slots (id, user_id, weekday, wall_time, time_zone) VALUES ($1, $2, 1, '09:00', 'UTC')",
    [Bun.randomUUIDv7(), bob],
  );
  // One that is out, one with a picture that is to come, and one in each state there is.
  await old.run(["post", `${TEXT}, out`, "--to", "webhook"]);
  await old.run([
    "post",
    `${TEXT}, to come`,
    "--to",
    "feed",
    "--media",
    await picture(old.folder),
    "--alt",
    "canary alt",
    "--in",
    "2d",
  ]);
  for (const state of ["claimed", "sending", "pending", "held", "failed", "unconfirmed", "cancelled"]) {
    const { post } = await old.run(["post", `${TEXT}, ${state}`, "--to", "webhook", "--in", "3d"]);
    await old.rows(
      "UPDATE psn.deliveries SET state = $2, lease_until = now() + interval '1 hour', worker = 'w' WHERE post_id = $1",
      [post, state],
    );
  }
  // What JavaScript cannot count, and what it would parse once more.
  await old.rows(
    `UPDATE psn.delivery_units SET prepared = '{"n": 12345678901234567890, "s": "12"}', handle = '"12"' WHERE ` +
      "text LIKE '%held'",
  );
  secrets = await openAll(old);
});
afterAll(() => receiver.stop());

const dump = async (ground: Ground) => {
  const all: Record<string, readonly Row[]> = {};
  for (const table of TABLES)
    all[table] = await ground.rows(`SELECT row_to_json(t)::text AS row FROM psn.${table} t ORDER BY id`);
  all["events"] = await ground.rows(
    `SELECT delivery_id, user_id, at::text, event, attempt, unit, code, note, actor FROM psn.delivery_events
     WHERE event NOT IN ('imported', 'started', 'moved away') ORDER BY delivery_id, sequence`,
  );
  return all;
};
const states = async (ground: Ground) =>
  Object.fromEntries(
    (
      await ground.rows(
        "SELECT u.text, d.state FROM psn.deliveries d JOIN psn.delivery_units u ON u.delivery_id = d.id AND " +
          "u.position = 0 ORDER BY 1",
      )
    ).map(({ text, state }) => [String(text).replace(`${TEXT}, `, ""), state]),
  );
/** But for what an import changes on purpose. */
const comparable = (all: Readonly<Record<string, readonly Row[]>>, users: readonly string[]) => ({
  ...all,
  users: all["users"]
    ?.map(({ row }) => JSON.parse(String(row)))
    .filter(({ id }) => users.includes(id))
    .map(({ created_at: _at, ...user }) => user),
  deliveries: all["deliveries"]?.map(({ row }) => {
    const {
      state: _s,
      held_reason: _h,
      code: _c,
      message: _m,
      lease_until: _l,
      worker: _w,
      ...kept
    } = JSON.parse(String(row));
    return kept;
  }),
});

const exportTo = async (ground: Ground, ...more: readonly string[]) => {
  const file = join(await scratch("export"), "hub.age");
  await ground.run(["export", file, "--passphrase-stdin", ...more], PASSPHRASE);
  return file;
};

describe("a copy", () => {
  let file: string;
  let before: string[];
  beforeAll(async () => {
    before = await filesOf(join(old.folder, "config"));
    file = await exportTo(old);
  });

  test("the old hub goes on as it was", async () => {
    expect(await filesOf(join(old.folder, "config"))).toEqual(before);
    expect(await states(old)).toMatchObject({ "to come": "scheduled", claimed: "claimed", sending: "sending" });
  });

  test("is for its owner alone, and holds no secret and no word in clear", async () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const bytes = readFileSync(file).toString("latin1");
    for (const word of ["canary", "whsec", "access_token", "oauth", "Notes", "webhook", receiver.secret.slice(6, 30)])
      expect(bytes).not.toContain(word);
    expect(readdirSync(join(file, ".."))).toEqual(["hub.age"]);
    // By another hand: the age format, as it is.
    const decrypter = new Decrypter();
    decrypter.addPassphrase(PASSPHRASE);
    const text = await decrypter.decrypt(readFileSync(file), "text");
    expect(text).toContain(SECRET);
    for (const name of ["HUB_ENCRYPTION_KEY", "DATABASE", "PSN_USER"]) expect(text).not.toContain(name);
  });

  test("comes to Postgres with everything, publishes nothing there, and comes back the same", async () => {
    const there = await grounds.postgres();
    const told = await there.psn(["import", file, "--passphrase-stdin", "--yes"], PASSPHRASE);
    expect(told).toMatchObject({ code: 0, stderr: expect.stringContaining("psn import --start") });
    const users = (await old.rows("SELECT id FROM psn.users")).map(({ id }) => String(id));
    expect(comparable(await dump(there), users)).toEqual(comparable(await dump(old), users));
    expect(await states(there)).toEqual({
      out: "published",
      "to come": "held",
      claimed: "held",
      sending: "unconfirmed",
      pending: "unconfirmed",
      held: "held",
      failed: "failed",
      unconfirmed: "unconfirmed",
      cancelled: "cancelled",
    });
    expect(await openAll(there)).toEqual(secrets);
    expect(there.env("HUB_ENCRYPTION_KEY")).not.toBe(old.env("HUB_ENCRYPTION_KEY"));
    expect([there.env("PSN_LATE"), there.env("PSN_USER")]).toEqual(["publish", old.env("PSN_USER")]);
    expect(readFileSync(join(there.folder, "config", "keys.env"), "utf8")).toContain("THREADS_APP_ID=12345");
    expect(await there.run(["doctor"]).catch(String)).not.toContain("row-level");

    const again = await exportTo(there);
    const folder = await scratch("back");
    expect(
      await psn(["import", again, "--passphrase-stdin", "--yes"], { cwd: folder, stdin: PASSPHRASE }),
    ).toMatchObject({ code: 0 });
    const { code, stdout } = await psn(["queue", "--all", "--json"], { cwd: folder });
    expect(code).toBe(0);
    expect(stdout).toContain("to come");
  });

  test("starts only where somebody says that its hub is gone", async () => {
    const folder = await scratch("start");
    const here = { cwd: folder, stdin: PASSPHRASE };
    failed(await psn(["import", file, "--passphrase-stdin", "--start"], here), "INPUT_REQUIRED");
    expect(existsSync(join(folder, "config"))).toBe(false);
    expect(await psn(["import", file, "--passphrase-stdin", "--yes"], here)).toMatchObject({ code: 0 });
    failed(await psn(["import", "--start"], here), "INPUT_REQUIRED");
    const started = await psn(["import", "--start", "--yes"], here);
    expect(started).toMatchObject({ code: 0, stdout: "3 deliveries are scheduled again\n" });
    expect((await psn(["queue"], here)).stdout).toMatch(/scheduled/);
    failed(await psn(["import", file, "--passphrase-stdin", "--yes"], here), "ALREADY_EXISTS");
  });

  test("another passphrase, a cut file, another file: one clear error, and nothing is changed", async () => {
    const folder = await scratch("refused");
    const refused = async (path: string, passphrase: string, says: RegExp) => {
      const code = passphrase === PASSPHRASE ? "ARCHIVE_INVALID" : "PASSPHRASE_WRONG";
      expect(
        failed(await psn(["import", path, "--passphrase-stdin"], { cwd: folder, stdin: passphrase }), code),
      ).toMatch(says);
      expect(readdirSync(folder)).toEqual([]);
    };
    await refused(file, "not the passphrase", /passphrase for .* is wrong/);
    const bad = join(await scratch("bad"), "hub.age");
    const size = statSync(file).size;
    for (const length of [size - 1, size - 16, Math.floor(size / 2), 300, 60, 24]) {
      await copyFile(file, bad);
      await truncate(bad, length);
      await refused(bad, PASSPHRASE, /damaged or incomplete/);
    }
    const bytes = readFileSync(file);
    bytes[size - 100] = (bytes[size - 100] ?? 0) ^ 1;
    await writeFile(bad, bytes);
    await refused(bad, PASSPHRASE, /damaged or incomplete/);
    await writeFile(bad, "hello");
    await refused(bad, PASSPHRASE, /was not created by psn export/);
    failed(await psn(["import", join(folder, "none")], { cwd: folder, stdin: "" }), "INPUT_REQUIRED");
    failed(
      await psn(["import", join(folder, "none"), "--passphrase-stdin"], { cwd: folder, stdin: PASSPHRASE }),
      "FILE_UNREADABLE",
    );
    failed(await psn(["import"], { cwd: folder }), "USAGE");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("an import that fails in the database leaves the hub empty and its settings as they were", async () => {
    const there = await grounds.postgres();
    await there.rows("ALTER TABLE psn.slots ADD CONSTRAINT none CHECK (weekday > 9)");
    const settings = await filesOf(join(there.folder, "config"));
    failed(await there.psn(["import", file, "--passphrase-stdin", "--yes"], PASSPHRASE), "DB_FAILED");
    expect(await there.rows("SELECT FROM psn.accounts UNION ALL SELECT FROM psn.posts")).toEqual([]);
    expect(await filesOf(join(there.folder, "config"))).toEqual(settings);
    await there.rows("ALTER TABLE psn.slots DROP CONSTRAINT none");
    await there.run(["import", file, "--passphrase-stdin", "--yes"], PASSPHRASE);
    expect(await openAll(there)).toEqual(secrets);
  });
});

test("a file that somebody else has made changes only settings that move, and brings no foreign row", async () => {
  const user = Bun.randomUUIDv7();
  const folder = await scratch("strange");
  const hub = {
    psn: "hub",
    version: 1,
    schema: 1,
    at: "2026-01-01T00:00:00.000Z",
    moved: true,
    user,
    handle: "eve",
    timeZone: "UTC",
    keys: {},
  };
  const write = async (name: string, head: object, ...rows: readonly string[]) => {
    const encrypter = new Encrypter();
    encrypter.setPassphrase(PASSPHRASE);
    const file = join(folder, name);
    const lines = [JSON.stringify(head), ...rows, JSON.stringify({ end: rows.length })];
    await writeFile(file, await encrypter.encrypt(`${lines.join("\n")}\n`));
    return file;
  };
  const eve = `users\t${JSON.stringify({ id: user, handle: "eve", time_zone: "UTC" })}`;
  const settings = {
    PSN_LATE: "drop",
    DATABASE_URL: "postgres://eve@example.org/x",
    PSN_ORIGINS: "https://api.x.com=http://127.0.0.1:1",
  };
  const there = await grounds.embedded();
  await there.run(
    ["import", await write("hub.age", { ...hub, settings }, eve), "--passphrase-stdin", "--yes"],
    PASSPHRASE,
  );
  expect([there.env("PSN_LATE"), there.env("DATABASE_URL"), there.env("PSN_ORIGINS"), there.env("PSN_USER")]).toEqual([
    "drop",
    undefined,
    undefined,
    user,
  ]);

  const theirs = { id: Bun.randomUUIDv7(), user_id: old.env("PSN_USER"), name: "X_CLIENT_ID", value: "x" };
  const planted = await write("planted.age", { ...hub, settings: {} }, eve, `api_keys\t${JSON.stringify(theirs)}`);
  expect((await there.psn(["import", planted, "--passphrase-stdin", "--yes"], PASSPHRASE)).stderr).toContain(
    "(DB_REFUSED)",
  );
  for (const [file, says, code = "ARCHIVE_INVALID"] of [
    [await write("newer.age", { ...hub, version: 2, settings }), /newer psn/, "ARCHIVE_NEWER"],
    [await write("schema.age", { ...hub, schema: 9_999, settings }), /newer psn/, "ARCHIVE_NEWER"],
    [await write("other.age", { hello: "there" }), /not a psn export/],
    [await write("undated.age", { ...hub, at: "", settings }), /not a psn export/],
    [await write("bare.age", { ...hub, settings: null }), /not a psn export/],
    [await write("odd.age", { ...hub, settings }, "nothing\t{}"), /does not belong to a hub/],
    [await write("null.age", { ...hub, settings: {} }, eve, "deliveries\tnull"), /does not belong to a hub/],
    [await write("broken.age", { ...hub, settings: {} }, eve, "deliveries\t{"), /does not belong to a hub/],
  ] as const)
    expect(failed(await there.psn(["import", file, "--passphrase-stdin"], PASSPHRASE), code)).toMatch(says);
});

test("a file of a psn without versions of tokens: they open where they arrive, for their own account", async () => {
  const [user, account, token] = [Bun.randomUUIDv7(), Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  const head = {
    psn: "hub",
    version: 1,
    schema: 14,
    at: "2026-01-01T00:00:00.000Z",
    moved: true,
    user,
    handle: "eve",
    timeZone: "UTC",
    keys: {},
    settings: {},
  };
  const rows = [
    ["users", { id: user, handle: "eve", time_zone: "UTC" }],
    [
      "accounts",
      {
        id: account,
        user_id: user,
        platform: "webhook",
        subject: "1",
        handle: "h",
        url: receiver.url,
        home: receiver.url,
        health: "ok",
      },
    ],
    ["oauth_tokens", { id: token, user_id: user, account_id: account, access_token: receiver.secret, scopes: [] }],
  ] as const;
  const stamps = { created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z", limits: {} };
  const lines = rows.map(
    ([table, row]) => `${table}\t${JSON.stringify(table === "users" ? row : { ...stamps, ...row })}`,
  );
  const encrypter = new Encrypter();
  encrypter.setPassphrase(PASSPHRASE);
  const file = join(await scratch("older"), "hub.age");
  await writeFile(
    file,
    await encrypter.encrypt([JSON.stringify(head), ...lines, JSON.stringify({ end: rows.length }), ""].join("\n")),
  );
  const there = await grounds.embedded();
  await there.run(["import", file, "--passphrase-stdin"], PASSPHRASE);
  expect([...(await openAll(there)).values()]).toEqual([receiver.secret]);
  // A file of then allows no private address.
  await there.run(["config", "set", "PSN_PRIVATE_ORIGINS", new URL(receiver.url).origin]);
  expect(await there.run(["post", "from there", "--to", "webhook"])).toMatchObject({
    deliveries: [{ state: "published" }],
  });
});

describe("psn export", () => {
  test("a short passphrase, a name that is taken, a folder that is not there", async () => {
    const folder = await scratch("names");
    failed(await old.psn(["export", join(folder, "a.age"), "--passphrase-stdin"], "short"), "INPUT_INVALID");
    await writeFile(join(folder, "b.age"), "mine");
    failed(await old.psn(["export", join(folder, "b.age"), "--passphrase-stdin"], PASSPHRASE), "ALREADY_EXISTS");
    failed(await old.psn(["export", join(folder, "no", "c.age"), "--passphrase-stdin"], PASSPHRASE), "FILE_UNWRITABLE");
    expect(readFileSync(join(folder, "b.age"), "utf8")).toBe("mine");
    expect(readdirSync(folder)).toEqual(["b.age"]);
  });

  test("a token that does not open is told and left out; its account waits to be connected again", async () => {
    const [row] = await old.rows(
      "SELECT t.id, t.access_token FROM psn.oauth_tokens t JOIN psn.accounts a ON a.id = t.account_id WHERE " +
        "a.platform = 'feed'",
    );
    await old.rows("UPDATE psn.oauth_tokens SET access_token = 'v2.00000000.AAAA' WHERE id = $1", [row?.["id"]]);
    const file = join(await scratch("lost"), "hub.age");
    const { lost } = await old.run(["export", file, "--passphrase-stdin"], PASSPHRASE);
    await old.rows("UPDATE psn.oauth_tokens SET access_token = $2 WHERE id = $1", [row?.["id"], row?.["access_token"]]);
    expect(lost).toEqual([`oauth_tokens ${row?.["id"]}`]);
    const folder = await scratch("lost-hub");
    await psn(["import", file, "--passphrase-stdin", "--no-settings"], { cwd: folder, stdin: PASSPHRASE });
    expect((await psn(["accounts"], { cwd: folder })).stdout).toMatch(
      /feed:notes +needs reconnecting: its token did not open/,
    );
  });
});

describe("a move", () => {
  test("waits for what is on its way; then one hub publishes it, and once", async () => {
    const file = join(await scratch("moving"), "hub.age");
    expect(failed(await old.psn(["export", file, "--passphrase-stdin", "--move"], PASSPHRASE), "HUB_BUSY")).toContain(
      "2 deliveries are being sent",
    );
    expect(existsSync(file)).toBe(false);
    expect(await states(old)).toMatchObject({ "to come": "scheduled", claimed: "claimed" });
    await old.rows("UPDATE psn.deliveries SET state = 'published' WHERE state IN ('sending', 'pending')");
    for (let n = 0; n < 5; n += 1) await old.run(["post", `moving ${n}`, "--to", "webhook", "--in", "6s"]);
    await old.run(["export", file, "--passphrase-stdin", "--move"], PASSPHRASE);
    expect(await states(old)).toMatchObject({ "to come": "held", claimed: "held", "moving 0": "held" });

    const folder = await scratch("moved");
    const imported = await psn(["import", file, "--passphrase-stdin", "--start", "--yes"], {
      cwd: folder,
      stdin: PASSPHRASE,
    });
    expect(imported, imported.stderr).toMatchObject({ code: 0 });
    const stop = new AbortController();
    const workers = [old.folder, folder].map((cwd) => psn(["worker"], { cwd, signal: stop.signal }));
    const moved = () => receiver.taken.filter(({ text }) => text.startsWith("moving")).length;
    await until("it is moved", () => moved() === 5, 60_000);
    await Bun.sleep(1_000);
    stop.abort();
    await Promise.all(workers);
    expect([...receiver.deliveries.values()].every((times) => times === 1)).toBe(true);
    expect(await states(old)).toMatchObject({ "to come": "held", "moving 0": "held" });
    // Whoever changes their mind starts the old one again.
    expect(await old.run(["import", "--start", "--yes"])).toMatchObject({ started: 8 });
  });
});
