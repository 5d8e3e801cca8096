import { PsnError } from "@psn/core/errors.ts";

export interface DurationParts {
  /** Calendar days: the time of day stays, however long a day is. */
  readonly days: number;
  /** Exact milliseconds besides. */
  readonly ms: number;
}

const UNITS: readonly { readonly name: RegExp; readonly days?: number; readonly ms?: number }[] = [
  { name: /^(?:w|weeks?)$/, days: 7 },
  { name: /^(?:d|days?)$/, days: 1 },
  { name: /^(?:h|hrs?|hours?)$/, ms: 3_600_000 },
  { name: /^(?:m|mins?|minutes?)$/, ms: 60_000 },
  { name: /^(?:s|secs?|seconds?)$/, ms: 1000 },
];

/** Weeks, days, hours, minutes, seconds: each at most once, in this order. */
const PIECE = /(\d{1,6}) ?([a-z]+)(?:,? ?)/y;

/**
 * `3s`, `90m`, `2h30m`, `1d`, `2 hours 30 minutes`: the units once each, from the largest down.
 *
 * @throws PsnError TIME_INVALID for anything else, for months (none is as long as the next), and for nothing at all.
 */
export function parseDuration(input: string): DurationParts {
  const text = input.trim().replaceAll(/\s+/g, " ").toLowerCase();
  let days = 0;
  let ms = 0;
  let largest = -1;
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < text.length) {
    const [, count = "", unit = ""] = PIECE.exec(text) ?? [];
    if (/^mo/.test(unit) || /^y/.test(unit)) throw invalid(input, "months and years differ in length; count in days or weeks, or give a date");
    const rank = UNITS.findIndex(({ name }) => name.test(unit));
    const found = UNITS[rank];
    if (found === undefined || rank <= largest) throw invalid(input, "write it like 2h, 90m, 2h30m or 3d");
    largest = rank;
    days += Number(count) * (found.days ?? 0);
    ms += Number(count) * (found.ms ?? 0);
  }
  if (days === 0 && ms === 0) throw invalid(input, "it must be longer than nothing, like 2h or 30m");
  return { days, ms };
}

function invalid(input: string, hint: string): PsnError {
  return new PsnError("TIME_INVALID", `"${input}" is no length of time psn understands`, { hint });
}
