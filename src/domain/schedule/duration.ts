import { PsnError } from "@psn/core/errors.ts";

/** Further ahead is a slip of the keyboard. */
export const MOST_YEARS = 5;

const DAY_MS = 86_400_000;
const UNITS = [
  { name: /^(?:w|weeks?)$/, ms: 7 * DAY_MS },
  { name: /^(?:d|days?)$/, ms: DAY_MS },
  { name: /^(?:h|hrs?|hours?)$/, ms: 3_600_000 },
  { name: /^(?:m|mins?|minutes?)$/, ms: 60_000 },
  { name: /^(?:s|secs?|seconds?)$/, ms: 1000 },
] as const;

/** One count with its unit, and what stands between it and the next. */
const PIECE = /(\d{1,9}) ?([a-z]+),? ?/y;

/**
 * `3s`, `90m`, `2h30m`, `1d`, `2 hours 30 minutes` in milliseconds: each unit once, from the largest down; a day is 24 hours.
 *
 * @throws PsnError TIME_INVALID for anything else, for months and years (none is as long as the next), for nothing at all and for
 * more than five years.
 */
export function parseDuration(input: string): number {
  const text = input.trim().replaceAll(/\s+/g, " ").toLowerCase();
  let total = 0;
  let largest = -1;
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < text.length) {
    const [, count = "", unit = ""] = PIECE.exec(text) ?? [];
    if (/^(?:mo|y)/.test(unit)) throw invalid(input, "months and years differ in length: count in days or weeks, or give a date");
    const rank = UNITS.findIndex(({ name }) => name.test(unit));
    const found = UNITS[rank];
    if (found === undefined || rank <= largest) throw invalid(input, "write it like 2h, 90m, 2h30m or 3d");
    largest = rank;
    total += Number(count) * found.ms;
  }
  if (total === 0) throw invalid(input, "it must be longer than nothing, like 2h or 30m");
  if (total > MOST_YEARS * 366 * DAY_MS)
    throw new PsnError("TIME_INVALID", `"${input}" is more than ${MOST_YEARS} years`, { hint: "check the number" });
  return total;
}

function invalid(input: string, hint: string): PsnError {
  return new PsnError("TIME_INVALID", `"${input}" is no length of time psn understands`, { hint });
}
