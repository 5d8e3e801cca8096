import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseEnvFile, setEnvValue } from "./envfile.ts";

/*
 * hub.env and keys.env are files that a shell may source: what psn writes means the same to psn, bash and dash.
 */

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "psn-envfile-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const VALUES = [
  "",
  "plain-1.2_/x:y@z%20",
  "a\nb",
  "\na\n\nb\n",
  "a\tb",
  "\t",
  "a\rb",
  "a\r\nb\r\n",
  "it's",
  "it's\na\ttrap\r\n",
  'say "no"',
  `"it's"\n'both'`,
  "$HOME",
  "it's $HOME and $(id)",
  "`id`",
  "it's `id`",
  "back\\slash",
  "it's back\\slash\\",
  "it's \\n no line",
  "ends in a backslash\\\n",
  "hi!",
  "it's !! and !1",
  "#no comment",
  "it's # no comment",
  "  blanks around  ",
  "it's  blanks  ",
  "~",
  "~/x",
  "a;b&c|d>e<f(g)h",
  "*?[a]",
  "{a,b}",
  "a=b",
  "-----BEGIN KEY-----\nabc+/=\n-----END KEY-----\n",
  "ü 日本 \u2028 👩‍👧",
];

function inShell(shell: string, text: string, names: readonly string[]): readonly string[] {
  const file = join(folder, "hub.env");
  writeFileSync(file, text);
  const script = `set -a; . "$1"; shift; for name in "$@"; do eval "printf '%s\\0' \\"\\$$name\\""; done`;
  const printed = execFileSync(shell, ["-c", script, shell, file, ...names], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] },
  });
  return printed.split("\0").slice(0, -1);
}

/** One file of all values, each set after the others. */
function fileOf(values: readonly string[]): { readonly text: string; readonly names: readonly string[] } {
  const names = values.map((_, i) => `V${i}`);
  const text = values.reduce(
    (before, value, i) => setEnvValue(before, { name: `V${i}`, value }),
    "# a header\n# V1=offered\n",
  );
  return { text, names };
}

describe.each(["bash", "dash"])("what psn writes, sourced by %s", (shell) => {
  test("newlines, tabs, quotes, dollars, backticks, backslashes, !, # and blanks are as psn reads them", () => {
    const { text, names } = fileOf(VALUES);
    const read = new Map(parseEnvFile(text, "hub.env").map(({ name, value }) => [name, value]));
    expect(names.map((name) => read.get(name))).toEqual(VALUES);
    expect(inShell(shell, text, names)).toEqual(VALUES);
  });

  test("any value", () => {
    // No file can hold a half of a character, and no environment a NUL.
    const value = fc
      .oneof(
        fc.string({ unit: "binary" }),
        fc.string({ unit: fc.constantFrom(..."\n\r\t'\"`$\\!# a~*{}"), maxLength: 8 }),
      )
      .map((text) => text.toWellFormed().replaceAll("\0", ""));
    fc.assert(
      fc.property(fc.array(value, { minLength: 50, maxLength: 50 }), (values) => {
        const { text, names } = fileOf(values);
        expect(inShell(shell, text, names)).toEqual(values);
        expect(
          parseEnvFile(text, "hub.env")
            .map((entry) => entry.value)
            .toSorted(),
        ).toEqual(values.toSorted());
      }),
      { numRuns: 5 },
    );
  });

  test("a value of several lines replaces another, before a comment and at the end without a line break", () => {
    const text = setEnvValue(setEnvValue("A=1 # one\nB=2", { name: "B", value: "it's\n2" }), {
      name: "A",
      value: "1\n\t1",
    });
    expect(inShell(shell, text, ["A", "B"])).toEqual(["1\n\t1", "it's\n2"]);
    expect(text).toContain("# one");
  });
});

test("a file with the line breaks of Windows keeps them, and psn reads back what it wrote", () => {
  const text = setEnvValue("A=1\r\nB=2\r\n", { name: "A", value: "x\r\ny\nz" });
  expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  expect(parseEnvFile(text, "hub.env").map(({ value }) => value)).toEqual(["x\r\ny\nz", "2"]);
});
