import { PsnError } from "@psn/core/errors.ts";
import { distance } from "fastest-levenshtein";
import { type Hours, hoursOf } from "./clocks.ts";
import { type Days, daysOf } from "./days.ts";
import { refuseDigits } from "./digits.ts";
import { type Clock, type ClockPiece, type PartOfDay, type Piece, piecesOf } from "./pieces.ts";
import { refuseKnown } from "./reasons.ts";
import { nextOf, offered, type Said } from "./said.ts";
import { cityZone } from "./zone.ts";

const HOURS: Readonly<Record<PartOfDay | "day", readonly string[]>> = {
  day: ["09:00", "18:00"],
  morning: ["09:00"],
  afternoon: ["15:00"],
  evening: ["19:00"],
  night: ["21:00"],
};
/** `tue dec 1 09:00:00 2026`, as C and `date` write it. */
const YEAR_LAST = /^((?:[a-z]{3,9},? )?[a-z]{3,9} \d{1,2}) (\d{1,2}:\d{2}(?::\d{2})?(?: [ap]m)?) ((?:20|21)\d{2})$/;
/** Between two times of which both are meant, or one of them. */
const JOINING = /^(?:and|or|then|&|\/|;|\+)$/;
const KNOWN = [
  "today tomorrow yesterday tonight morning afternoon evening night midnight noon",
  "monday tuesday wednesday thursday friday saturday sunday",
  "january february march april june july august september october november december",
  "hour hours minute minutes week weeks",
].flatMap((line) => line.split(" "));

/**
 * What a person means by words and figures, as a clock in the person's zone would show it. Every piece must be
 * understood, and together they must leave one reading.
 *
 * @throws PsnError TIME_INVALID with what is wrong or open, and with what may be meant, in a form that is read.
 */
export function readWords(written: string, said: Said): Temporal.PlainDateTime {
  const text = written.toLowerCase().replace(YEAR_LAST, "$1 $3 $2");
  refuseKnown(text, said.now);
  refuseDigits(text, said, readWords);
  refuseYearOrHour(text, said);
  const { pieces, unknown } = piecesOf(text);
  const clocks = pieces.filter((piece) => piece.kind === "clock" || piece.kind === "midnight");
  refuseMisspelt(text, unknown);
  refuseShortYear(text, pieces, clocks.length > 1);
  if (clocks.length > 1 && unknown.every((word) => JOINING.test(word)))
    throw refuse(`"${written}" names two times`, "give the one time at which to publish");
  if (unknown.length > 0) throw notUnderstood(written, { text, unknown, pieces });
  if (pieces.length === 0) throw notATime(written);
  const days = daysOf(written, pieces, said.today);
  const part = pieces.find((piece) => piece.kind === "part");
  const [clock] = clocks;
  if (pieces.filter((piece) => piece.kind === "part").length > 1)
    throw refuse(`"${written}" names two parts of the day`, "give one of them");
  if (!clock) throw withoutHour(written, { days, part: part?.part ?? "day", said });
  if (clock.kind === "midnight") return midnight(days, { isTonight: part?.isTonight === true, part: part?.part, said });
  if (clock.hour === 24 && clock.minute === 0 && clock.second === 0) throw endOfDay(days, said);
  const hours = hoursOf(clock, clock.text, part?.part);
  const walls = readings(clock, { hours, days, isTonight: part?.isTonight === true, said });
  return oneOf(written, { walls, clock, hours, days, part: part?.part, said });
}

/** Every wall clock that may be meant, in order. */
function readings(
  { minute, second, nanosecond }: Clock,
  {
    hours: { hours },
    days: { dates },
    isTonight,
    said: { now, today },
  }: { readonly hours: Hours; readonly days: Days; readonly isTonight: boolean; readonly said: Said },
): readonly Temporal.PlainDateTime[] {
  const bases = dates.length === 0 ? [today] : dates;
  const walls = bases.flatMap((date) =>
    hours.flatMap(({ hour, shifts }) => {
      // Tonight is the coming night; the one that is running counts until it is over.
      const isComing = isTonight && shifts.length > 1 && !(now.hour < 6 && date.equals(now.toPlainDate()));
      return (isComing ? [1] : shifts).map((days) =>
        date.add({ days }).toPlainDateTime({ hour, minute, second }).add({ nanoseconds: nanosecond }),
      );
    }),
  );
  return walls.toSorted((a, b) => Temporal.PlainDateTime.compare(a, b));
}

