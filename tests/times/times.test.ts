import { readFileSync } from "node:fs";
import { PsnError } from "@psn/core/errors.ts";
import { formatInstant, parseDuration, parseWhen } from "@psn/domain/schedule.ts";
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

const unescaped = (text: string) =>
  text.replace(/\\u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
const ROWS: readonly Row[] = readFileSync(new URL("times.tsv", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [now = "", zone = "", text = "", answer = "", message = "", hint = ""] = line.split("\t");
    return { now, zone, text: unescaped(text), answer, message, hint };
  });
const DATE_AND_TIME = String.raw`\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?`;
const ZONE = String.raw`(?: (?:UTC|[A-Z][a-z]+\/[\w/+-]+))?`;
const LENGTH = String.raw`\bin \d[\w.]*(?: hours)?`;
/** What a hint offers to write instead: a date and a time, perhaps with an offset or a zone, or a length of time. */
const OFFERED = new RegExp(`${DATE_AND_TIME}${ZONE}|${LENGTH}`, "g");

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

  test.each(ROWS.filter(({ answer }) => answer === "refused"))(
    "$text, said in $zone at $now, is refused: $message",
    (row) => {
      const error = thrown(() => parseWhen(row.text, contextOf(row)));
      expect(error).toBeInstanceOf(PsnError);
      expect([error.code, error.message, error.hint ?? ""]).toEqual([
        "TIME_INVALID",
        expect.stringContaining(row.message),
        expect.stringContaining(row.hint),
      ]);
      for (const [offered] of (error.hint ?? "").matchAll(OFFERED))
        expect(() => parseWhen(offered, contextOf(row)), `${error.hint} is offered`).not.toThrow();
    },
  );
});

describe("a day, a part of it and a clock in any order", () => {
  // Monday to Sunday, at hours of the night and of the day.
  const nows = [1, 2, 3, 4, 5, 6, 7].flatMap((day) =>
    [0, 5, 11, 16, 22].map((hour) =>
      Temporal.PlainDateTime.from({ year: 2026, month: 11, day: 22 + day, hour, minute: 10 }),
    ),
  );
  const IN_PART: Readonly<Record<string, (hour: number) => boolean>> = {
    morning: (hour) => hour < 12,
    afternoon: (hour) => hour >= 12 && hour < 19,
    evening: (hour) => hour >= 17,
    night: (hour) => hour >= 17 || hour < 6,
  };
  const DAYS: Readonly<Record<string, number | undefined>> = {
    today: 0,
    tomorrow: 1,
    "day after tomorrow": 2,
    "in 3 days": 3,
    "": undefined,
  };
  const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

  test("is read as just that, or refused", () => {
    const hour = fc.integer({ min: 0, max: 24 });
    const clock = fc.oneof(
      fc.record({ hour, minute: fc.integer({ min: 0, max: 59 }), half: fc.constantFrom("", "am", " pm") }),
      fc.record({ hour, minute: fc.constant(undefined), half: fc.constantFrom("", " am", "pm") }),
    );
    const day = fc.constantFrom(
      ...Object.keys(DAYS),
      ...WEEKDAYS,
      ...WEEKDAYS.map((name) => `next ${name}`),
      "tonight",
    );
    const part = fc.constantFrom("", "", ...Object.keys(IN_PART));
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...nows),
        day,
        part,
        clock,
        fc.boolean(),
        (now, day, part, { hour, minute, half }, isFirst) => {
          const time = `${hour}${minute === undefined ? "" : `:${String(minute).padStart(2, "0")}`}${half}`;
          const words = [day, part === "" || day === "tonight" ? "" : day === "" ? `in the ${part}` : part];
          const text = (isFirst ? [time, ...words] : [...words, `at ${time}`]).filter((word) => word !== "").join(" ");
          const here = now.toZonedDateTime("Europe/Berlin");
          try {
            const wall = parseWhen(text, { now: here.toInstant(), zone: "Europe/Berlin" })
              .at.toZonedDateTimeISO("Europe/Berlin")
              .toPlainDateTime();
            accepted += 1;
            const meant = day === "tonight" ? "night" : part;
            const isAfterMidnight = meant === "night" && wall.hour < 6;
            expect([wall.minute, wall.hour % 12], text).toEqual([minute ?? 0, hour % 12]);
            if (half !== "") expect(wall.hour >= 12, text).toBe(half.trim() === "pm");
            if (meant !== "") expect(IN_PART[meant]?.(wall.hour), text).toBe(true);
            else if (half === "") expect(wall.hour, text).toBe(hour);
            const ahead = wall.toPlainDate().since(now.toPlainDate()).days;
            if (day === "tonight")
              expect(ahead, text).toBe(isAfterMidnight ? (now.hour < 6 && wall.hour > now.hour ? 0 : 1) : 0);
            else if (DAYS[day] !== undefined)
              expect(ahead - DAYS[day], text).toBe(isAfterMidnight && day === "today" ? ahead : 0);
            else if (day !== "")
              expect(
                [WEEKDAYS[wall.dayOfWeek - 1], WEEKDAYS[(wall.dayOfWeek + 5) % 7]].slice(0, isAfterMidnight ? 2 : 1),
                text,
              ).toContain(day.replace("next ", ""));
          } catch (error) {
            if (!(error instanceof PsnError)) throw error;
            expect(error.code).toBe("TIME_INVALID");
            for (const [offered] of (error.hint ?? "").matchAll(OFFERED))
              expect(
                () => parseWhen(offered, { now: here.toInstant(), zone: "Europe/Berlin" }),
                `${text}: ${error.hint}`,
              ).not.toThrow();
          }
        },
      ),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });
});

test("a text that is longer than any time is refused before it is read", () => {
  const context = { now: Temporal.Instant.from("2026-11-23T10:00:00Z"), zone: "Europe/Berlin" };
  expect(parseWhen(`${" ".repeat(180)}tomorrow 9am`, context).wall).toBe("2026-11-24T09:00");
  expect(thrown(() => parseWhen("1".repeat(201), context)).message).toBe(
    "a time has at most 200 characters, and this has 201",
  );
  expect(thrown(() => parseDuration(`${"1h".repeat(100)}.`)).message).toContain("at most 200 characters");
});

describe("the echo", () => {
  const now = Temporal.Instant.from("2026-11-23T10:00:00Z");
  const zones = [...new Set([...Intl.supportedValuesOf("timeZone"), "GMT", "CET", "Etc/GMT+5", "EST5EDT", "Etc/UTC"])];

  test("of any instant in any zone is read as that instant, also in an hour that clocks show twice", () => {
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
