import { defined } from "@psn/core/types/defined.ts";
import { HOUR_WORD, NUMBER_WORD, numberOf } from "./numbers.ts";

export type PartOfDay = "morning" | "afternoon" | "evening" | "night";

/** A clock as it was written. */
export interface Clock {
  readonly kind: "clock";
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** Of the second, 0 to 999,999,999. */
  readonly nanosecond: number;
  readonly half?: "am" | "pm";
  /** Written as a clock of 24 hours shows it: `9:30`, `0930`, `21h`. */
  readonly isFull: boolean;
  /** Four digits, which may be a year, or a number alone, which may be one of two digits. */
  readonly alone?: "four" | "number";
}

/** As it stands in a text. */
export type ClockPiece = Extract<Piece, { kind: "clock" }>;

export interface DateSaid {
  readonly kind: "date";
  readonly year?: number;
  readonly month: number;
  readonly day: number;
}

export type Piece = (
  | Clock
  | DateSaid
  | { readonly kind: "midnight" }
  /** `today`, `tomorrow`, `in 2 weeks`: as days from today. */
  | { readonly kind: "relative"; readonly days: number }
  | { readonly kind: "weekday"; readonly weekday: number; readonly which: "coming" | "this" | "next" }
  /** `next week` as 1, beside a weekday. */
  | { readonly kind: "week"; readonly weeks: number }
  | { readonly kind: "week-date"; readonly year: number; readonly week: number; readonly day: number }
  | { readonly kind: "part"; readonly part: PartOfDay; readonly isTonight: boolean }
  /** A month without a day, a day without a month. */
  | { readonly kind: "open"; readonly what: "day" | "month" }
) & {
  readonly text: string;
  /** Where it begins in the text, in UTF-16 units. */
  readonly start: number;
};

type Read = (groups: readonly (string | undefined)[]) => Said | readonly Said[];
type Said = Piece extends infer P ? (P extends unknown ? Omit<P, "text" | "start"> : never) : never;

const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/** One of the words, or its abbreviation with a full stop, as a group. */
const named = (...words: readonly string[]) => String.raw`(${words.join("|")})\b\.?`;
const WEEKDAY = named(
  "mon(?:day)?",
  "tue(?:s(?:day)?)?",
  "wed(?:s|nesday)?",
  "thu(?:r(?:s(?:day)?)?)?",
  "fri(?:day)?",
  "sat(?:urday)?",
  "sun(?:day)?",
);
const MONTH = named(
  "jan(?:uary)?",
  "feb(?:ruary)?",
  "mar(?:ch)?",
  "apr(?:il)?",
  "may",
  "june?",
  "july?",
  "aug(?:ust)?",
  "sept?(?:ember)?",
  "oct(?:ober)?",
  "nov(?:ember)?",
  "dec(?:ember)?",
);
const HALF = String.raw`([ap])\.? ?m\b\.?`;
const OCLOCK = "(?: ?o'? ?clock\\b)";
const HOUR = String.raw`(\d{1,2}|${HOUR_WORD})`;
const YEAR = String.raw`(?:(?:,? |-)((?:19|20|21)\d{2})(?![\d:h]))?`;
const COUNTED = String.raw`(\d{1,3}|${NUMBER_WORD}) ?(days?|weeks?|fortnights?)\b`;

const day = (name = "") => WEEKDAYS.indexOf(name.slice(0, 3)) + 1;
const month = (name = "") => MONTHS.indexOf(name.slice(0, 3)) + 1;
const date = (year: string | undefined, of: number, on = "0"): DateSaid => ({
  kind: "date",
  month: of,
  day: Number(on),
  ...defined({ year: year === undefined ? undefined : Number(year) }),
});
const relative = (days: number) => ({ kind: "relative", days }) as const;
const daysOf = (count = "", unit = "") => numberOf(count) * (unit.startsWith("f") ? 14 : unit.startsWith("w") ? 7 : 1);
const halfOf = (letter: string | undefined) =>
  letter === undefined ? {} : ({ half: letter === "a" ? "am" : "pm" } as const);