function oneOf(
  text: string,
  {
    walls,
    clock,
    hours: { why },
    days: { dates, isToday },
    part,
    said,
  }: {
    readonly walls: readonly Temporal.PlainDateTime[];
    readonly clock: ClockPiece;
    readonly hours: Hours;
    readonly days: Days;
    readonly part: PartOfDay | undefined;
    readonly said: Said;
  },
): Temporal.PlainDateTime {
  const isFuture = (wall: Temporal.PlainDateTime) => Temporal.PlainDateTime.compare(wall, said.now) > 0;
  const isDayless = dates.length === 0;
  const future = (
    isDayless && why !== undefined ? walls.map((wall) => (isFuture(wall) ? wall : wall.add({ days: 1 }))) : walls
  ).filter(isFuture);
  const choices = offered(future.length > 0 ? future : walls.map((wall) => nextOf(wall, said.now)), said);
  if (why === "not in the part") throw refuse(`${clock.text.trim()} is not in the ${part}`, `say which: ${choices}`);
  if (why === "two ways") throw refuse(`"${text}" can be read in two ways`, `say which: ${choices}`);
  if (why === "am or pm") throw refuse(`"${text}" leaves open whether it is am or pm`, `say which: ${choices}`);
  if (clock.half !== undefined && (/^0\D/.test(clock.text) || clock.hour > 12))
    throw refuse(`${clock.text.trim()} mixes a clock of 24 hours with am and pm`, `write ${choices}`);
  const [first, second] = future;
  if (isToday !== undefined) return onThisWeekday(text, { walls, future, which: isToday, said });
  // An hour after midnight, said without a day, is the next one.
  if (isDayless && first !== undefined) return first;
  if (first === undefined) return walls.at(-1) ?? said.now;
  if (second === undefined) return first;
  if (dates.length > 1)
    throw refuse(
      `"${text}" may be ${first.toPlainDate().toString()} or ${second.toPlainDate().toString()}`,
      `say which: ${choices}`,
    );
  throw refuse(`"${text}" can be read in two ways`, `say which: ${choices}`);
}

/** "monday 9am", said on a Monday, is next week's when nine is over, and either of the two before. */
function onThisWeekday(
  text: string,
  {
    walls,
    future,
    which,
    said,
  }: {
    readonly walls: readonly Temporal.PlainDateTime[];
    readonly future: readonly Temporal.PlainDateTime[];
    readonly which: "coming" | "this";
    readonly said: Said;
  },
): Temporal.PlainDateTime {
  const nextWeek = walls.map((wall) => wall.add({ days: 7 }));
  if (future.length > 0)
    throw refuse(
      `"${text}" may be today or in a week`,
      `say which: ${offered([...future, ...nextWeek.slice(-1)], said)}`,
    );
  const [wall, other] = nextWeek;
  if (which === "this") throw refuse(`"${text}" is past`, `did you mean ${offered(nextWeek, said)}?`);
  if (wall === undefined || other !== undefined)
    throw refuse(`"${text}" can be read in two ways`, `say which: ${offered(nextWeek, said)}`);
  return wall;
}

/**
 * Midnight without a day is the next one, and tonight's is the one at the end of today; of any other day it has two.
 */
function midnight(
  { dates }: Days,
  { isTonight, part, said }: { readonly isTonight: boolean; readonly part: PartOfDay | undefined; readonly said: Said },
): Temporal.PlainDateTime {
  const [date] = dates;
  const at = (days: number) =>
    (dates.length === 0 ? [said.today] : dates).map((one) => one.add({ days }).toPlainDateTime());
  if (part !== undefined && part !== "night")
    throw refuse(`midnight is not in the ${part}`, "write it like 2am or 18:00");
  const [end = said.now] = at(1);
  if (date === undefined || isTonight) return end;
  const choices = [...at(0), ...at(1)].filter((one) => Temporal.PlainDateTime.compare(one, said.now) > 0);
  throw refuse(
    "midnight belongs to two days",
    `say which: ${offered(choices.length > 0 ? choices : [nextOf(end, said.now)], said)}`,
  );
}

