import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { psn, scratch } from "../support/cli.ts";
import { type NeonGateway, startNeonGateway } from "../support/neon-gateway.ts";
import { freshDatabase, sharedPostgres } from "../support/shared-postgres.ts";

/*
 * A Neon proxy of one's own knows a role's password, or that there is no such role, for four minutes. `psn init` must
 * not need it to forget: it may be stopped anywhere and run again.
 */

let gateway: NeonGateway;
let owner: pg.Client;
let folder: string;
let ownerUrl: string;
beforeAll(async () => {
  gateway = await startNeonGateway((await sharedPostgres()).url);
  const url = await freshDatabase();
  owner = new pg.Client(url);
  await owner.connect();
  const password = randomUUID();
  await owner.query(
    `CREATE ROLE hub_owner LOGIN CREATEROLE PASSWORD '${password}'; ALTER DATABASE ${owner.database} OWNER TO ` +
      "hub_owner",
  );
  ownerUrl = `postgres://hub_owner:${password}@127.0.0.1/${owner.database}`;
  folder = await scratch("login");
});
afterAll(async () => {
  await owner?.end();
  await gateway?.stop();
});

const init = () =>
  psn(["init", "--database-url-stdin", "--neon-proxy", new URL(gateway.httpEndpoint).origin, "--tz", "UTC"], {
    cwd: folder,
    stdin: ownerUrl,
  });
const logins = async () =>
  (await owner.query("SELECT rolname FROM pg_roles WHERE rolcanlogin AND starts_with(rolname, 'psn_')")).rows.map(
    ({ rolname }) => rolname,
  );
const command = (...argv: readonly string[]) => psn(argv, { cwd: folder });

test("init run again, without the login's address, goes on at once", async () => {
  expect(await init()).toMatchObject({ code: 0 });
  expect(await command("queue")).toMatchObject({ code: 0 });
  const first = await logins();
  expect(first).toHaveLength(1);

  expect(await command("config", "set", "DATABASE_URL", "--unset")).toMatchObject({ code: 0 });
  expect(await init()).toMatchObject({ code: 0, stdout: expect.stringContaining("made  login with which psn runs") });
  expect(await command("queue")).toMatchObject({ code: 0 });
  const second = await logins();
  expect(second).toHaveLength(1);
  expect(second).not.toEqual(first);
});

test("a login that cannot be dropped is named", async () => {
  const [name] = await logins();
  await owner.query(`CREATE TABLE kept (n int); ALTER TABLE kept OWNER TO ${name}`);
  expect(await command("config", "set", "DATABASE_URL", "--unset")).toMatchObject({ code: 0 });
  const again = await init();
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining(`DROP ROLE ${name}`) });
  expect(await logins()).toHaveLength(2);
  await owner.query("DROP TABLE kept");
});

test("a hub that was destroyed is made again in the same folder at once", async () => {
  expect(await command("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await init()).toMatchObject({ code: 0 });
  expect(await command("queue")).toMatchObject({ code: 0 });
  expect(await logins()).toHaveLength(1);
});

test("a hub whose login's address was never saved is destroyed with its logins", async () => {
  expect(await command("config", "set", "DATABASE_URL", "--unset")).toMatchObject({ code: 0 });
  expect(await command("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await logins()).toEqual([]);
  expect((await owner.query("SELECT FROM pg_namespace WHERE nspname = 'psn'")).rowCount).toBe(0);
});
