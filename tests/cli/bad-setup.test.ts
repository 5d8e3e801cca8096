import { randomBytes } from "node:crypto";
import { chmodSync } from "node:fs";
import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { ERRORS, type ErrorCode } from "@psn/core/errors.ts";
import { setEnvValue, unsetEnvValue } from "@psn/core/utils/env.ts";
import { beforeAll, describe, expect, test } from "vitest";
import {
  binary,
  failed,
  filesOf,
  psn,
  type Refusal,
  refusedBy,
  scratch,
  type TestHub,
  testHub,
} from "../support/cli.ts";
import { freshDatabase, sharedPostgres } from "../support/shared-postgres.ts";

/*
 * A hub whose settings or whose database cannot be used: one message that says what is wrong and what mends it, the
 * exit code of the design, and nothing is changed.
 */

let hub: TestHub;
let feedOnly: string;
const PASSWORD = "correct-horse-battery-staple";

beforeAll(async () => {
  hub = await testHub();
  feedOnly = await readFile(join(hub.folder, "config", "hub.env"), "utf8");
});

const refused = (...call: Refusal) => refusedBy(hub, ...call);

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
      await unusable("CONFIG_UNREADABLE", /hub\.env cannot be read: it is a folder/);
    } finally {
      await rm(file(), { recursive: true });
      await rename(`${file()}.kept`, file());
    }
  });

  test("that is malformed", async () => {
    await with_(`${feedOnly}\nthis is no setting\n`, () =>
      unusable("CONFIG_INVALID", /hub\.env:\d+ is not of the form NAME=value/),
    );
    await with_(`${feedOnly}\nPSN_DATA="never ends\n`, () =>
      unusable("CONFIG_INVALID", /PSN_DATA begins with ", but the closing " is missing/),
    );
    await with_(`${feedOnly}\nPSN_TIME_ZONE=Mars/Base\n`, () =>
      unusable("CONFIG_INVALID", /PSN_TIME_ZONE .*IANA time zone/),
    );
    await with_(`${feedOnly}\nDATABASE_URL=mysql://x:${PASSWORD}@127.0.0.1/x\n`, () =>
      unusable("CONFIG_INVALID", /DATABASE_URL .*postgres:\/\//),
    );
    const [line = ""] = /^PSN_USER=.*$/m.exec(feedOnly) ?? [];
    await with_(`${feedOnly}\n${line}\n`, () => unusable("CONFIG_INVALID", /PSN_USER is already set on line/));
  });

  test("that others can read", async () => {
    for (const mode of [0o644, 0o640, 0o602]) {
      chmodSync(file(), mode);
      await unusable("CONFIG_EXPOSED", /chmod 600/);
    }
    chmodSync(file(), 0o600);
    // Doctor says it once, of keys.env too; that one keeps nothing from working.
    const keys = join(hub.folder, "config", "keys.env");
    chmodSync(keys, 0o644);
    const { code, stdout } = await hub.psn(["doctor"]);
    expect({ code, said: stdout.match(/chmod 600 \S+keys\.env/g)?.length }).toEqual({ code: 1, said: 1 });
    expect((await hub.psn(["queue"])).code).toBe(0);
    chmodSync(keys, 0o600);
  });

  test("whose key is of the wrong length, or gone", async () => {
    await with_(setEnvValue(feedOnly, { name: "HUB_ENCRYPTION_KEY", value: "abc123" }), () =>
      unusable("VAULT_LOCKED", /HUB_ENCRYPTION_KEY .*64 hex/),
    );
    await with_(unsetEnvValue(feedOnly, "HUB_ENCRYPTION_KEY"), async () => {
      expect(failed(await hub.psn(["queue"]), "VAULT_LOCKED")).toMatch(/no HUB_ENCRYPTION_KEY/);
    });
  });

  test("whose key is another hub's", async () => {
    const before = await hub.state();
    await with_(
      setEnvValue(feedOnly, { name: "HUB_ENCRYPTION_KEY", value: randomBytes(32).toString("hex") }),
      async () => {
        const doctor = await hub.psn(["doctor"]);
        expect(doctor).toMatchObject({
          code: 1,
          stdout: expect.stringMatching(/fail\taccount feed:notes\t.*sealed by key/),
        });
        const posted = await hub.psn(["post", "hello"]);
        expect(failed(posted, "VAULT_LOCKED")).toMatch(/sealed by key/);
        expect(await hub.psn(["vault", "status"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/unknown/) });
      },
    );
    expect(await hub.state()).toBe(before);
  });

  test("whose user the database does not know", async () => {
    await with_(unsetEnvValue(feedOnly, "PSN_USER"), async () => {
      expect(failed(await hub.psn(["queue"]), "HUB_UNFINISHED")).toMatch(/PSN_USER[\s\S]*psn init/);
    });
    await with_(
      setEnvValue(feedOnly, { name: "PSN_USER", value: "01930b1e-7c00-7000-8000-000000000000" }),
      async () => {
        expect(failed(await hub.psn(["queue"]), "HUB_UNFINISHED")).toMatch(/PSN_USER[\s\S]*psn init/);
      },
    );
  });

  test("that is not where --hub or PSN_HUB say", async () => {
    expect(failed(await hub.psn(["queue", "--hub", "/nowhere"]), "HUB_MISSING")).toMatch(/\/nowhere[\s\S]*psn init/);
    expect(
      failed(await binary(["queue"], { cwd: hub.folder, env: { PSN_HUB: "/nowhere" } }).ended, "HUB_MISSING"),
    ).toMatch(/→ psn init \/nowhere$/m);
    expect((await psn(["queue", "--hub", "hub"], { cwd: join(hub.folder, "..") })).code).toBe(0);
  });
});

