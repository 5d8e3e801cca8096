import { makeMemberLogin } from "@psn/core/db/logins.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asOwner, newName, newPassword, serverDatabases } from "../support/databases.ts";
import { openPair, type Pair, tries } from "./member.ts";

describe.each(serverDatabases)("a member's login, on $driver", (driver) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await openPair(driver);
  });
  afterAll(() => pair.db.close());

  it("begins with limits of its own, and has few connections", async () => {
    const name = newName();
    // Once more is a new password and the same limits.
    for (const password of [newPassword(), newPassword()])
      await makeMemberLogin(pair.db.owner, { userId: pair.mallory.userId, name, password });
    const [role] = await asOwner<{ most: number; settings: string }>(
      pair.db,
      "SELECT rolconnlimit AS most, array_to_string(rolconfig, ' ') AS settings FROM pg_roles WHERE rolname = $1",
      [name],
    );
    expect(role).toEqual({
      most: 16,
      settings:
        "statement_timeout=60000 lock_timeout=5000 idle_in_transaction_session_timeout=30000 " +
        "transaction_timeout=300000",
    });
  });

  it("makes no temporary table, no table, no function and no role", async () => {
    expect(await tries(pair, "CREATE TEMP TABLE t (n integer)")).toBe("42501");
    expect(await tries(pair, "CREATE TABLE public.t (n integer)")).toBe("42501");
    expect(await tries(pair, "CREATE FUNCTION psn.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'")).toBe("42501");
    expect(await tries(pair, `CREATE ROLE ${newName()}`)).toBe("42501");
  });

  it("cannot execute a function of a later migration before it is granted", async () => {
    await asOwner(
      pair.db,
      "CREATE FUNCTION psn.later() RETURNS integer LANGUAGE sql SET search_path = '' AS 'SELECT 1'",
    );
    expect(await tries(pair, "SELECT psn.later()")).toBe("42501");
    await asOwner(pair.db, "DROP FUNCTION psn.later()");
  });
});
