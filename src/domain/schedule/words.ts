import { PsnError } from "@psn/core/errors.ts";
import type { ParsedComponents, ParsedResult } from "chrono-node";
import { casual } from "chrono-node/en";
import { shown } from "./echo.ts";

const MONTH = /\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? ?$/i;

/**
 * What a person means by words, as a clock in the person's zone would show it. chrono-node reads the words; everything it would have to
 * guess is refused here.
 *
 * @param now what the clock shows there now.
 * @throws PsnError TIME_INVALID
 */
export function readWords(text: string, now: Temporal.PlainDateTime): Temporal.PlainDateTime {
  refuseDigits(text, now);
  refuseVague(text);
  const found = onlyResult(withAt(text), text, now);
  const { start } = found;
  if (start.isCertain("timezoneOffset")) {
    const relative = found.tags().has("result/relativeDateAndTime");
    throw refuse(
      relative ? `"${text}" is not exact enough` : `"${text}" names a time zone, and such letters mean different zones to different people`,
      relative ? "write it like in 2h or in 90m" : "leave it out and give --tz, or write an offset: 2026-12-01T09:00+01:00",
    );
  }
  const day = dayOf(start, text, now);
  const wall = (hour: number, minute = 0) => day.toPlainDateTime({ hour, minute, second: start.get("second") ?? 0 });
  if (!start.isCertain("hour")) {
    const at = shown({ wall: wall(9) });
    throw refuse(`"${text}" is a day without an hour`, `add the hour, for example ${at} or ${at.slice(0, 10)} 18:00`);
  }
  const hour = start.get("hour") ?? 0;
  if (start.tags().has("casualReference/midnight")) {
    const ends = day.toPlainDateTime().add({ days: 1 });
    const choices = [day.toPlainDateTime(), ends].filter((one) => Temporal.PlainDateTime.compare(one, now) > 0);
    throw refuse("midnight belongs to two days", `write it like ${choices.map((wall) => shown({ wall })).join(" or ")}`);
  }
  const isClear = start.isCertain("meridiem") || start.tags().has("casualReference/noon") || /\d:\d{2}/.test(text);
  if (!isClear && hour >= 1 && hour <= 12) {
    const morning = hour % 12;
    throw refuse(
      `"${text}" leaves open whether it is am or pm`,
      `say which: ${shown({ wall: wall(morning) })} or ${shown({ wall: wall(morning + 12) })}`,
    );
  }
  return onComingWeekday(wall(hour, start.get("minute") ?? 0), start, text, now);
}

/** 03/04 is March to some and April to others; 9.30 is a time to some and a day to others. */
function refuseDigits(text: string, now: Temporal.PlainDateTime): void {
  const [all, a = "", separator = "", b = "", c] =
    /(?<![\d:/.-])(\d{1,2})([/.-])(\d{1,2})(?:[/.-](\d{4}|\d{2}))?(?![\d:])/.exec(text) ?? [];
  if (all === undefined || (separator === "-" && c === undefined)) return;
  const year = c === undefined ? now.year : Number(c.length === 2 ? `20${c}` : c);
  const dates = [
    [Number(a), Number(b)],
    [Number(b), Number(a)],
  ].flatMap(([month = 0, day = 0]) => {
    try {
      return [Temporal.PlainDate.from({ year, month, day }, { overflow: "reject" }).toString()];
    } catch {
      return [];
    }
  });
  const times = separator === "." && c === undefined && Number(a) < 24 && Number(b) < 60 && b.length === 2 ? [`${a}:${b}`] : [];
  const choices = [...new Set([...dates, ...times])];
  const [only, other] = choices;
  if (only !== undefined && other !== undefined) throw refuse(`"${all}" can be read in two ways`, `say which: ${choices.join(" or ")}`);
  throw refuse(
    `"${all}" is not read: some put the day first, others the month`,
    `write it like ${only ?? "2026-12-01, or a time like 09:30"}`,
  );
}