const clock = (hour: number, minute = "0", rest: Partial<Clock> = {}): Clock => ({
  kind: "clock",
  hour,
  minute: Number(minute),
  second: 0,
  nanosecond: 0,
  isFull: false,
  ...rest,
});
/** `quarter to nine`: minutes before the hour; the half of the day may be the other one then. */
const before = (minutes: number, hour: number, letter: string | undefined) => {
  const half = letter !== undefined && hour === 12 ? { a: "p", p: "a" }[letter] : letter;
  return clock(hour === 1 ? 12 : hour - 1, String(60 - minutes), halfOf(half));
};
const minutesOf = (word = "") => (word.includes("quarter") ? 15 : word.includes("half") ? 30 : numberOf(word));

/** What may come next, tried in this order. */
const FORMS: readonly (readonly [string, Read])[] = [
  [
    String.raw`(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)(?:t(?=\d{1,2}:?\d{2}))?`,
    ([, y, , m, d]) => date(y, Number(m), d),
  ],
  [String.raw`\d{4}-\d{2}(?![\d-])`, () => ({ kind: "open", what: "day" })],
  [String.raw`(\d{4})(\d{2})(\d{2})(?:t(?=\d{4})|(?!\w))`, ([, y, m, d]) => date(y, Number(m), d)],
  [
    String.raw`(\d{4})-?w(\d{2})-?(\d)(?!\d)(?:t(?=\d{2}:?\d{2}))?`,
    ([, y, w, d]) => ({ kind: "week-date", year: Number(y), week: Number(w), day: Number(d) }),
  ],
  [`in ${COUNTED}`, ([, count, unit]) => relative(daysOf(count, unit))],
  [
    `${COUNTED} from (now|today|tomorrow)\\b`,
    ([, count, unit, from]) => relative(daysOf(count, unit) + (from === "tomorrow" ? 1 : 0)),
  ],
  [
    String.raw`${MONTH} (?:the )?(\d{1,2})(?:st|nd|rd|th)?(?![\d:]|\.\d| ?[ap]\.?m)${YEAR}`,
    ([, m, d, y]) => date(y, month(m), d),
  ],
  [String.raw`(?:the )?(\d{1,2})(?:st|nd|rd|th)?(?: of |-| ?)${MONTH}${YEAR}`, ([, d, m, y]) => date(y, month(m), d)],
  [MONTH, () => ({ kind: "open", what: "day" })],
  [String.raw`(?:the )?\d{1,2}(?:st|nd|rd|th)\b`, () => ({ kind: "open", what: "month" })],
  [String.raw`(?:the )?day after tomorrow\b`, () => relative(2)],
  [String.raw`(?:the )?day before yesterday\b`, () => relative(-2)],
  ["today\\b", () => relative(0)],
  [String.raw`(?:tomorrow|tmrw|tmr)\b`, () => relative(1)],
  ["yesterday\\b", () => relative(-1)],
  [String.raw`(?:tonight|this night)\b`, () => [relative(0), { kind: "part", part: "night", isTonight: true }]],
  [String.raw`(this|next) week(?:'s)?\b`, ([, which]) => ({ kind: "week", weeks: which === "next" ? 1 : 0 })],
  [String.raw`(?:the )?week after next\b`, () => ({ kind: "week", weeks: 2 })],
  [
    `(?:(next|this coming|coming|this) )?${WEEKDAY}`,
    ([, which, name]) => ({
      kind: "weekday",
      weekday: day(name),
      which: which === "next" ? "next" : which === "this" ? "this" : "coming",
    }),
  ],
  [
    String.raw`this (morning|afternoon|evening)\b`,
    ([, part]) => [relative(0), { kind: "part", part: part as PartOfDay, isTonight: false }],
  ],
  [
    String.raw`(?:in the |at )?(morning|afternoon|evening|night)\b`,
    ([, part]) => ({ kind: "part", part: part as PartOfDay, isTonight: false }),
  ],
  [String.raw`(?:12 |twelve )?(?:noon|midday)\b`, () => clock(12, "0", { half: "pm" })],
  [String.raw`(?:12 |twelve )?midnight\b`, () => ({ kind: "midnight" })],
  [
    String.raw`(?:an? )?(half|quarter|\d{1,2}|five|ten|twenty-five|twenty five|twenty)(?: minutes)? past ` +
      `${HOUR}${OCLOCK}?(?: ?${HALF})?`,
    ([, minutes, hour, letter]) => clock(numberOf(hour ?? ""), String(minutesOf(minutes)), halfOf(letter)),
  ],
  [
    "(?:an? )?(quarter|five|ten|twenty-five|twenty five|twenty)(?: minutes)? to (?!(?:12|twelve) " +
      `?a)${HOUR}${OCLOCK}?(?: ?${HALF})?`,
    ([, minutes, hour, letter]) => before(minutesOf(minutes), numberOf(hour ?? ""), letter),
  ],
  [
    String.raw`(\d{1,2})[:h](\d{2})(?!\d)(?::(\d{2})(?:[.,](\d{1,9}))?(?!\d))?(?: ?${HALF}| ?h(?:rs)?\b)?`,
    ([, hour, minute, second = "0", fraction = "", letter]) =>
      clock(Number(hour), minute, {
        second: Number(second),
        nanosecond: Number(fraction.padEnd(9, "0")),
        isFull: true,
        ...halfOf(letter),
      }),
  ],
  [String.raw`(\d{1,2})\.(\d{2}) ?${HALF}`, ([, hour, minute, letter]) => clock(Number(hour), minute, halfOf(letter))],
  [String.raw`(\d{1,2})(\d{2}) ?${HALF}`, ([, hour, minute, letter]) => clock(Number(hour), minute, halfOf(letter))],
  [
    String.raw`(\d{2})(\d{2})(\d{2})(?!\d)`,
    ([, hour, minute, second]) => clock(Number(hour), minute, { second: Number(second), isFull: true }),
  ],
  [
    String.raw`(\d{2})(\d{2})(?![\d:])( ?(?:hours|hrs|h)\b)?`,
    ([, hour, minute, unit]) =>
      clock(Number(hour), minute, { isFull: true, ...defined({ alone: unit === undefined ? "four" : undefined }) }),
  ],
  [String.raw`(\d)(\d{2})(?![\d:])`, ([, hour, minute]) => clock(Number(hour), minute)],
  [String.raw`t(\d{2})(?!\d)`, ([, hour]) => clock(Number(hour), "0", { isFull: true })],
  [String.raw`(\d{1,2})\.(\d{2})(?!\d)`, ([, hour, minute]) => clock(Number(hour), minute, { isFull: true })],
  [String.raw`(\d{1,2}) ?h(?![a-z\d])`, ([, hour]) => clock(Number(hour), "0", { isFull: true })],
  [`${HOUR}${OCLOCK}?(?: ?${HALF})`, ([, hour, letter]) => clock(numberOf(hour ?? ""), "0", halfOf(letter))],
  [`${HOUR}${OCLOCK}`, ([, hour]) => clock(numberOf(hour ?? ""))],
  [
    `${HOUR}(?![\\d:./h])(?! ?(?:hours?|hrs?|minutes?|mins?|days?|weeks?)\\b)`,
    ([, hour]) => clock(numberOf(hour ?? ""), "0", { alone: "number" }),
  ],
];

