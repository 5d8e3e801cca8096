import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Glob } from "bun";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../../src/", import.meta.url));
const FILES = [...new Glob("**/*.ts").scanSync(SRC)].filter((path) => !path.endsWith(".test.ts"));

/*
 * What others wrote is made printable by src/cli/output.ts. That helps only if nothing goes around it.
 */

/** Each place that has a stream of the process in its hands, and why it may. */
const MAY: Readonly<Record<string, string>> = {
  "cli/main.ts": "hands the process's streams over",
  "cli/io.ts": "makes sinks of them for output.ts",
  "cli/output.ts": "the door",
  "cli/stdout.ts": "what output.ts writes goes through it, so that a write that fails is noticed",
  "cli/prompt.ts": "readline draws on the terminal; questions are made printable",
};

const DOORS = new RegExp(
  [
    /\b(?:process|Bun)\.(?:stdout|stderr)\b/,
    /\bconsole\.(?!neon\.tech|x\.com)\w/,
    /\bwriteSync\(/,
    /\/dev\/(?:tty|stdout|stderr)/,
    /\b(?:stdout|stderr|output)\.write\(/,
    /\bemitWarning\(|\b_rawDebug\b/,
  ]
    .map(({ source }) => source)
    .join("|"),
);

test("nothing but the door writes to a terminal", () => {
  const around = FILES.filter((path) => DOORS.test(readFileSync(join(SRC, path), "utf8")));
  expect(around.filter((path) => !Object.hasOwn(MAY, path))).toEqual([]);
});

test("no other program is given psn's streams, but an editor that the person started", () => {
  const given = FILES.filter((path) =>
    /\b(?:stdio|stdout|stderr):[^\n]*["']inherit["']/.test(readFileSync(join(SRC, path), "utf8")),
  );
  expect(given).toEqual(["cli/editor.ts"]);
});

test("colours are put in by the door alone", () => {
  const painting = FILES.filter((path) => /styleText|\\x1b\[|\\u001b\[/i.test(readFileSync(join(SRC, path), "utf8")));
  expect(painting).toEqual(["cli/output.ts"]);
});
