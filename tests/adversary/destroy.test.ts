import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { closedHub, documentOf, failed, psn, scratch } from "../support/cli.ts";

/* What psn destroy and psn init do with a data/ that psn did not make, and what is said before anything goes. */

const KEY = `HUB_ENCRYPTION_KEY=${"ab".repeat(32)}\n`;

/** A folder with files of somebody's in data/, and a hub.env. */
async function withFiles(hubEnv: string): Promise<string> {
  const folder = await scratch("theirs");
  for (const name of ["data", "config"]) mkdirSync(join(folder, name), { mode: 0o700 });
  writeFileSync(join(folder, "data", "letters.txt"), "words");
  writeFileSync(join(folder, "config", "hub.env"), hubEnv, { mode: 0o600 });
  return folder;
}
const letters = (folder: string) => readFileSync(join(folder, "data", "letters.txt"), "utf8");

test.each([
  ["a Neon hub that was destroyed already", KEY],
  ["a hub whose init on Neon failed", `${KEY}PSN_MADE=neon-project:psn-12345678\n`],
])("data/ of %s is not planned, and stays", async (_what, hubEnv) => {
  const folder = await withFiles(hubEnv);
  const plan = await psn(["destroy", "--dry-run"], { cwd: folder });
  expect(plan).toMatchObject({ code: 0 });
  expect(plan.stdout).not.toMatch(/embedded database|data/);
  await psn(["destroy", "--yes"], { cwd: folder });
  expect(letters(folder)).toBe("words");
});

test("psn init does not put its database among somebody's files", async () => {
  const folder = await scratch("mixed");
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "data", "letters.txt"), "words");
  const said = failed(await psn(["init"], { cwd: folder }), "FOREIGN_CONTENT");
  expect(said).toMatch(/data holds letters\.txt[\s\S]*→ create the hub in a separate folder: psn init \S+\/psn\n$/);
  expect(readdirSync(folder)).toEqual(["data"]);
  expect(readdirSync(join(folder, "data"))).toEqual(["letters.txt"]);
});

test("what came into data/ later stays, with all folders that hold it", async () => {
  const folder = await closedHub();
  writeFileSync(join(folder, "data", "letters.txt"), "words");
  writeFileSync(join(folder, "data", "pgdata", "notes.txt"), "more words");
  const { code, stdout } = await psn(["destroy", "--yes"], { cwd: folder });
  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/removed {2}embedded database .*letters\.txt/),
  });
  expect(letters(folder)).toBe("words");
  expect(readdirSync(join(folder, "data")).toSorted()).toEqual(["letters.txt", "pgdata"]);
  expect(readdirSync(join(folder, "data", "pgdata"))).toEqual(["notes.txt"]);
});

test("destroying a copy leaves the original's notes outside of it; destroying the original removes them", async () => {
  const folder = await closedHub();
  // The first begins the notes.
  for (const _ of ["first", "second"]) expect(await psn(["queue"], { cwd: folder })).toMatchObject({ code: 0 });
  const { id } = JSON.parse(readFileSync(join(folder, "config", "incarnation.json"), "utf8"));
  const noted = () => existsSync(join(process.env["XDG_STATE_HOME"] ?? "", "psn", `${id}.json`));
  expect(noted()).toBe(true);
  const copy = join(await scratch("copy"), "hub");
  cpSync(folder, copy, { recursive: true });
  expect(await psn(["destroy", "--yes"], { cwd: copy })).toMatchObject({ code: 0 });
  expect(existsSync(join(copy, "data"))).toBe(false);
  expect(noted()).toBe(true);
  expect(await psn(["destroy", "--yes"], { cwd: folder })).toMatchObject({ code: 0 });
  expect(noted()).toBe(false);
});

test("before it asks it says what it will remove and how many posts wait; afterwards what it has removed", async () => {
  const folder = await closedHub();
  expect(await psn(["connect", "feed", join(folder, "public")], { cwd: folder })).toMatchObject({ code: 0 });
  for (const text of ["one", "two"]) await psn(["post", text, "--to", "feed", "--in", "3d"], { cwd: folder });
  const dry = await psn(["destroy", "--dry-run"], { cwd: folder });
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/^would remove {2}embedded database/) });
  expect(dry.stdout).toContain("2 posts are still waiting and would not be sent");
  expect(dry.stdout).not.toMatch(/removed/);
  const json = documentOf(await psn(["destroy", "--dry-run", "--json"], { cwd: folder }));
  expect(json).toMatchObject({
    dryRun: true,
    waiting: 2,
    removals: expect.arrayContaining([expect.objectContaining({ how: "remove" })]),
  });
  const refused = await psn(["destroy"], { cwd: folder });
  expect(refused.stderr).toMatch(
    /will remove {2}embedded database[\s\S]*2 posts are still waiting and will not be sent/,
  );
  expect(refused.stdout + refused.stderr).not.toMatch(/^removed/m);
  expect(existsSync(join(folder, "data"))).toBe(true);
  const done = await psn(["destroy", "--yes"], { cwd: folder });
  expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/^removed {2}embedded database/) });
  expect(existsSync(join(folder, "data"))).toBe(false);
  // The key stays, so that a backup opens; of the notes and locks nothing.
  expect(readdirSync(join(folder, "config")).toSorted()).toEqual([".gitignore", ".lock", "hub.env", "keys.env"]);
  // A second time there is nothing to remove but what is left of the settings.
  expect((await psn(["destroy", "--dry-run"], { cwd: folder })).stdout).not.toMatch(/embedded database/);
});
