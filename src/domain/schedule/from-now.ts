import { PsnError } from "@psn/core/errors.ts";
import { parseDuration } from "./duration.ts";
import { shown } from "./echo.ts";
import { NUMBER_WORD } from "./numbers.ts";
import { refuseKnown } from "./reasons.ts";
import { nextOf } from "./said.ts";

const DAYS_FROM_NOW = String.raw`\b(?:days?|weeks?|fortnights?)\b(?: from (?:now|today|tomorrow))?`;
const HOUR_OR_DAY = String.raw`at|on|\d{1,4}(?::|\.|h|$| ?[ap]\.?m)|noon|[a-z]+day`;
/** Days and weeks from now, and an hour of that day: `in 2 days at 9am`. */
const DAYS_AND_HOUR = new RegExp(`${DAYS_FROM_NOW},? (?=${HOUR_OR_DAY})`, "i");
/** What begins like a count. */
const COUNTED = new RegExp(
  `^(?:[\\d½¼¾]|(?:half|quarter|three quarters|few|couple|several|some)\\b|${NUMBER_WORD})`,
  "i",
);

/**
 * Milliseconds of `in 2h`, `+2h`, `2 hours from now`, `2 hours later`, `90m`; undefined for what is not a duration,
 * or one and more.
 *
 * @throws PsnError TIME_INVALID for a length of time that cannot be read, and for `2h`, which may be two o'clock.
 */
export function durationIn(text: string, now: Temporal.PlainDateTime): number | undefined {
  refuseHourOrLength(text, now);
  const [, sign, words = "", end] = /^(in |\+ ?)?(.*?)(?:'? time)?( from now| later)?$/i.exec(text) ?? [];
  const isSaid = (sign !== undefined && COUNTED.test(words)) || end !== undefined || /^(?:in )?-|^pt?\d/i.test(text);
  try {
    return parseDuration(words);
  } catch (error) {
    if (!isSaid || DAYS_AND_HOUR.test(text)) return undefined;
    refuseKnown(text, now);
    throw error;
  }
}

function refuseHourOrLength(text: string, now: Temporal.PlainDateTime): void {
  const [, hour = "", minute = ""] =
    /^(\d{1,2}) ?h(?: ?(\d{2}))?$/i.exec(text) ?? /^(\d{2})(\d{2}) ?(?:h|hrs|hours)$/i.exec(text) ?? [];
  if (hour === "" || Number(hour) > 24 || Number(minute) > 59) return;
  const clock = now.toPlainDate().toPlainDateTime({ hour: Number(hour) % 24, minute: Number(minute) });
  const isFour = /^\d{4}/.test(text);
  const length = isFour ? `in ${Number(hour + minute)} hours` : `in ${hour}h${minute === "" ? "" : `${minute}m`}`;
  throw new PsnError("TIME_INVALID", `"${text}" can be read in two ways: a length of time, or an hour`, {
    hint: `say which: ${length} or ${shown({ wall: nextOf(clock, now) })}`,
  });
}