function endOfDay({ dates: [date] }: Days, said: Said): PsnError {
  const next = (date ?? said.today).add({ days: 1 }).toPlainDateTime();
  return refuse(
    "24:00 is the end of that day, and psn writes the beginning of the next",
    `write ${offered([next], said)}`,
  );
}

function withoutHour(
  text: string,
  {
    days: { dates, isToday },
    part,
    said,
  }: { readonly days: Days; readonly part: PartOfDay | "day"; readonly said: Said },
): PsnError {
  const walls = (dates.length === 0 ? [said.today] : dates).flatMap((date) =>
    (dates.length > 1 ? HOURS[part].slice(0, 1) : HOURS[part]).map((time) => date.toPlainDateTime(time)),
  );
  const future = walls.filter((wall) => Temporal.PlainDateTime.compare(wall, said.now) > 0);
  const isOver =
    dates.length > 0 && dates.every((date) => Temporal.PlainDate.compare(date, said.now.toPlainDate()) < 0);
  const later = walls.map((wall) => (isToday === undefined ? nextOf(wall, said.now) : wall.add({ days: 7 })));
  const choices = offered(future.length > 0 ? future : later, said);
  if (isOver) return refuse(`"${text}" is past`, `give a time that is still to come, for example ${choices}`);
  const what = dates.length === 0 ? "is a part of the day without an hour" : "is a day without an hour";
  return refuse(`"${text}" ${what}`, `add the hour, for example ${choices}`);
}

function refuseYearOrHour(text: string, said: Said): void {
  const [, hour = "", minute = ""] = /^(20)([2-5]\d)$/.exec(text) ?? [];
  if (hour === "") return;
  const wall = nextOf(said.today.toPlainDateTime(`${hour}:${minute}`), said.now);
  throw refuse(`"${text}" can be read in two ways: a year, or an hour`, `write the hour as ${offered([wall], said)}`);
}

/** `dec 1 26 9am`: 26 may be a year or an hour. */
function refuseShortYear(text: string, pieces: readonly Piece[], hasOther: boolean): void {
  pieces.forEach((piece, i) => {
    const date = pieces[i - 1];
    if (piece.kind !== "clock" || piece.alone !== "number" || date?.kind !== "date" || date.year !== undefined) return;
    const between = text.slice(date.start + date.text.length, piece.start).trim();
    if ((between === "" || between === ",") && (hasOther || piece.hour > 12))
      throw refuse(
        `"${piece.text}" may be a year or an hour`,
        `write the year in four digits, 20${piece.text}, and an hour with its minutes`,
      );
  });
}

function refuseMisspelt(text: string, unknown: readonly string[]): void {
  for (const word of unknown) {
    if (!/^[a-z]{4,}$/.test(word) || KNOWN.includes(word) || !` ${text}`.includes(` ${word}`)) continue;
    const near = KNOWN.find((known) => distance(word, known) <= (word.length > 5 ? 2 : 1));
    if (near !== undefined)
      throw refuse(`psn does not know "${word}"; did you mean ${near}?`, `write it like ${text.replace(word, near)}`);
  }
}

function notUnderstood(
  written: string,
  {
    text,
    unknown,
    pieces,
  }: { readonly text: string; readonly unknown: readonly string[]; readonly pieces: readonly Piece[] },
): PsnError {
  const rest = unknown.join(" ");
  const place = rest.replace(/^in /, "").replace(/ time$/, "");
  const zone = cityZone(place);
  if (zone !== undefined && pieces.length > 0) {
    const before = text.replace(rest, "").replaceAll(/\s+/g, " ").trim();
    return refuse(`"${place}" is a place: name its zone`, `write it like ${before} ${zone}`);
  }
  if (pieces.length === 0) return notATime(written);
  // Some words are two pieces.
  const understood = [...new Map(pieces.map((piece) => [piece.start, piece.text.trim()])).values()].join(" ");
  return refuse(
    `psn understands "${understood}" but not "${rest}"`,
    "write it like tomorrow 9am or in 2h; psn help times",
  );
}

/** What holds nothing that psn knows. */
export function notATime(written: string): PsnError {
  return refuse(`psn does not understand the time "${written}"`, "write it like tomorrow 9am or in 2h; psn help times");
}

function refuse(message: string, hint: string): PsnError {
  return new PsnError("TIME_INVALID", message, { hint });
}