function refuseVague(text: string): void {
  const last = /\b(?:last|previous|ago)\b/i.exec(text)?.[0];
  if (last !== undefined) throw refuse(`"${text}" is past`, "give a time that is still to come");
  const vague = /\b(?:(?:next|this|coming) )?(?:week|weekend|month|quarter|year)\b/i.exec(text)?.[0];
  if (vague !== undefined) throw refuse(`"${vague}" leaves the day open`, "name the day: next tuesday 14:30, or 2026-12-01 14:30");
}

/** chrono takes the hour of `tomorrow 9` for something else; with `at` it sees the hour, and that am or pm is missing. */
function withAt(text: string): string {
  const [, before = "", hour] = /^(.*?)(?:\bat )?(\d{1,2})$/i.exec(text) ?? [];
  return hour === undefined || /\S$/.test(before) || MONTH.test(before) ? text : `${before}at ${hour}`;
}

function onlyResult(asked: string, text: string, now: Temporal.PlainDateTime): ParsedResult {
  // At noon no zone changes its clocks: of this date chrono reads the day alone, whatever zone this machine is in.
  const reference = new Date(now.year, now.month - 1, now.day, 12);
  const [found, ...more] = casual.parse(asked, { instant: reference });
  if (found === undefined) throw refuse(`"${text}" is no time psn understands`);
  const rest = `${asked.slice(0, found.index)} ${asked.slice(found.index + found.text.length)}`.replace(/^(?:at|on|the) /i, "").trim();
  if (rest !== "" || more.length > 0) {
    throw refuse(`psn understands "${found.text}" but not "${rest}"`, "write it like 2026-12-01 09:00 or tomorrow 9am; psn help times");
  }
  if (found.end) throw refuse(`"${text}" is a span of time, not a time`, "give the one time at which to publish");
  return found;
}

function dayOf(start: ParsedComponents, text: string, now: Temporal.PlainDateTime): Temporal.PlainDate {
  const today = now.toPlainDate();
  if (start.isCertain("weekday") && !start.isCertain("day")) {
    const named = dateOf(start, text);
    if (/\bnext\b/i.test(text)) return named;
    return today.add({ days: ((start.get("weekday") ?? 0) - (today.dayOfWeek % 7) + 7) % 7 });
  }
  if (!start.isCertain("day")) return today;
  const date = dateOf(start, text);
  if (start.isCertain("year")) return date;
  // A date without its year is the next one of that name, today included.
  const coming = [today.year, today.year + 1].flatMap((year) => {
    try {
      return [Temporal.PlainDate.from({ year, month: date.month, day: date.day }, { overflow: "reject" })];
    } catch {
      return [];
    }
  });
  return coming.find((one) => Temporal.PlainDate.compare(one, today) >= 0) ?? date;
}

function dateOf(start: ParsedComponents, text: string): Temporal.PlainDate {
  try {
    return Temporal.PlainDate.from(
      { year: start.get("year") ?? 0, month: start.get("month") ?? 0, day: start.get("day") ?? 0 },
      { overflow: "reject" },
    );
  } catch (cause) {
    throw new PsnError("TIME_INVALID", `"${text}" names a day the calendar does not have`, { cause, hint: "check the date" });
  }
}

/** "monday 9am", said on a Monday, is next week's when nine is over, and either of the two before. */
function onComingWeekday(
  wall: Temporal.PlainDateTime,
  start: ParsedComponents,
  text: string,
  now: Temporal.PlainDateTime,
): Temporal.PlainDateTime {
  const isToday = wall.toPlainDate().equals(now.toPlainDate());
  if (!isToday || !start.isCertain("weekday") || start.isCertain("day")) return wall;
  const nextWeek = wall.add({ days: 7 });
  if (Temporal.PlainDateTime.compare(wall, now) <= 0) return nextWeek;
  throw refuse(`"${text}" may be today or in a week`, `say which: ${shown({ wall })} or ${shown({ wall: nextWeek })}`);
}

function refuse(message: string, hint = "psn help times"): PsnError {
  return new PsnError("TIME_INVALID", message, { hint });
}
