import { randomBytes } from "node:crypto";
import { chmodSync, existsSync } from "node:fs";
import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { knownMigrations, migrate } from "@psn/core/db/migrate.ts";
import { ERRORS, type ErrorCode } from "@psn/core/errors.ts";
import { setEnvValue, unsetEnvValue } from "@psn/core/utils/env.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { png } from "../../scripts/png.ts";
import { binary, filesOf, picture, psn, type Ran, scratch, type TestHub, testHub } from "../support/cli.ts";
import { freshDatabase } from "../support/shared-postgres.ts";

/*
 * Whatever a person can get wrong: one message that says what is wrong and what mends it, the exit code of the design, and
 * nothing is changed.
 */

let hub: TestHub;
let feedOnly: string;
const PASSWORD = "correct-horse-battery-staple";

beforeAll(async () => {
  hub = await testHub();
  feedOnly = await readFile(join(hub.folder, "config", "hub.env"), "utf8");
});

/** Checks the form of a failure and returns its message. */
function failed(ran: Ran, code: ErrorCode): string {
  const { stdout, stderr } = ran;
  const lines = stderr.trimEnd().split("\n");
  expect(lines.length, stderr).toBeLessThanOrEqual(3);
  expect(lines[0]).toMatch(new RegExp(`^✗ .+ \\(${code}\\)$`));
  expect(stdout).toBe("");
  expect(ran.code).toBe(ERRORS[code].exit);
  return stderr;
}

/** A command line that fails, says how to go on, and leaves everything as it was. */
async function refused(argv: readonly string[], code: ErrorCode, says: string | RegExp, stdin?: string | Uint8Array): Promise<void> {
  const before = await hub.state();
  const said = failed(await hub.psn(argv, stdin === undefined ? {} : { stdin }), code);
  expect(said).toMatch(says);
  expect(await hub.state()).toBe(before);
}

/** A whole PNG of about this many bytes: most of them are a comment. */
function bulky(bytes: number): Buffer {
  const whole = png(8, 8);
  const end = whole.length - 12;
  const type = Buffer.from("tEXt");
  const data = Buffer.alloc(bytes, 0x20);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(Buffer.concat([type, data])));
  return Buffer.concat([whole.subarray(0, end), length, type, data, sum, whole.subarray(end)]);
}

