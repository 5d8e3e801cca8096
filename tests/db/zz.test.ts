import { it } from "vitest";
import { testDatabases, asOwner, newName } from "/work/main/tests/support/databases.ts";
for (const d of testDatabases.slice(0, 2)) it(d.driver, async () => {
  const db = await d.open();
  const id = Bun.randomUUIDv7();
  await db.owner.asOwner!(async c => {
    const name = newName();
    await c.query(`create role ${name} login; grant psn_runtime to ${name}`);
    const who = async (n: string) => console.log(d.driver, n, (await c.query("select session_user::text s, current_user::text c, current_setting('role') r")).rows[0]);
    const seqs: [string, string[]][] = [
      ["ok", ["SET LOCAL ROLE psn_runtime"]],
      ["fail set role", ["SET LOCAL ROLE psn_service"]],
      ["fail later", ["SET LOCAL ROLE psn_runtime", "select 1/0"]],
    ];
    for (const [n, s] of seqs) for (const end of ["COMMIT", "ROLLBACK"]) {
      await c.query(`BEGIN; SET LOCAL SESSION AUTHORIZATION ${name}`);
      try { for (const q of s) await c.query(q); } catch (e) { console.log(String(e)); }
      await c.query(end).catch(e => console.log(String(e)));
      await who(n + " " + end);
      await c.query("RESET SESSION AUTHORIZATION; RESET ROLE").catch(e => console.log(String(e)));
      await who("after reset");
    }
  });
  await db.close();
});
