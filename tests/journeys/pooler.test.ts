import { readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PgBouncer, pgBouncerFiles, startPgBouncer } from "../support/pgbouncer.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { atMost, until } from "../support/until.ts";
import { emptyFolder, type Hub, posted, stop } from "./hub.ts";

const files = await pgBouncerFiles();
const missing = "missing" in files ? files.missing : undefined;
if (missing !== undefined) console.warn(`a hub behind pgbouncer is not tried: ${missing}`);

/** A hub whose Postgres is reached by way of a real pgbouncer in transaction mode, from `psn init` on. */
describe.skipIf(missing !== undefined)("a hub behind a pooler in transaction mode", () => {
  let server: Postgres;
  let pooler: PgBouncer;
  let hub: Hub;
  beforeAll(async () => {
    server = await startPostgres({ auth: "scram-sha-256", fast: false });
    pooler = await startPgBouncer("root" in files ? files.root : "", server.url, { mode: "transaction" });
    hub = await emptyFolder();
    const made = await hub.psn(
      ["init", "--database-url-stdin", "--tz", "UTC"],
      `${pooler.urlFor(await server.createDatabase("hub"))}\n`,
    );
    expect(made).toMatchObject({ code: 0 });
    expect(await hub.psn(["connect", "feed", "./public"])).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await pooler?.stop();
    await server?.stop();
  });

  /** How long after its time a post of `--in 5s` was out, in milliseconds, by the database's clock. */
  async function lateness(): Promise<number> {
    const { post } = posted(await hub.json(["post", "in five seconds", "--to", "feed", "--in", "5s"]));
    const database = new pg.Client({ connectionString: server.urlFor("hub") });
    await database.connect();
    try {
      let late: unknown;
      await until("it is out", async () => {
        const { rows } = await database.query(
          `SELECT (extract(epoch FROM max(u.published_at) - max(d.due_at)) * 1000)::integer AS ms
           FROM psn.deliveries d JOIN psn.delivery_units u ON u.delivery_id = d.id WHERE d.post_id = $1
             AND d.state = 'published'`,
          [post],
        );
        late = rows[0]?.ms;
        return late !== null;
      });
      console.info(`behind pgbouncer, psn post --in 5s was out ${late} ms after its time`);
      return Number(late);
    } finally {
      await database.end();
    }
  }

  test("publishes in time; the worker and psn doctor say that it has to look, and one signal ends it", async () => {
    const worker = await hub.worker();
    await worker.says("a pooler in transaction mode");
    expect(await lateness()).toBeLessThan(atMost(2_500));
    const doctor = await hub.psn(["doctor", "--offline"]);
    expect(doctor).toMatchObject({ code: 0 });
    expect(doctor.stdout).toMatch(
      /warn\tnotifications\t.*a pooler in transaction mode.*psn config set DATABASE_LISTEN_URL/,
    );
    expect(await stop(worker)).toMatchObject({ code: 0 });
  });

  test("with DATABASE_LISTEN_URL it is notified", async () => {
    const path = join(hub.folder, "config", "hub.env");
    const [, own = ""] = /^DATABASE_URL=(.*)$/m.exec(await readFile(path, "utf8")) ?? [];
    const direct = new URL(own.replaceAll(/["']/g, ""));
    direct.port = String(server.port);
    expect(await hub.psn(["config", "set", "DATABASE_LISTEN_URL", "--stdin"], direct.href)).toMatchObject({ code: 0 });
    const doctor = await hub.psn(["doctor", "--offline"]);
    expect(doctor.stdout).toMatch(/ok\tnotifications\twork/);
    const shown = await hub.psn(["config", "list"]);
    expect(shown.stdout).toContain("DATABASE_LISTEN_URL");
    expect(shown.stdout).not.toContain(direct.password);
    const worker = await hub.worker();
    expect(await lateness()).toBeLessThan(atMost(2_500));
    const { stderr } = await stop(worker);
    expect(stderr).not.toContain("pooler");
  });
});
