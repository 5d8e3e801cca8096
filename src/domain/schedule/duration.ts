import { PsnError } from "@psn/core/errors.ts";
import { clean } from "./clean.ts";
import { NUMBER_WORD, numberOf } from "./numbers.ts";

/** Further ahead is a slip of the keyboard. */
export const MOST_YEARS = 5;

const DAY_MS = 86_400_000;
const UNITS = [
  { name: /^(?:fortnights?)$/, ms: 14 * DAY_MS },
  { name: /^(?:w|wks?|weeks?)$/, ms: 7 * DAY_MS },
  { name: /^(?:d|days?)$/, ms: DAY_MS },
  { name: /^(?:h|hrs?|hours?)$/, ms: 3_600_000 },
  { name: /^(?:m|mins?|minutes?)$/, ms: 60_000 },
  { name: /^(?:s|secs?|seconds?)$/, ms: 1000 },
] as const;

/** What a count may be: `half an`, `three quarters of an`, `two and a half`, `1 1/2`, `1½`, `1.5`, `2`, `two`. */
const FRACTIONS: Readonly<Record<string, number>> = {
  half: 0.5,
  quarter: 0.25,
  "three quarters": 0.75,
  "½": 0.5,
  "¼": 0.25,
  "¾": 0.75,
};
const FRACTION = "three quarters|half|quarter";
const PART_OF = new RegExp(`^(?:an? )?(${FRACTION})(?: of)?(?: an?)?$|^(?:(\\d{1,9}) ?)?([½¼¾])$`);
const AND_PART = new RegExp(`^(.+) and (?:a )?(${FRACTION})$`);
const MIXED = /^(\d{1,9}) ([1-3])\/([24])$/;
const COUNT = [
  `(?:an? )?(?:${FRACTION})(?: of)?(?: an?)?(?= )`,
  `(?:\\d{1,9}|${NUMBER_WORD}) and (?:a )?(?:${FRACTION})`,
  String.raw`\d{1,9} [1-3]\/[24]`,
  String.raw`(?:\d{1,9} ?)?[½¼¾]`,
  String.raw`\d{1,9}(?:\.\d{1,9})?`,
  NUMBER_WORD,
].join("|");
/** One count with its unit, and what stands between it and the next. */
const PIECE = new RegExp(`(${COUNT}) ?([a-z]+)( and (?:a )?(?:${FRACTION})\\b)?(?:,? and |,? ?)`, "y");

/**
 * A length of time in milliseconds: `3s`, `90m`, `2h30m`, `1.5 hours`, `half an hour`, `two days and 3 hours`, `a
 * week`, or as ISO 8601 writes it, `PT2H30M`; `in` before it and `from now` behind it add nothing. Each unit once, from
 * the largest down, a fraction only in the last; a day is 24 hours, a week seven of them.
 *
 * @throws PsnError TIME_INVALID for anything else, for months and years (none is as long as the next), for nothing at
 * all and for more than five years.
 */
export function parseDuration(input: string): number {
  const text = bare(
    clean(input)
      .toLowerCase()
      .replaceAll(/(?<=[a-z])-(?=[a-z])/g, " "),
  );
  refuseNearly(input, text);
  let total = 0;
  let largest = -1;
  let hasFraction = false;
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < text.length) {
    const [, count = "", unit = "", more] = PIECE.exec(text) ?? [];
    const rank = UNITS.findIndex(({ name }) => name.test(unit));
    const found = UNITS[rank];
    const value =
      countOf(count) + (more === undefined ? 0 : (FRACTIONS[more.replace(/^ and (?:a )?/, "")] ?? Number.NaN));
    if (found === undefined || rank <= largest || hasFraction || Number.isNaN(value))
      throw invalid(input, "write it like 2h, 90m, 2h30m or 3d");
    largest = rank;
    hasFraction = !Number.isInteger(value);
    total += Math.round(value * found.ms);
  }
  if (total === 0)
    throw invalid(input, "it must be longer than nothing, like 2h or 30m", "must be longer than nothing");
  if (total > MOST_YEARS * 366 * DAY_MS)
    throw new PsnError("TIME_INVALID", `"${input}" is more than ${MOST_YEARS} years`, { hint: "check the number" });
  return total;
}

/** What is nearly a length of time is refused with what is missing. */
function refuseNearly(input: string, text: string): void {
  if (/(?:\d|\b(?:an?|one|two|three|few|half)) ?(?:mo|mos|mths?|months?|y|yrs?|years?)\b/.test(text))
    throw invalid(
      input,
      "count in days or weeks, or give a date",
      "is not an exact duration: months and years differ in length",
    );
  const vague = /\b(?:few|couple|several|some|while|bit|moment|or so|about|around)\b/.exec(text)?.[0];
  if (vague !== undefined) throw invalid(input, "write it like in 2h or in 90m", `is not exact: "${vague}"`);
  if (text.startsWith("-"))
    throw invalid(input, `give a time that is still to come, like in ${text.slice(1)}`, "is past");
  const [, whole = "", rest = "", unit = ""] = /^(\d+),(\d+) ?([a-z]+)$/.exec(text) ?? [];
  if (rest.length === 3) throw invalid(input, `write it like in ${whole}${rest} ${unit}`);
  if (rest !== "") throw invalid(input, `write it like in ${whole}.${rest} ${unit}`, "must be written with a point");
  const number = new RegExp(`^(?:\\d+|${NUMBER_WORD})$`).test(text) ? numberOf(text) : Number.NaN;
  if (!Number.isNaN(number))
    throw invalid(input, `say which unit: in ${number}m or in ${number}h`, "leaves the unit open: say the unit");
  const [, hours, minutes] = /^(\d{1,2}) ?h ?(\d{1,2})$/.exec(text) ?? [];
  if (hours !== undefined) throw invalid(input, `write it like in ${hours}h${minutes}m`);
  const [, first = "", second = ""] = /^(\d{1,2}):(\d{2})$/.exec(text) ?? [];
  if (first !== "")
    throw invalid(
      input,
      `say which: in ${first}h${Number(second)}m or in ${first}m${Number(second)}s`,
      "can be read in two ways",
    );
}

function countOf(count: string): number {
  const [, named, whole = "0", sign] = PART_OF.exec(count) ?? [];
  if (named !== undefined || sign !== undefined) return Number(whole) + (FRACTIONS[named ?? sign ?? ""] ?? Number.NaN);
  const [, all = "", part = ""] = AND_PART.exec(count) ?? [];
  if (part !== "") return numberOf(all) + (FRACTIONS[part] ?? Number.NaN);
  const [, ones, upper, lower] = MIXED.exec(count) ?? [];
  return ones === undefined ? numberOf(count) : Number(ones) + Number(upper) / Number(lower);
}

const bare = (text: string) => fromIso(text.replace(/^in /, "").replace(/ from now$/, ""));

/** `pt2h30m` as `2h30m`; months and years stay what is refused, and so does any other text. */
function fromIso(text: string): string {
  const [, date = "", time = ""] = /^p((?:\d+[ymwd])*)(?:t((?:\d+(?:\.\d+)?[hms])+))?$/.exec(text) ?? [];
  return date + time === "" ? text : date.replace("m", "mo") + time;
}

function invalid(input: string, hint: string, why = "cannot be read as a duration"): PsnError {
  return new PsnError("TIME_INVALID", `"${input}" ${why}`, { hint });
}