describe("the post", () => {
  test("text that is too long, empty, or no text", async () => {
    await refused(["post", "x".repeat(100_001)], "POST_INVALID", /100.?001.*100.?000/);
    await refused(["post", "x".repeat(100_001), "--split"], "POST_INVALID", /100.?000/);
    await refused(["post", ""], "POST_INVALID", /feed:notes/);
    await refused(["post", "   \n\t "], "POST_INVALID", /feed:notes/);
    await refused(["post", "-"], "POST_INVALID", /feed:notes/, "");
    await refused(["post", "-"], "POST_INVALID", /standard input is not text in UTF-8.*\n.*UTF-8/, Uint8Array.of(0x68, 0xff, 0xfe));
    await refused(["post", "-"], "POST_INVALID", /standard input is not text/, "null \0 byte");
  });

  test("an account or a platform there is none of, with what there is", async () => {
    await refused(["post", "hello", "--to", "bluesky"], "AUTH_REQUIRED", "psn connect bluesky");
    await refused(["post", "hello", "--to", "feed:other"], "NOT_FOUND", "feed:notes");
    await refused(["post", "hello", "--to", "fede"], "NOT_FOUND", "feed:notes");
    await refused(["post", "hello", "--to", "feed,nobody"], "NOT_FOUND", "nobody");
    await refused(["connect", "mastodn"], "INPUT_INVALID", "mastodon");
    await refused(["disconnect", "nobody", "--yes"], "NOT_FOUND", "feed:notes");
  });

  test("media that are missing, a folder, no image, damaged, empty or too large", async () => {
    const folder = join(hub.folder, "media");
    await mkdir(folder, { recursive: true });
    const write = (name: string, bytes: string | Uint8Array) => writeFile(join(folder, name), bytes);
    await write("notes.png", "not an image");
    await write("empty.png", "");
    await write("cut.png", png(64, 64).subarray(0, 60));
    await write("huge.png", new Uint8Array(21 * 1024 * 1024));
    const media = (name: string) => ["post", "look", "--media", `media/${name}`];
    await refused(media("nowhere.png"), "FILE_UNREADABLE", /nowhere\.png does not exist[\s\S]*check the path/);
    await refused(["post", "look", "--media", "media"], "FILE_UNREADABLE", /is a folder/);
    await refused(media("notes.png"), "MEDIA_INVALID", /not an image[\s\S]*JPEG, PNG/);
    await refused(media("empty.png"), "MEDIA_INVALID", /is empty/);
    await refused(media("cut.png"), "MEDIA_INVALID", /cut off or damaged/);
    await refused(media("huge.png"), "MEDIA_INVALID", /21\.0 MB; psn takes 20 MB/);
    await refused(["post", "look", "--alt", "nothing to describe"], "USAGE", "--media");
    // What one platform takes may be too large for another.
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    expect((await hub.psn(["connect", "webhook", "http://127.0.0.1:1/", "--secret-stdin"], { stdin: secret })).code).toBe(0);
    await write("large.png", bulky(5_100_000));
    await refused([...media("large.png"), "--to", "all"], "POST_INVALID", /^(?!.*feed:notes).*webhook:127\.0\.0\.1:1: image 1 .*5000000/);
    expect((await hub.psn(["disconnect", "webhook", "--yes"])).code).toBe(0);
  });

  test("more media than the platform takes", async () => {
    const path = await picture(join(hub.folder, "media"));
    await refused(["post", "look", ...Array.from({ length: 40 }, () => ["--media", path]).flat()], "POST_INVALID", /40/);
  });

  test("files that are missing, folders, no text, or whose front matter is wrong", async () => {
    const file = async (text: string | Uint8Array) => {
      await writeFile(join(hub.folder, "draft.md"), text);
      return ["post", "draft.md"] as const;
    };
    await refused(["post", "nowhere.md"], "FILE_UNREADABLE", /nowhere\.md[\s\S]*check the path/);
    await mkdir(join(hub.folder, "folder.md"), { recursive: true });
    await refused(["post", "folder.md"], "FILE_UNREADABLE", /folder\.md/);
    await refused(await file(Uint8Array.of(0xff, 0xfe, 0x41)), "POST_INVALID", /draft\.md is not text in UTF-8/);
    await refused(await file("---\nto: [feed\n---\nhello"), "POST_INVALID", /draft\.md:\d+: the front matter is no YAML/);
    await refused(await file("---\nto: feed\nhello"), "POST_INVALID", /draft\.md:1: the front matter[\s\S]*---/);
    await refused(
      await file("---\nmedai: cat.png\n---\nhello"),
      "POST_INVALID",
      /draft\.md:2: psn does not know the key "medai"[\s\S]*did you mean media\?/,
    );
    await refused(await file("---\ndate: tomorrow\n---\nhello"), "POST_INVALID", /did you mean at\?/);
    await refused(await file("---\nvisibility: everybody\n---\nhello"), "POST_INVALID", /draft\.md:2: visibility must be one of/);
    await refused(await file("---\nmedia: nowhere.png\n---\nhello"), "FILE_UNREADABLE", /nowhere\.png does not exist/);
    await refused(await file("---\nat: yesterday 9am\n---\nhello"), "TIME_INVALID", /past|yesterday/);
    await refused(await file("---\nto: feed\n---\n"), "POST_INVALID", /nothing to post/);
  });

  test("times that are past, ambiguous or absurd", async () => {
    const at = (time: string, ...more: string[]) => ["post", "hello", "--at", time, ...more];
    await refused(at("2020-01-01 09:00"), "TIME_INVALID", /ago|past/);
    await refused(at("tomorrow"), "TIME_INVALID", /without an hour[\s\S]*09:00/);
    await refused(at("tomorrow 9"), "TIME_INVALID", /am or pm[\s\S]*09:00 or .*21:00/);
    await refused(at("03/04 9am"), "TIME_INVALID", /two ways[\s\S]*-03-04 or .*-04-03/);
    await refused(at("2027-03-28 02:30"), "TIME_INVALID", /.+\n.*2027-03-28/);
    await refused(at("2027-10-31 02:30"), "TIME_INVALID", /.+\n.*2027-10-31/);
    await refused(at("2027-02-30 09:00"), "TIME_INVALID", /calendar/);
    await refused(at("9999-01-01 09:00"), "TIME_INVALID", /year/);
    await refused(at("the day after the party"), "TIME_INVALID", "psn help times");
    await refused(at("tomorrow 9am", "--tz", "Mars/Base"), "TIME_INVALID", /Mars\/Base/);
    await refused(["post", "hello", "--in", "-2h"], "TIME_INVALID", /2h/);
    await refused(["post", "hello", "--in", "2 months"], "TIME_INVALID", /months/);
    await refused(at("tomorrow 9am", "--in", "2h"), "USAGE", /exclude each other/);
  });

  test("a value that is missing where nobody can be asked", async () => {
    await refused(["post"], "INPUT_REQUIRED", /standard input/);
    await refused(["post", "--no-input"], "INPUT_REQUIRED", /standard input/);
    await refused(["connect", "feed"], "INPUT_REQUIRED", "--folder");
    await refused(["connect", "bluesky", "ada.example"], "INPUT_REQUIRED", "--password-stdin");
    await refused(["disconnect", "feed"], "INPUT_REQUIRED", "--yes");
  });

  test("which of several accounts", async () => {
    const second = await hub.psn(["connect", "feed", join(hub.folder, "other"), "--title", "Other"]);
    expect(second.code).toBe(0);
    await refused(["post", "hello"], "INPUT_REQUIRED", /feed:notes, feed:other[\s\S]*--to/);
    await refused(["post", "hello", "--to", "feed"], "INPUT_INVALID", /2 accounts: feed:notes, feed:other/);
    await refused(["disconnect", "feed", "--yes"], "INPUT_INVALID", /feed:notes, feed:other/);
    expect((await hub.psn(["disconnect", "feed:other", "--yes"])).code).toBe(0);
  });

  test("a file name with a space is a file when there is one, and else a text", async () => {
    await writeFile(join(hub.folder, "my draft.md"), "from the file");
    const dry = async (text: string) => (await hub.psn(["post", text, "--dry-run"])).stdout;
    expect(await dry("my draft.md")).toContain("from the file");
    expect(await dry("see README.md")).toContain("see README.md");
  });

  test("the text stands where it stands, before or behind --to, --media and --alt", async () => {
    const path = await picture(join(hub.folder, "media"));
    for (const argv of [
      ["hello", "--to", "feed"],
      ["--to", "feed", "hello"],
      ["--media", path, "--alt", "a square", "--to", "feed", "hello"],
      ["--to", "feed", "--media", path, "hello"],
    ]) {
      const { code, stdout } = await hub.psn(["post", ...argv, "--dry-run"]);
      expect({ argv, code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("hello") });
    }
  });
});