describe("the database", () => {
  let owner: string;
  let folder: string;
  const pg = (argv: readonly string[], stdin?: string) =>
    psn(argv, { cwd: folder, ...(stdin === undefined ? {} : { stdin }) });
  const url = async () =>
    /^DATABASE_URL=(.*)$/m.exec(await readFile(join(folder, "config", "hub.env"), "utf8"))?.[1]?.replaceAll("'", "") ??
    "";
  beforeAll(async () => {
    // With fsync, or psn doctor would rightly fail.
    await sharedPostgres({ fast: false });
    owner = await freshDatabase();
    folder = await scratch("pg");
  });

  test("a wrong address at init is mended by the right one", async () => {
    const wrong = new URL(owner);
    wrong.password = PASSWORD;
    const said = failed(await pg(["init", "--tz", "UTC", "--database-url-stdin"], wrong.href), "DB_REFUSED");
    expect(said).not.toContain(PASSWORD);
    expect(
      failed(
        await pg(["init", "--tz", "UTC", "--database-url-stdin"], `${owner}#x`.replace("postgres:", "mysql:")),
        "INPUT_INVALID",
      ),
    ).toMatch(/%23/);
    expect(await pg(["init", "--tz", "UTC", "--database-url-stdin"], `${owner}\n`)).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, "config", "hub.env"), "utf8")).not.toContain(PASSWORD);
    expect(await pg(["queue"])).toMatchObject({ code: 0 });
    expect(await pg(["doctor"])).toMatchObject({ code: 0, stdout: expect.stringContaining("pg database") });
    expect(new URL(await url()).username).toMatch(/^psn_/);
  });

  test("another database is not taken", async () => {
    expect(failed(await pg(["init", "--database-url-stdin"], await freshDatabase()), "ALREADY_EXISTS")).toMatch(
      /another folder/,
    );
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
    await writeFile(
      hubEnv,
      setEnvValue(setEnvValue(kept, { name: "DATABASE_URL", value: old }), { name: "DATABASE_OWNER_URL", value: old }),
    );
    expect(failed(await pg(["queue"]), "SCHEMA_OUTDATED")).toMatch(/lacks \d+ of \d+ migrations[\s\S]*psn db migrate/);
    expect(await pg(["db", "status"])).toMatchObject({ code: 0, stderr: expect.stringContaining("psn db migrate") });
    expect(await pg(["doctor"])).toMatchObject({ code: 1, stdout: expect.stringContaining("psn db migrate") });
    expect(await pg(["db", "migrate"])).toMatchObject({ code: 0, stdout: expect.stringContaining("applied") });
    expect(failed(await pg(["queue"]), "HUB_UNFINISHED")).toMatch(/PSN_USER/);
    await writeFile(hubEnv, kept);
  });

  test("whose schema is newer", async () => {
    const { rows } = hub;
    await rows("INSERT INTO psn.migrations (number, hash) VALUES (9999, 'from another age')");
    try {
      await refused(["queue"], "SCHEMA_NEWER", "update psn");
      await refused(["post", "hello"], "SCHEMA_NEWER", "update psn");
      await refused(["db", "migrate"], "SCHEMA_NEWER", "update psn");
      expect(await hub.psn(["db", "status"])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("1 from a newer psn"),
      });
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
    expect(ERRORS.DB_UNUSABLE.exit).toBe(code);
    expect(stderr).toMatch(/^✗ .*\(DB_UNUSABLE\)\n {2}→ psn doctor\n$/);
  });
});
