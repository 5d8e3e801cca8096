import { join } from "node:path";
import { openCredentials } from "@psn/app/session.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { keyFromHex } from "@psn/core/utils/crypto.ts";
import { createVault } from "@psn/core/vault.ts";
import { expect, test } from "vitest";
import { documentOf, psn, scratch } from "../support/cli.ts";
import { asOwner } from "../support/databases.ts";
import { earlierHub } from "../support/earlier-hub.ts";
import { isShort } from "../support/how-much.ts";

/*
 * A hub of every schema there was since the first that could publish: opened, migrated and used by this psn. The
 * migrations never change once they have landed, so the hubs are made by them and kept in no file.
 */

const NEWEST = knownMigrations().length;
/** The first with functions, the last before tokens were sealed as they are now, and the one before the newest. */
const TOLD_APART = [3, 15, NEWEST - 1];
const SCHEMAS = isShort ? TOLD_APART : Array.from({ length: NEWEST - 3 }, (_, index) => index + 3);

test.each(SCHEMAS)("a hub of schema %i is migrated and used", async (schema) => {
  const cwd = await scratch("earlier");
  const hub = await earlierHub(schema, cwd);
  const run = async (...argv: readonly string[]) => {
    const ran = await psn([...argv, "--json"], { cwd });
    expect(ran, `psn ${argv.join(" ")}: ${ran.stdout}`).toMatchObject({ code: 0, stderr: "" });
    return documentOf(ran);
  };
  const refused = await psn(["queue", "--json"], { cwd });
  expect(documentOf(refused)).toMatchObject({ error: { code: "SCHEMA_OUTDATED", next: "psn db migrate" } });
  expect(await run("db", "migrate")).toMatchObject({ applied: NEWEST - schema, migrations: { pending: 0 } });
  // What was there: posts with their states, and the token, which opens.
  const { deliveries } = await run("queue", "--all");
  const shown = deliveries as readonly { readonly text: string; readonly state: string }[];
  expect(shown.map(({ text, state }) => [text, state]).toSorted()).toEqual([
    ["out already", "published"],
    ["to come", "scheduled"],
  ]);
  const database = openPg(hub.url);
  try {
    const sealed = await createStores(database).accounts.credentials(hub.userId, hub.accountId);
    const vault = createVault({ keys: [keyFromHex(hub.key)] });
    expect(sealed && openCredentials({ vault }, hub.userId, sealed).access).toBe("an access token");
    // And it is used: a post is moved and cancelled, another one goes out.
    await run("move", hub.scheduled, "--in", "40d");
    await run("cancel", hub.scheduled);
    await run("connect", "feed", join(cwd, "public"));
    await run("post", "by the new one", "--to", "feed:public");
    const [{ n } = { n: 0 }] = await asOwner(
      { owner: database },
      "SELECT count(*)::integer AS n FROM psn.deliveries WHERE state = 'published'",
    );
    expect(n).toBe(2);
  } finally {
    await database.close();
  }
});
