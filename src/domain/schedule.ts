import { PsnError } from "@psn/core/errors.ts";
import { clean } from "./schedule/clean.ts";
import { MOST_YEARS } from "./schedule/duration.ts";
import { past, shown } from "./schedule/echo.ts";
import { durationIn } from "./schedule/from-now.ts";
import { readEcho } from "./schedule/pasted.ts";
import { type Place, splitPlace } from "./schedule/place.ts";
import { nextOf } from "./schedule/said.ts";
import { notATime, readWords } from "./schedule/words.ts";
import { knownZone, offsetAt, wallInZone } from "./schedule/zone.ts";

export { parseDuration } from "./schedule/duration.ts";
export { assertZone, knownZone } from "./schedule/zone.ts";

/*
 * From what a person types to one instant. Whatever could mean two instants is refused with both of them written out,
 * in a form that can be pasted back.
 */

export interface When {
  readonly at: Temporal.Instant;
  /** IANA name of the zone the time was read in. */
  readonly zone: string;
  /** What a clock in that zone shows: `2026-12-01T09:00`, with seconds where there are any. */
  readonly wall: string;
  /** Counted from now: an instant was meant, and no wall time. */
  readonly isCounted?: true;
}

export interface WhenContext {
  readonly now: Temporal.Instant;
  /** IANA name; times without an offset are read in it. */
  readonly zone: string;
}

/** What psn says before a time in its own sentences. */
const SAID_BEFORE = /^(?:due|moved to|would move to) /i;
const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * An instant from ISO 8601 (`2026-12-01T09:00:00Z`), `2026-12-01 09:00`, `tomorrow 9am`, `friday 14:30`, `tonight at 8`
 * or `in 2h`, or from what psn itself says of an instant. A zone's name or an offset behind the time stands above the
 * zone given: `tomorrow 9am Europe/Berlin`. What is counted from now is rounded up to the whole second, as it is shown.
 *
 * @throws PsnError TIME_INVALID for what is no time, is past, is more than five years ahead, or could mean two times: a
 * day without an hour, an hour without am or pm, a date in digits such as 03/04, a weekday the date is not, a time the
 * clocks skip or show twice, an hour after midnight in "friday night", "next friday" where two Fridays may be meant.
 */
export function parseWhen(input: string, { now, zone }: WhenContext): When {
  const whole = clean(input).replace(SAID_BEFORE, "");
  const own = knownZone(zone);
  if (whole === "") throw notATime(input);
  const local = now.toZonedDateTimeISO(own).toPlainDateTime();
  const echo = readEcho(whole, (words) => readWords(words, { now: local, today: local.toPlainDate(), suffix: "" }));
  if (echo) return checked({ ...echo, wall: wallOf(echo.at, echo.zone) }, now);
  const place = splitPlace(whole);
  const home = place.zone ?? own;
  const duration = durationIn(place.text, local);
  if (duration !== undefined) {
    const at = fromNow(now, duration);
    return checked({ at, zone: home, wall: wallOf(at, home), isCounted: true }, now);
  }
  const offset = place.offset === "Z" ? "+00:00" : place.offset;
  const wall = inOneDay(place, now.toZonedDateTimeISO(offset ?? home).toPlainDateTime(), local);
  if (offset === undefined) return checked(wallInZone(wall, home, place.suffix), now, place.suffix);
  const at = wall.toZonedDateTime(offset).toInstant();
  if (place.zone !== undefined && place.offset !== "Z" && !at.toZonedDateTimeISO(home).toPlainDateTime().equals(wall)) {
    throw new PsnError("TIME_INVALID", `${home} is at ${offsetAt(at, home)} at that time, not at ${offset}`, {
      hint: "leave out the offset or the zone",
    });
  }
  return checked({ at, zone: home, wall: wallOf(at, home) }, now);
}

/**
 * Length of time from now, rounded up to the whole second: what is shown, stored and written into history is then one
 * instant.
 */
export function fromNow(now: Temporal.Instant, milliseconds: number): Temporal.Instant {
  return now.add({ milliseconds }).round({ smallestUnit: "second", roundingMode: "ceil" });
}

/** The wall clock in the zone that is named; refused where `tomorrow` is another day there than where its writer is. */
function inOneDay(
  { text, suffix }: Place,
  there: Temporal.PlainDateTime,
  here: Temporal.PlainDateTime,
): Temporal.PlainDateTime {
  const wall = readWords(text, { now: there, today: there.toPlainDate(), suffix });
  if (there.toPlainDate().equals(here.toPlainDate())) return wall;
  const other = otherDay(text, { now: there, today: here.toPlainDate(), suffix });
  if (other !== undefined && Temporal.PlainDateTime.compare(wall, there) <= 0) return other;
  if (other === undefined || other.equals(wall) || Temporal.PlainDateTime.compare(other, there) <= 0) return wall;
  const choices = [wall, other].toSorted((a, b) => Temporal.PlainDateTime.compare(a, b));
  throw new PsnError(
    "TIME_INVALID",
    `"${text}${suffix}" may be ${choices.map((one) => one.toPlainDate().toString()).join(" or ")}`,
    {
      hint:
        `it is another day there; say which: ` +
        `${choices.map((one) => `${shown({ wall: one })}${suffix}`).join(" or ")}`,
    },
  );
}

function otherDay(...asked: Parameters<typeof readWords>): Temporal.PlainDateTime | undefined {
  try {
    return readWords(...asked);
  } catch {
    return undefined;
  }
}

function checked(when: When, now: Temporal.Instant, suffix = ""): When {
  const gone = now.epochMilliseconds - when.at.epochMilliseconds;
  if (gone >= 0) {
    const next = nextOf(Temporal.PlainDateTime.from(when.wall), now.toZonedDateTimeISO(when.zone).toPlainDateTime());
    throw new PsnError("TIME_INVALID", `${shown(when)} is past: that was ${past(gone)}`, {
      hint: `give a time that is still to come, for example ${shown({ wall: next })}${suffix}`,
    });
  }
  const last = now.toZonedDateTimeISO("UTC").add({ years: MOST_YEARS }).toInstant();
  if (Temporal.Instant.compare(when.at, last) > 0) {
    throw new PsnError("TIME_INVALID", `${shown(when)} is more than ${MOST_YEARS} years ahead`, {
      hint: "check the year",
    });
  }
  return when;
}

/**
 * The echo: `Tue 1 Dec 2026 09:00 Europe/Berlin (08:00 UTC)`. Seconds are there where there are any, and the UTC date
 * where it is another. `parseWhen` reads it back, with or without what stands in brackets.
 *
 * @throws PsnError TIME_INVALID for an unknown zone.
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

const timeOf = (time: Temporal.ZonedDateTime) =>
  time.toPlainTime().toString({ smallestUnit: time.second === 0 ? "minute" : "second" });

/**
 * What a clock in the zone shows, and its offset too where it shows that twice: with the zone behind it, it is read as
 * this instant.
 */
export function exactWallOf(at: Temporal.Instant, zone: string): string {
  const wall = wallOf(at, zone);
  const local = Temporal.PlainDateTime.from(wall);
  const [first, second] = (["earlier", "later"] as const).map((disambiguation) =>
    local.toZonedDateTime(zone, { disambiguation }),
  );
  return first?.offset === second?.offset ? wall : `${wall}${offsetAt(at, zone)}`;
}

/** What a clock in the zone shows: `2026-12-01T09:00`, with seconds where there are any. */
function wallOf(at: Temporal.Instant, zone: string): string {
  return shown({ wall: at.toZonedDateTimeISO(zone).toPlainDateTime() }).replace(" ", "T");
}