describe("secrets on the command line", () => {
  test("are refused by name, and not repeated", async () => {
    for (const [flag, ...argv] of [
      ["password", "connect", "bluesky", "ada.example", "--password", PASSWORD],
      ["password", "connect", "bluesky", "ada.example", `--password=${PASSWORD}`],
      ["token", "connect", "mastodon", "mastodon.example", "--token", PASSWORD],
      ["secret", "connect", "webhook", "https://example.com", "--secret", PASSWORD],
    ]) {
      await refused(argv, "USAGE", `--${flag}-stdin`);
      expect((await hub.psn(argv)).stderr).not.toContain(PASSWORD);
    }
  });

  test.each([
    [["init", "--database-url", `postgres://ada:${PASSWORD}@127.0.0.1/psn`]],
    [["init", "--database-url", `postgres://ada:${PASSWORD}#x@127.0.0.1/psn`]],
    [["init", "--database-url", `postgres://ada@127.0.0.1/psn?password=${PASSWORD}`]],
    [["config", "set", "DATABASE_URL", `postgres://ada:${PASSWORD}@127.0.0.1/psn`]],
    [["config", "set", "SOME_NEW_SECRET", PASSWORD]],
    [["connect", "bluesky", "ada.example", PASSWORD]],
    [["queue", PASSWORD]],
    [["queue", `--limmit=${PASSWORD}`]],
  ])("psn %j", async (argv) => {
    await refused(argv, "USAGE", /stdin|--help/);
    expect((await hub.psn(argv)).stderr).not.toContain(PASSWORD);
    const fresh = await scratch();
    if (argv[0] === "init") {
      failed(await psn(argv, { cwd: fresh }), "USAGE");
      expect(await filesOf(fresh)).toEqual([]);
    }
  });
});

