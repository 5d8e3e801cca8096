import { spawnSync } from "node:child_process";
import { appendFile, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { copyTo } from "../../scripts/engine-mutants.ts";
import { scratch } from "./cli.ts";
import { COMPILED_PSN, nameOf } from "./cli-bundle.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const MAIN = join(ROOT, "src/cli/main.ts");
const FILES = ["package.json", "bun.lock", "tsconfig.json", "tests/support/cli-bundle.ts"];
const MIGRATION = "drizzle/migrations/0022_source.sql";

test("the program has another name after any change to what is in it", async () => {
  const root = await scratch("bundle");
  const names = ["src/cli/main.ts", MIGRATION, ...FILES];
  for (const name of names) await cp(join(ROOT, name), join(root, name), { recursive: true });
  const hashes = [await nameOf(root)];
  expect(await nameOf(root)).toBe(hashes[0]);
  for (const name of names) {
    await appendFile(join(root, name), "\n");
    hashes.push(await nameOf(root));
  }
  await mkdir(join(root, "src/new"));
  await writeFile(join(root, "src/new/file.txt"), "");
  hashes.push(await nameOf(root));
  await rm(join(root, "src/new/file.txt"));
  expect(await nameOf(root)).toBe(hashes.at(-2));
  expect(new Set(hashes).size).toBe(hashes.length);
});

test("a copy that a mutant is tried on has all that is in the program", async () => {
  const copy = join(await scratch("mutant"), "copy");
  copyTo(copy);
  expect(await nameOf(copy)).toMatch(/^cli-/);
});

test("the program says what the sources say", async () => {
  const cwd = await scratch("bundle");
  const said = (program: readonly [string, ...string[]], ...argv: string[]) => {
    const [command, ...first] = program;
    const { status, stdout, stderr } = spawnSync(command, [...first, ...argv], { cwd, encoding: "utf8" });
    return { status, stdout, stderr };
  };
  for (const argv of [["--version"], ["post", "--help"], ["explain", "--json"], ["queue"]])
    expect(said([COMPILED_PSN], ...argv)).toEqual(said([process.execPath, MAIN], ...argv));
});