const PATTERNS = FORMS.map(([source, read]) => ({ pattern: new RegExp(source, "y"), read }));
/** Words between the pieces, which add nothing. */
const FILLER = /(?:at|on|the|@|of)(?= |$|\d)|\.(?= |$)|[ ,]+/y;
const WORD = /[^ ,]+/y;

/** The pieces of a text in small letters, in their order, and the words that are none. */
export function piecesOf(text: string): { readonly pieces: readonly Piece[]; readonly unknown: readonly string[] } {
  const pieces: Piece[] = [];
  const unknown: string[] = [];
  for (let at = 0; at < text.length; ) {
    const found = next(text, at);
    if (found === undefined) {
      const [word = ""] = matchAt(WORD, text, at) ?? [];
      unknown.push(word);
      at += word.length;
      continue;
    }
    pieces.push(...found.pieces);
    at += found.length;
  }
  return { pieces, unknown };
}

function next(text: string, at: number): { readonly pieces: readonly Piece[]; readonly length: number } | undefined {
  const startsWord = at === 0 || !/[a-z]/.test(text.charAt(at - 1)) || !/[a-z]/.test(text.charAt(at));
  if (!startsWord) return undefined;
  for (const { pattern, read } of PATTERNS) {
    const match = matchAt(pattern, text, at);
    if (!match) continue;
    const [said] = match;
    return {
      pieces: [read(match)].flat().map((piece) => ({ ...piece, text: said, start: at }) as Piece),
      length: said.length,
    };
  }
  const filler = matchAt(FILLER, text, at);
  return filler && { pieces: [], length: filler[0].length };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
