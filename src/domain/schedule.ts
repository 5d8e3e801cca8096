import { PsnError } from "@psn/core/errors.ts";
import { MOST_YEARS, parseDuration } from "./schedule/duration.ts";
import { past, shown } from "./schedule/echo.ts";
import { readWords } from "./schedule/words.ts";
import { knownZone, offsetAt, wallInZone } from "./schedule/zone.ts";

export { parseDuration } from "./schedule/duration.ts";
export { assertZone, knownZone } from "./schedule/zone.ts";

/*
 * From what a person types to one instant. Whatever could mean two instants is refused with both of them written out, in a form
 * that can be pasted back.
 */

export interface When {
  readonly at: Temporal.Instant;
  /** IANA name of the zone the time was read in. */
  readonly zone: string;
  /** What a clock in that zone shows: `2026-12-01T09:00`, with seconds where there are any. */
  readonly wall: string;
}

export interface WhenContext {
  readonly now: Temporal.Instant;
  /** IANA name; times without an offset are read in it. */
  readonly zone: string;
}

const DATE = String.raw`\d{4}-\d{2}-\d{2}`;
const TIME = String.raw`\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?`;
/** A zone by its name behind the time, as the echo writes it. The slash tells it from letters such as CET, which several zones share. */
const NAMED_ZONE = /^([^[]+) (UTC|[A-Za-z]+\/[\w/+-]+)$/;
const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const WEEKDAY = /\b(mon|tue|wed|thu|fri|sat|sun)(?:s|r|rs|day|sday|nesday|rsday|urday)?\b/gi;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** RFC 3339 and RFC 9557: date, time, and perhaps an offset and a zone in brackets. */
const ISO = new RegExp(String.raw`^(${DATE})[T ](${TIME})(?: ?(Z|[+-]\d{2}(?::?\d{2})?))?(?:\[([\w./+-]+)\])?$`, "i");

/**
 * An instant from ISO 8601 (`2026-12-01T09:00:00Z`), `2026-12-01 09:00`, `tomorrow 9am`, `next tuesday 14:30` or `in 2h`. A zone's
 * name behind the time stands above the one given: `tomorrow 9am Europe/Berlin`.
 *
 * @throws PsnError TIME_INVALID for what is no time, is past, is more than five years ahead, or could mean two times: a day without
 * an hour, an hour without am or pm, a date in digits such as 03/04, a weekday the date is not, a time the clocks skip or show twice.
 */
export function parseWhen(input: string, { now, zone }: WhenContext): When {
  const whole = input.trim().replaceAll(/\s+/g, " ");
  const [, text = whole, named] = NAMED_ZONE.exec(whole) ?? [];
  const home = knownZone(named ?? zone);
  if (text === "") throw notATime(input);
  if (/^now$/i.test(text))
    throw new PsnError("TIME_INVALID", "now is no time to schedule for", { hint: "leave the time out to publish at once" });
  const iso = ISO.exec(text);
  if (iso) return checked(readIso(text, iso, home), now);
  const duration = /^(?:in |\+)(.+)$/i.exec(text)?.[1];
  if (duration !== undefined && /^[\d\sa-z,.-]+$/i.test(duration) && !/\b(?:at|on)\b/i.test(duration)) {
    const at = now.add({ milliseconds: parseDuration(duration) });
    return checked({ at, zone: home, wall: wallOf(at, home) }, now);
  }
  return checked(wallInZone(wordsIn(text, now.toZonedDateTimeISO(home).toPlainDateTime()), home), now);
}

/** What the words mean, held against the weekday and the length of time they name. */
function wordsIn(text: string, local: Temporal.PlainDateTime): Temporal.PlainDateTime {
  const long = /\b(?:months|years)\b/i.exec(text)?.[0];
  if (long !== undefined)
    throw new PsnError("TIME_INVALID", `"${text}" counts in ${long}, which differ in length`, { hint: "name the day: 2026-12-01 14:30" });
  const wall = readWords(text, local);
  const day = WEEKDAYS[wall.dayOfWeek - 1] ?? "";
  for (const [all, short = ""] of text.matchAll(WEEKDAY)) {
    if (day.toLowerCase().startsWith(short.toLowerCase())) continue;
    const date = wall.toPlainDate().toString();
    throw new PsnError("TIME_INVALID", `${date} is a ${day}, not a ${all}`, { hint: `say which: ${shown({ wall })}, or another day` });
  }
  const isOver = /\bthis [a-z]+day\b/i.test(text) && wall.toPlainDate().since(local.toPlainDate()).days >= 7;
  if (isOver) throw new PsnError("TIME_INVALID", `"${text}" is past`, { hint: `did you mean ${shown({ wall })}?` });
  return wall;
}

function readIso(text: string, [, date = "", time = "", offset, bracket]: RegExpExecArray, home: string): When {
  const zone = bracket === undefined ? home : knownZone(bracket);
  let wall: Temporal.PlainDateTime;
  let at: Temporal.Instant | undefined;
  try {
    // Temporal reads second 60 as 59; a person who typed it made a slip.
    if (/:60/.test(time)) throw new RangeError("second 60");
    wall = Temporal.PlainDateTime.from(`${date}T${time}`, { overflow: "reject" });
    if (offset !== undefined) at = Temporal.Instant.from(`${wall.toString()}${offset.toUpperCase()}`);
  } catch (cause) {
    throw new PsnError("TIME_INVALID", `${text} is no date and time of the calendar`, { cause, hint: "write it like 2026-12-01 09:00" });
  }
  if (offset === undefined || at === undefined) return wallInZone(wall, zone);
  if (bracket !== undefined && offset.toUpperCase() !== "Z" && !at.toZonedDateTimeISO(zone).toPlainDateTime().equals(wall)) {
    throw new PsnError("TIME_INVALID", `${zone} is at ${offsetAt(at, zone)} at that time, not at ${offset}`, {
      hint: "leave out the offset or the zone",
    });
  }
  return { at, zone, wall: wallOf(at, zone) };
}

function checked(when: When, now: Temporal.Instant): When {
  const gone = now.epochMilliseconds - when.at.epochMilliseconds;
  if (gone >= 0) {
    throw new PsnError("TIME_INVALID", `${shown(when)} is past: that was ${past(gone)}`, { hint: "give a time that is still to come" });
  }
  const last = now.toZonedDateTimeISO("UTC").add({ years: MOST_YEARS }).toInstant();
  if (Temporal.Instant.compare(when.at, last) > 0) {
    throw new PsnError("TIME_INVALID", `${shown(when)} is more than ${MOST_YEARS} years ahead`, { hint: "check the year" });
  }
  return when;
}

/**
 * The echo: `Tue 1 Dec 2026 09:00 Europe/Berlin (08:00 UTC)`. Seconds are there where there are any, and the UTC date where it is
 * another. `parseWhen` reads what stands before the brackets.
 *
 * @throws PsnError TIME_INVALID for a zone nobody knows.
 */
export function formatInstant(at: Temporal.Instant, zone: string): string {
  const local = at.toZonedDateTimeISO(knownZone(zone));
  const here = `${dateOf(local)} ${timeOf(local)} ${local.timeZoneId}`;
  if (local.timeZoneId === "UTC") return here;
  const utc = at.toZonedDateTimeISO("UTC");
  return `${here} (${utc.toPlainDate().equals(local.toPlainDate()) ? "" : `${dateOf(utc)} `}${timeOf(utc)} UTC)`;
}

const dateOf = ({ dayOfWeek, day, month, year }: Temporal.ZonedDateTime) =>
  `${WEEKDAYS[dayOfWeek - 1]?.slice(0, 3)} ${day} ${MONTHS[month - 1]} ${year}`;

const timeOf = (time: Temporal.ZonedDateTime) => time.toPlainTime().toString({ smallestUnit: time.second === 0 ? "minute" : "second" });

function wallOf(at: Temporal.Instant, zone: string): string {
  return shown({ wall: at.toZonedDateTimeISO(zone).toPlainDateTime() }).replace(" ", "T");
}

function notATime(input: string): PsnError {
  return new PsnError("TIME_INVALID", `"${input}" is no time psn understands`, { hint: "psn help times" });
}
