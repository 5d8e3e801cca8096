import { spawnSync } from "node:child_process";
import { appendFile, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratch } from "./cli.ts";
import { COMPILED_PSN, nameOf } from "./cli-bundle.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const MAIN = join(ROOT, "src/cli/main.ts");
const FILES = ["package.json", "bun.lock", "tsconfig.json", "tests/support/cli-bundle.ts"];

test("the program has another name after any change to what is in it", async () => {
  const root = await scratch("bundle");
  for (const name of [...FILES, "src/cli/main.ts"]) await cp(join(ROOT, name), join(root, name), { recursive: true });
  const names = [await nameOf(root)];
  expect(await nameOf(root)).toBe(names[0]);
  for (const name of ["src/cli/main.ts", ...FILES]) {
    await appendFile(join(root, name), "\n");
    names.push(await nameOf(root));
  }
  await mkdir(join(root, "src/new"));
  await writeFile(join(root, "src/new/file.txt"), "");
  names.push(await nameOf(root));
  await rm(join(root, "src/new/file.txt"));
  expect(await nameOf(root)).toBe(names.at(-2));
  expect(new Set(names).size).toBe(names.length);
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
