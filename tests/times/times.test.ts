import { readFileSync } from "node:fs";
import { PsnError } from "@psn/core/errors.ts";
import { formatInstant, parseWhen } from "@psn/domain/schedule.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { thrown } from "../support/thrown.ts";

interface Row {
  readonly now: string;
  readonly zone: string;
  readonly text: string;
  /** An instant, or `refused`. */
  readonly answer: string;
  readonly message: string;
  readonly hint: string;
}

const unescaped = (text: string) => text.replace(/\\u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
const ROWS: readonly Row[] = readFileSync(new URL("times.tsv", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [now = "", zone = "", text = "", answer = "", message = "", hint = ""] = line.split("\t");
    return { now, zone, text: unescaped(text), answer, message, hint };
  });
/** What a hint offers to write instead: a date and a time, perhaps with an offset or a zone, or a length of time. */
const OFFERED = /\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?(?: (?:UTC|[A-Z][a-z]+\/[\w/+-]+))?|\bin \d[\w.]*(?: hours)?/g;

const contextOf = ({ now, zone }: Row) => ({ now: Temporal.Instant.from(now), zone });

describe("the table", () => {
  test("has at least 400 expressions in at least 12 zones, each once", () => {
    expect(ROWS.length).toBeGreaterThanOrEqual(400);
    expect(new Set(ROWS.map(({ zone }) => zone)).size).toBeGreaterThanOrEqual(12);
    expect(new Set(ROWS.map(({ now, zone, text }) => [now, zone, text].join("\t"))).size).toBe(ROWS.length);
  });

  test.each(ROWS.filter(({ answer }) => answer !== "refused"))("$text, said in $zone at $now, is $answer", (row) => {
    expect(parseWhen(row.text, contextOf(row)).at.toString()).toBe(row.answer);
  });

  test.each(ROWS.filter(({ answer }) => answer === "refused"))("$text, said in $zone at $now, is refused: $message", (row) => {
    const error = thrown(() => parseWhen(row.text, contextOf(row)));
    expect(error).toBeInstanceOf(PsnError);
    expect([error.code, error.message, error.hint ?? ""]).toEqual([
      "TIME_INVALID",
      expect.stringContaining(row.message),
      expect.stringContaining(row.hint),
    ]);
    for (const [offered] of (error.hint ?? "").matchAll(OFFERED))
      expect(() => parseWhen(offered, contextOf(row)), `${error.hint} is offered`).not.toThrow();
  });
});

describe("the echo", () => {
  const now = Temporal.Instant.from("2026-11-23T10:00:00Z");
  const zones = [...new Set([...Intl.supportedValuesOf("timeZone"), "GMT", "CET", "Etc/GMT+5", "EST5EDT", "Etc/UTC"])];

  test("of any instant in any zone is read as that instant, in every zone and also in an hour that clocks show twice", () => {
    const seconds = fc.integer({ min: 1, max: 5 * 365 * 86_400 });
    fc.assert(
      fc.property(seconds, fc.constantFrom(...zones), fc.constantFrom(...zones), (ahead, shown, own) => {
        const at = now.add({ seconds: ahead });
        expect(parseWhen(formatInstant(at, shown), { now, zone: own }).at.toString()).toBe(at.toString());
      }),
      { numRuns: 1000 },
    );
  });
});