describe("the same idempotency key", () => {
  test("twice is one post, and the second call answers like the first", async () => {
    const argv = ["post", "once", "--idempotency-key", "launch-1", "--json"];
    const first = JSON.parse((await hub.psn(argv)).stdout);
    const before = await hub.state();
    const second = JSON.parse((await hub.psn(argv)).stdout);
    expect(second).toEqual({ ...first, repeated: true, due: expect.any(String) });
    const other = JSON.parse((await hub.psn(["post", "another text", "--idempotency-key", "launch-1", "--json"])).stdout);
    expect(other).toMatchObject({ post: first.post, repeated: true });
    expect(await hub.state()).toBe(before);
  });

  test("an unusable one is refused", async () => {
    await refused(["post", "once", "--idempotency-key", ""], "USAGE", "--idempotency-key");
    await refused(["post", "once", "--idempotency-key", "k".repeat(201)], "USAGE", "1 to 200 characters");
  });
});

describe("ids", () => {
  test("that are none, unknown, too short or of several", async () => {
    for (const command of ["show", "cancel", "retry", "move"]) {
      const more = command === "move" ? ["--in", "2h"] : [];
      await refused([command, "not-an-id!", ...more], "INPUT_INVALID", "psn queue");
      await refused([command, "abc", ...more], "INPUT_INVALID", "psn queue");
      await refused([command, "00000000", ...more], "NOT_FOUND", "psn queue");
      await refused([command, "' OR 1=1 --", ...more], "INPUT_INVALID", "psn queue");
    }
    await refused(["resolve", "00000000", "--live", "javascript:alert(1)"], "USAGE", "--live");
  });

  test("published deliveries cannot be cancelled, moved or retried", async () => {
    const { post } = JSON.parse((await hub.psn(["post", "out", "--json"])).stdout);
    for (const argv of [
      ["cancel", post],
      ["move", post, "--in", "2h"],
      ["retry", post],
    ]) {
      await refused(argv, "STATE_CONFLICT", /feed:notes is published[\s\S]*psn show/);
    }
  });
});

