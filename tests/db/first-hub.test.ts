import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openCredentials } from "@psn/app/session.ts";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { keyFromHex } from "@psn/core/utils/crypto.ts";
import { parseEnvFile } from "@psn/core/utils/envfile.ts";
import { createVault } from "@psn/core/vault.ts";
import { expect, test } from "vitest";
import { z } from "zod";
import { documentOf, psn, scratch } from "../support/cli.ts";

/*
 * A hub with its embedded database, as psn 0.1.0 left it on a disk (commit d9fa62d, schema 3, initdb's own files): it
 * is opened, migrated and used by this psn. tests/fixtures/hub-of-0.1.0.tar.zst is the folder of
 *
 *   psn init --tz Europe/Berlin --handle ada
 *   psn connect feed ./public --title Notes
 *   psn connect webhook http://127.0.0.1:8765/hook --secret-stdin
 *   psn post "published by 0.1.0" --to all
 *   psn post "to come, by 0.1.0" --to all --at "2031-03-30 09:00"
 *   psn post "with a picture, to come" --to feed --media p.png --alt "a dot" --at "2031-03-31 09:00"
 */

const FIXTURE = join(import.meta.dirname, "../fixtures/hub-of-0.1.0.tar.zst");
const FIRST = 3;
const SECRET = `whsec_${Buffer.from("an old secret of thirty-two byte").toString("base64")}`;

async function unpacked(): Promise<string> {
  const folder = await scratch("first");
  const tar = Bun.zstdDecompressSync(await readFile(FIXTURE));
  const { status, stderr } = spawnSync("tar", ["-x", "-f", "-", "-C", folder], { input: tar, encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return folder;
}

test("a hub that psn 0.1.0 made is opened, migrated and used", async () => {
  const cwd = await unpacked();
  const database = await openEmbedded(join(cwd, "data"));
  try {
    const run = async (...argv: readonly string[]) => {
      const ran = await psn([...argv, "--json"], { cwd });
      expect(ran, `psn ${argv.join(" ")}: ${ran.stdout}`).toMatchObject({ code: 0, stderr: "" });
      return documentOf(ran);
    };
    type Row = { readonly id: string; readonly text: string; readonly state: string };
    const queue = async () => (await run("queue", "--all"))["deliveries"] as readonly Row[];
    expect(documentOf(await psn(["queue", "--json"], { cwd }))).toMatchObject({
      error: { code: "SCHEMA_OUTDATED", next: "psn db migrate" },
    });
    expect(await run("db", "migrate")).toMatchObject({ applied: knownMigrations().length - FIRST });
    const before = await queue();
    expect(before.map(({ text, state }) => [state, text]).toSorted()).toEqual([
      ["published", "published by 0.1.0"],
      ["published", "published by 0.1.0"],
      ["scheduled", "to come, by 0.1.0"],
      ["scheduled", "to come, by 0.1.0"],
      ["scheduled", "with a picture, to come"],
    ]);

    const settings = parseEnvFile(await readFile(join(cwd, "config/hub.env"), "utf8"), "hub.env");
    const key = settings.find(({ name }) => name === "HUB_ENCRYPTION_KEY")?.value ?? "";
    const rows = async (text: string) => (await database.asOwner?.((client) => client.query(text)))?.rows ?? [];
    const found = await rows("SELECT user_id, id FROM psn.accounts WHERE platform = 'webhook'");
    const [account] = z.tuple([z.object({ user_id: z.string(), id: z.string() })]).parse(found);
    const sealed = await createStores(database).accounts.credentials(account.user_id, account.id);
    const vault = createVault({ keys: [keyFromHex(key)] });
    expect(sealed && openCredentials({ vault }, account.user_id, sealed).access).toContain(SECRET);

    const picture = before.find(({ text }) => text.startsWith("with a picture"))?.id ?? "";
    await run("move", picture, "--in", "40d");
    await run("cancel", picture);
    await run("connect", "feed", join(cwd, "another"));
    await run("post", "by the new one", "--to", "feed:another");
    expect((await queue()).map(({ text, state }) => [state, text])).toContainEqual(["published", "by the new one"]);
    expect(await rows("SELECT alt FROM psn.media")).toEqual([{ alt: "a dot" }]);
  } finally {
    await database.close();
  }
});
