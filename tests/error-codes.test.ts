import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { becameOf, ERRORS, type ErrorCode } from "@psn/core/errors.ts";
import { expect, test } from "vitest";

/* One code, one meaning: every code of the table is used somewhere, and no two of them say the same. */

const SRC = fileURLToPath(new URL("../src", import.meta.url));
const CODES = Object.keys(ERRORS) as ErrorCode[];

/** Lists of codes, and places where an error's code is only compared, make no error. */
const MAKES_NONE =
  /\/\*.*?\*\/|(?:ReadonlySet<ErrorCode>|readonly ErrorCode\[\]) = [^;]*;|became: \[[^\]]*\]|[!=]== "[A-Z_]+"/gs;

/** What is left of each file of src that may make an error. */
const SOURCES = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
  .map((name) => readFileSync(join(SRC, name), "utf8").replaceAll(MAKES_NONE, ""));

test.each(CODES)("something makes the error %s", (code) => {
  expect(SOURCES.some((text) => text.includes(`"${code}"`))).toBe(true);
});

test("no two codes have the same meaning", () => {
  const same = Map.groupBy(CODES, (code) => ERRORS[code].meaning.toLowerCase());
  expect([...same.values()].filter((codes) => codes.length > 1)).toEqual([]);
});

test.each(CODES.filter((code) => "became" in ERRORS[code]))(
  "what %s became is in the table, each once, and a script that asks for the exit code sees no other",
  (code) => {
    const { exit, became = [] }: { readonly exit: number; readonly became?: readonly string[] } = ERRORS[code];
    expect(becameOf(code)).toEqual(became);
    expect(becameOf(code).map((one) => ERRORS[one].exit)).toEqual(became.map(() => exit));
    const all = CODES.flatMap(becameOf);
    expect(new Set(all).size).toBe(all.length);
  },
);
