import { PsnError } from "@psn/core/errors.ts";
import { shown } from "./echo.ts";
import type { DateSaid, Piece } from "./pieces.ts";

const NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS = "January February March April May June July August September October November December".split(" ");
/** Between two years with a 29 February lie at most seven without one. */
const YEARS_TO_LEAP = 8;

/** The days that pieces may mean; none where they name no day. */
export interface Days {
  readonly dates: readonly Temporal.PlainDate[];
  /** Of a bare weekday that is today: the same day of next week is meant when the hour is over. */
  readonly isToday?: "coming" | "this";
}

/**
 * @param today where the writer is.
 * @throws PsnError TIME_INVALID for a day the calendar does not have, for two days, and for a weekday that the date is
 * not.
 */
export function daysOf(text: string, pieces: readonly Piece[], today: Temporal.PlainDate): Days {
  const open = pieces.find((piece) => piece.kind === "open");
  if (open)
    throw refuse(
      `"${open.text.trim()}" leaves the ${open.what} open`,
      `name the day, for example ${today.add({ days: 1 }).toString()} 09:00`,
    );
  const dates = pieces.flatMap((piece) => fixedDate(piece, today) ?? []);
  const [date, ...others] = dates;
  if (others.some((other) => date && !other.equals(date)))
    throw refuse(
      `"${text}" names two days`,
      `say which: ${dates.map((one) => shown({ wall: one.toPlainDateTime("09:00") })).join(" or ")}`,
    );
  const week = pieces.find((piece) => piece.kind === "week");
  const weekdays = pieces.filter((piece) => piece.kind === "weekday");
  const [weekday, ...more] = weekdays;
  if (more.some((other) => other.weekday !== weekday?.weekday))
    throw refuse(`"${text}" names two days`, "give the one day");
  if (date) {
    if (weekday && date.dayOfWeek !== weekday.weekday) throw wrongWeekday(date, weekday.weekday, today);
    return { dates: [date] };
  }
  if (!weekday) {
    if (week)
      throw refuse(
        `"${week.text}" leaves the day open`,
        `name the day: ${week.text} monday 9am, or ${inOneWeek(today)} 09:00`,
      );
    return { dates: [] };
  }
  if (week) return { dates: ofWeek(week.weeks, weekday.weekday, today) };
  const ahead = (weekday.weekday - today.dayOfWeek + 7) % 7;
  const coming = today.add({ days: ahead });
  if (weekday.which === "next")
    return { dates: unique([today.add({ days: ahead || 7 }), ...ofWeek(1, weekday.weekday, today)]) };
  return ahead === 0 ? { dates: [coming], isToday: weekday.which } : { dates: [coming] };
}

/** "2026-12-01 is a Tuesday, not a Monday". */
function wrongWeekday(date: Temporal.PlainDate, said: number, today: Temporal.PlainDate): PsnError {
  const before = date.subtract({ days: (date.dayOfWeek - said + 7) % 7 });
  const choices = [date, before, before.add({ days: 7 })].filter((one) => Temporal.PlainDate.compare(one, today) > 0);
  return refuse(
    `${date.toString()} is a ${NAMES[date.dayOfWeek - 1]}, not a ${NAMES[said - 1]}`,
    `say which: ${atNine(choices)}`,
  );
}

const atNine = (dates: readonly Temporal.PlainDate[]) =>
  unique(dates)
    .map((date) => `${date.toString()} 09:00`)
    .join(" or ");
const inOneWeek = (today: Temporal.PlainDate) => today.add({ days: 7 }).toString();

/** The weekday of the week so many weeks ahead: weeks begin on Monday for some and on Sunday for others. */
function ofWeek(weeks: number, weekday: number, today: Temporal.PlainDate): readonly Temporal.PlainDate[] {
  const monday = today.subtract({ days: today.dayOfWeek - 1 });
  const sunday = today.subtract({ days: today.dayOfWeek % 7 });
  return unique([monday.add({ days: 7 * weeks + weekday - 1 }), sunday.add({ days: 7 * weeks + (weekday % 7) })]);
}

function unique(dates: readonly Temporal.PlainDate[]): readonly Temporal.PlainDate[] {
  return [...new Map(dates.map((date) => [date.toString(), date])).values()].toSorted((a, b) =>
    Temporal.PlainDate.compare(a, b),
  );
}

function fixedDate(piece: Piece, today: Temporal.PlainDate): Temporal.PlainDate | undefined {
  if (piece.kind === "relative") return today.add({ days: piece.days });
  if (piece.kind === "date")
    return piece.year === undefined ? comingDate(piece, today) : dateIn(piece.year, piece, today);
  if (piece.kind !== "week-date") return undefined;
  const first = Temporal.PlainDate.from({ year: piece.year, month: 1, day: 4 });
  const date = first.add({ days: 7 * (piece.week - 1) + piece.day - first.dayOfWeek });
  if (date.yearOfWeek !== piece.year || date.weekOfYear !== piece.week || piece.day < 1 || piece.day > 7)
    throw refuse(
      `there is no week ${piece.week} with a day ${piece.day} in ${piece.year}`,
      "weeks are W01 to W52 or W53, days 1 to 7",
    );
  return date;
}

/** A date without its year is the next one of that name, today included. */
function comingDate(said: DateSaid, today: Temporal.PlainDate): Temporal.PlainDate {
  // 2028 is a leap year: what it does not have, no year has.
  if (!plain(2028, said)) throw noSuchDay(today.year, said, today);
  for (let ahead = 0; ahead <= YEARS_TO_LEAP; ahead++) {
    const date = plain(today.year + ahead, said);
    if (date && Temporal.PlainDate.compare(date, today) >= 0) return date;
  }
  throw new Error("every day of a leap year comes again within eight years");
}

function dateIn(year: number, said: DateSaid, today: Temporal.PlainDate): Temporal.PlainDate {
  const date = plain(year, said);
  if (!date) throw noSuchDay(year, said, today);
  return date;
}

function noSuchDay(year: number, said: DateSaid, today: Temporal.PlainDate): PsnError {
  const month = MONTHS[said.month - 1];
  if (month === undefined)
    return refuse(`there is no month ${said.month}`, `write year, month, day, for example ${inOneWeek(today)} 09:00`);
  const ends = [year, today.year, today.year + 1].map((one) =>
    Temporal.PlainYearMonth.from({ year: one, month: said.month }),
  );
  const around = ends
    .map((one) => one.toPlainDate({ day: one.daysInMonth }))
    .find((one) => Temporal.PlainDate.compare(one, today) > 0);
  const isLeap = said.month === 2 && said.day === 29;
  return refuse(
    `there is no ${said.day} ${month}${isLeap ? ` ${year}` : ""}`,
    `say which: ${atNine(around ? [around, around.add({ days: 1 })] : [today.add({ days: 1 })])}`,
  );
}

function plain(year: number, { month, day }: DateSaid): Temporal.PlainDate | undefined {
  try {
    return Temporal.PlainDate.from({ year, month, day }, { overflow: "reject" });
  } catch {
    return undefined;
  }
}

function refuse(message: string, hint: string): PsnError {
  return new PsnError("TIME_INVALID", message, { hint });
}