describe("hub.env", () => {
  const file = () => join(hub.folder, "config", "hub.env");
  /** Every command that opens the hub fails in the same way. */
  async function unusable(code: ErrorCode, says: string | RegExp): Promise<void> {
    for (const argv of [["queue"], ["post", "hello"], [], ["vault", "status"], ["db", "status"]]) {
      const before = await filesOf(join(hub.folder, "public"));
      expect(failed(await hub.psn(argv), code)).toMatch(says);
      expect(await filesOf(join(hub.folder, "public"))).toEqual(before);
    }
    // Doctor answers all the same, and names it.
    const doctor = await hub.psn(["doctor"]);
    expect(doctor).toMatchObject({ code: 1, stdout: expect.stringMatching(says) });
  }
  const with_ = async (text: string, then: () => Promise<void>) => {
    await writeFile(file(), text);
    try {
      await then();
    } finally {
      await writeFile(file(), feedOnly);
      chmodSync(file(), 0o600);
    }
  };

  test("that is a folder", async () => {
    await rename(file(), `${file()}.kept`);
    await mkdir(file());
    try {
      await unusable("FILE_UNREADABLE", /hub\.env cannot be read: it is a folder/);
    } finally {
      await rm(file(), { recursive: true });
      await rename(`${file()}.kept`, file());
    }
  });

  test("that is malformed", async () => {
    await with_(`${feedOnly}\nthis is no setting\n`, () => unusable("CONFIG_INVALID", /hub\.env:\d+ is not of the form NAME=value/));
    await with_(`${feedOnly}\nPSN_DATA="never ends\n`, () => unusable("CONFIG_INVALID", /PSN_DATA begins with " and never ends/));
    await with_(`${feedOnly}\nPSN_TIME_ZONE=Mars/Base\n`, () => unusable("CONFIG_INVALID", /PSN_TIME_ZONE .*IANA time zone/));
    await with_(`${feedOnly}\nDATABASE_URL=mysql://x:${PASSWORD}@127.0.0.1/x\n`, () =>
      unusable("CONFIG_INVALID", /DATABASE_URL .*postgres:\/\//),
    );
    const [line = ""] = /^PSN_USER=.*$/m.exec(feedOnly) ?? [];
    await with_(`${feedOnly}\n${line}\n`, () => unusable("CONFIG_INVALID", /PSN_USER is there already/));
  });

  test("that others can read", async () => {
    for (const mode of [0o644, 0o640, 0o602]) {
      chmodSync(file(), mode);
      await unusable("CONFIG_EXPOSED", /chmod 600/);
    }
    chmodSync(file(), 0o600);
  });

  test("whose key is of the wrong length, or gone", async () => {
    await with_(setEnvValue(feedOnly, "HUB_ENCRYPTION_KEY", "abc123"), () => unusable("VAULT_LOCKED", /HUB_ENCRYPTION_KEY .*64 hex/));
    await with_(unsetEnvValue(feedOnly, "HUB_ENCRYPTION_KEY"), async () => {
      expect(failed(await hub.psn(["queue"]), "VAULT_LOCKED")).toMatch(/no HUB_ENCRYPTION_KEY/);
    });
  });

  test("whose key is another hub's", async () => {
    const before = await hub.state();
    await with_(setEnvValue(feedOnly, "HUB_ENCRYPTION_KEY", randomBytes(32).toString("hex")), async () => {
      const doctor = await hub.psn(["doctor"]);
      expect(doctor).toMatchObject({ code: 1, stdout: expect.stringMatching(/fail {2}account feed:notes .*sealed by key/) });
      const posted = await hub.psn(["post", "hello"]);
      expect(failed(posted, "VAULT_LOCKED")).toMatch(/sealed by key/);
      expect(await hub.psn(["vault", "status"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/unknown/) });
    });
    expect(await hub.state()).toBe(before);
  });

  test("whose user the database does not know", async () => {
    await with_(unsetEnvValue(feedOnly, "PSN_USER"), async () => {
      expect(failed(await hub.psn(["queue"]), "CONFIG_INVALID")).toMatch(/PSN_USER[\s\S]*psn init/);
    });
    await with_(setEnvValue(feedOnly, "PSN_USER", "01930b1e-7c00-7000-8000-000000000000"), async () => {
      expect(failed(await hub.psn(["queue"]), "CONFIG_INVALID")).toMatch(/PSN_USER[\s\S]*psn init/);
    });
  });

  test("that is not where --hub or PSN_HUB say", async () => {
    expect(failed(await hub.psn(["queue", "--hub", "/nowhere"]), "HUB_MISSING")).toMatch(/\/nowhere[\s\S]*psn init/);
    expect(failed(await binary(["queue"], { cwd: hub.folder, env: { PSN_HUB: "/nowhere" } }).ended, "HUB_MISSING")).toMatch(/\/nowhere/);
    expect((await psn(["queue", "--hub", "hub"], { cwd: join(hub.folder, "..") })).code).toBe(0);
  });
});

describe("the database", () => {
  let owner: string;
  let folder: string;
  const pg = (argv: readonly string[], stdin?: string) => psn(argv, { cwd: folder, ...(stdin === undefined ? {} : { stdin }) });
  const url = async () =>
    /^DATABASE_URL=(.*)$/m.exec(await readFile(join(folder, "config", "hub.env"), "utf8"))?.[1]?.replaceAll("'", "") ?? "";
  beforeAll(async () => {
    owner = await freshDatabase();
    folder = await scratch("pg");
  });

  test("a wrong address at init is mended by the right one", async () => {
    const wrong = new URL(owner);
    wrong.password = PASSWORD;
    const said = failed(await pg(["init", "--tz", "UTC", "--database-url-stdin"], wrong.href), "DB_REFUSED");
    expect(said).not.toContain(PASSWORD);
    expect(
      failed(await pg(["init", "--tz", "UTC", "--database-url-stdin"], `${owner}#x`.replace("postgres:", "mysql:")), "INPUT_INVALID"),
    ).toMatch(/%23/);
    expect(await pg(["init", "--tz", "UTC", "--database-url-stdin"], `${owner}\n`)).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, "config", "hub.env"), "utf8")).not.toContain(PASSWORD);
    expect(await pg(["queue"])).toMatchObject({ code: 0 });
    expect(await pg(["doctor"])).toMatchObject({ code: 0, stdout: expect.stringContaining("pg database") });
    expect(new URL(await url()).username).toMatch(/^psn_/);
  });

  test("another database is not taken", async () => {
    expect(failed(await pg(["init", "--database-url-stdin"], await freshDatabase()), "STATE_CONFLICT")).toMatch(/another folder/);
  });

  test("that is down, refuses, or is another one", async () => {
    const good = await url();
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? String(address.port) : "1";
    await new Promise((resolve) => server.close(resolve));
    const set = async (change: (to: URL) => void) => {
      const to = new URL(good);
      change(to);
      expect(await pg(["config", "set", "DATABASE_URL", "--stdin"], to.href)).toMatchObject({ code: 0 });
      return to;
    };
    const both = async (code: ErrorCode) => {
      const files = await filesOf(folder);
      for (const argv of [["queue"], ["post", "hello"], []]) {
        const said = failed(await pg(argv), code);
        expect(said).toMatch(/→ psn /);
        expect(said).not.toContain(PASSWORD);
      }
      const doctor = await pg(["doctor"]);
      expect(doctor).toMatchObject({ code: 1, stdout: expect.stringContaining(code) });
      expect(doctor.stdout).not.toContain(PASSWORD);
      expect(await filesOf(folder)).toEqual(files);
    };
    await set((to) => {
      to.port = port;
    });
    await both("DB_UNREACHABLE");
    await set((to) => {
      to.password = PASSWORD;
    });
    await both("DB_REFUSED");
    await set((to) => {
      to.username = "nobody_here";
    });
    await both("DB_REFUSED");
    await set((to) => {
      to.pathname = "/no_such_database";
    });
    await both("DB_REFUSED");
    await set(() => undefined);
    expect(await pg(["queue"])).toMatchObject({ code: 0 });
  });

  test("whose schema is older: psn db migrate mends it", async () => {
    const [first] = knownMigrations();
    const old = await freshDatabase(async (to) => {
      const database = openPg(to);
      await migrate(database, first ? [first] : []);
      await database.close();
    });
    const hubEnv = join(folder, "config", "hub.env");
    const kept = await readFile(hubEnv, "utf8");
    await writeFile(hubEnv, setEnvValue(setEnvValue(kept, "DATABASE_URL", old), "DATABASE_OWNER_URL", old));
    expect(failed(await pg(["queue"]), "SCHEMA_OUTDATED")).toMatch(/lacks \d+ of \d+ migrations[\s\S]*psn db migrate/);
    expect(await pg(["db", "status"])).toMatchObject({ code: 0, stderr: expect.stringContaining("psn db migrate") });
    expect(await pg(["doctor"])).toMatchObject({ code: 1, stdout: expect.stringContaining("psn db migrate") });
    expect(await pg(["db", "migrate"])).toMatchObject({ code: 0, stdout: expect.stringContaining("applied") });
    expect(failed(await pg(["queue"]), "CONFIG_INVALID")).toMatch(/PSN_USER/);
    await writeFile(hubEnv, kept);
  });

  test("whose schema is newer", async () => {
    const { rows } = hub;
    await rows("INSERT INTO psn.migrations (number, hash) VALUES (9999, 'from another age')");
    try {
      await refused(["queue"], "SCHEMA_NEWER", "update psn");
      await refused(["post", "hello"], "SCHEMA_NEWER", "update psn");
      await refused(["db", "migrate"], "SCHEMA_NEWER", "update psn");
      expect(await hub.psn(["db", "status"])).toMatchObject({ code: 0, stdout: expect.stringContaining("1 from a newer psn") });
    } finally {
      await rows("DELETE FROM psn.migrations WHERE number = 9999");
    }
  });

  test("that is damaged", async () => {
    const copy = await scratch("damaged");
    await cp(join(hub.folder, "config"), join(copy, "config"), { recursive: true });
    await mkdir(join(copy, "data", "pgdata"), { recursive: true });
    await writeFile(join(copy, "data", "pgdata", "PG_VERSION"), "nonsense");
    const { code, stderr } = await binary(["queue"], { cwd: copy }).ended;
    expect(ERRORS.DB_FAILED.exit).toBe(code);
    expect(stderr).toMatch(/^✗ .*\(DB_FAILED\)\n {2}→ psn doctor\n$/);
  });
});

afterAll(() => {
  expect(existsSync(join(hub.folder, "config", "hub.env.lock.tmp"))).toBe(false);
});
