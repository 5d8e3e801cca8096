import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { namedCommands } from "@psn/cli/json-schema.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { escaped, text } from "../../scripts/man/roff.ts";
import { debianFiles } from "../support/debian.ts";

/* The manual pages, as man and mandoc read them. */

const FOLDER = join(import.meta.dirname, "../../docs/man");
const pages = readdirSync(FOLDER).toSorted();

test("each command has a page, and each page a command", () => {
  expect(pages).toEqual(["psn.1", ...Object.keys(COMMANDS).map((name) => `psn-${name}.1`)].toSorted());
});

test("each flag is in the page of its command", async () => {
  for (const { path, command } of await namedCommands(COMMANDS)) {
    const file = `psn-${path.split(" ")[0]}.1`;
    if (!pages.includes(file)) continue;
    const page = readFileSync(join(FOLDER, file), "utf8");
    for (const { flags } of command.flags ?? [])
      expect(page, `${path} ${flags}`).toContain(escaped(flags.split(" ")[0] ?? ""));
  }
});

describe("mandoc", () => {
  let root = "";
  beforeAll(async () => {
    root = await debianFiles("mandoc", (suite) => ({ suite, packages: ["mandoc"], libraries: true }));
  });
  const mandoc = (...words: readonly string[]) =>
    spawnSync(join(root, "usr/bin/mandoc"), [...words], { cwd: FOLDER, encoding: "utf8" });

  test("has nothing to say about them", () => {
    const { status, stdout, stderr } = mandoc("-Tlint", ...pages);
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: "" });
  });

  test("shows a flag as it is typed", () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a bold letter is printed twice, a backspace between
    const shown = mandoc("-Tascii", "psn-post.1").stdout.replaceAll(/.\x08/g, "");
    expect(shown).toMatch(/^ +--idempotency-key key$/m);
    expect(shown).toContain('psn post "hello, world" --to bluesky');
  });
});

test("words that would steer roff are shown as they are", () => {
  expect(text(".SH is no heading, nor is 'this' a\\nb")).toEqual([
    String.raw`\&.SH is no heading, nor is \(aqthis\(aq a\enb`,
  ]);
  expect(escaped("→")).toBe("\\[u2192]");
});
