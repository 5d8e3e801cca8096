import { PsnError } from "@psn/core/errors.ts";
import { shown } from "./echo.ts";
import { NUMBER_WORD, numberOf } from "./numbers.ts";

/** What a reason may need: the text in small letters, and what the clock shows now. */
interface Asked {
  readonly text: string;
  readonly now: Temporal.PlainDateTime;
}

interface Reason {
  readonly found: RegExp;
  /** What is said of the words that were found. */
  readonly why: (found: string, asked: Asked) => string;
  readonly hint: (asked: Asked, match: RegExpExecArray) => string;
}

const atNine = ({ now }: Asked) => shown({ wall: now.toPlainDate().add({ days: 1 }).toPlainDateTime("09:00") });
const like = (asked: Asked) => `write it like tomorrow 9am or ${atNine(asked)}`;
const nameDay = (asked: Asked) => `name the day, for example ${atNine(asked)}`;
const nameHour = ({ text, now }: Asked) =>
  `write the hour, for example ${now.hour >= 18 || text.includes("tomorrow") ? "tomorrow" : "today"} 18:00`;
const once = (asked: Asked) => `post once, for example at ${atNine(asked)}; a cron job may call psn post`;

const WEEKDAY = "(?:mon|tues|wednes|thurs|fri|satur|sun)day";
/** Words of the languages psn is most often asked in that no English expression of time has. */
const FOREIGN = [
  "morgen|heute|gestern|(?:ü|ue)bermorgen|abends?|morgens|nachts?|fr(?:ü|ue)h|uhr|mittags?|mitternacht|halb|viertel",
  "stunden?|minuten|tag|tagen?|wochen?|monate?n?",
  "montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag",
  "januar|februar|m(?:ä|ae)rz|mai|juni|juli|okt(?:ober)?|dez(?:ember)?|n(?:ä|ae)chste[nrms]?",
  "demain|apr(?:è|e)s-demain|aujourd'hui|hier|ce|soir|matin|midi|minuit",
  "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|dans|heures?|jours?|semaines?",
  "janvier|f(?:é|e)vrier|mars|avril|juin|juillet|ao(?:û|u)t|septembre|octobre|novembre|d(?:é|e)cembre|prochaine?",
  "ma(?:ñ|n)ana|hoy|noche|tarde|lunes|martes|mi(?:é|e)rcoles|jueves|viernes|s(?:á|a)bado|domingo|horas?",
  "enero|febrero|marzo|mayo|junio|julio|diciembre",
  "domani|oggi|stasera|sera|luned(?:ì|i)|marted(?:ì|i)|mercoled(?:ì|i)|gioved(?:ì|i)|venerd(?:ì|i)|sabato|domenica|ore",
  "amanh(?:ã|a)|hoje",
  "vandaag|overmorgen|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag",
].join("|");

const CRON_NAME = "@(?:hourly|daily|midnight|weekly|monthly|yearly|annually|reboot)";
const CRON_MINUTE_AND_HOUR = String.raw`[\d*/,-]+ [\d*/,-]+`;
/** Days of the month, months, weekdays; then a year or a command. */
const CRON_DAYS = String.raw`[\d*/,?lw-]+ [\da-z*/,-]+ (?!\d{4})[\da-z*/,?#-]+(?: [\da-z*/,?#-]+)?`;

const REPEATING = [
  "every|each|daily|weekly|monthly|hourly|yearly|annually|weekdays?|weekends",
  "(?:mon|tues|wednes|thurs|fri|satur|sun)days",
].join("|");

const SOME_HOUR = [
  "last thing",
  "first thing",
  "(?:early|late)",
  "later today",
  "(?:lunch|dinner|tea|bed|supper|breakfast)(?:time)?",
  "(?:dawn|dusk|sunrise|sunset)",
].map((words) => String.raw`\b${words}\b`);

const SOME_DAY = [
  "eow|eom|eoq|eoy",
  "(?:end of )?(?:the |this |next |coming )?(?:week ?end|month|quarter|year)(?: end)?",
  "end of (?:the |this |next )?week",
].join("|");

const INEXACT = [
  String.raw`around|about|approximately|approx|roughly|circa|or so|\d+ish|\w+ish`,
  "sometime|some time|soon|later|few|couple|several|while|a bit|moment",
].join("|");

const REASONS: readonly Reason[] = [
  {
    found: /^(?:right now|now|immediately|asap|as soon as possible|at once|straight away)$/,
    why: () => "now is not a time in the future",
    hint: () => "leave the time out to publish at once; psn move takes --in 1s",
  },
  {
    found: new RegExp(`^${CRON_NAME}$|^${CRON_MINUTE_AND_HOUR} ${CRON_DAYS}$`),
    why: () => "this looks like a cron rule; psn does not repeat posts",
    hint: once,
  },
  {
    found: new RegExp(`\\b(?:${REPEATING})\\b`),
    why: (found) => `"${found}" repeats, and psn does not repeat posts`,
    hint: once,
  },
  {
    found: /^@?(\d{9,10}|\d{13})(?:\.\d+)?$/,
    why: (found) => `"${found}" may count the ${/\d{13}/.test(found) ? "milliseconds" : "seconds"} since 1970`,
    hint: (_, [, digits = "0"]) =>
      "write the instant: " +
      `${Temporal.Instant.fromEpochMilliseconds(Number(digits) * (digits.length > 10 ? 1 : 1000)).toString()}`,
  },
  {
    found: new RegExp(`\\b(?:first|second|third|fourth|fifth|last|1st|2nd|3rd|4th|5th) ${WEEKDAY} (?:of|in)\\b`),
    why: (found) => `"${found}" counts weekdays within a month, which psn does not`,
    hint: nameDay,
  },
  {
    found: new RegExp(SOME_HOUR.join("|")),
    why: (found) => `"${found}" leaves the hour open`,
    hint: nameHour,
  },
  {
    found: /\b(?:eod|eob|cob|(?:end|close) of (?:the |this )?(?:business(?: day)?|day))\b/,
    why: (found) => `"${found}" leaves the hour open`,
    hint: nameHour,
  },
  {
    found: /\bhalf (?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b/,
    why: (found) => `"${found}" is half an hour before or after that hour, as people come from different places`,
    hint: () => "write it like half past 9pm or 21:30",
  },
  {
    found: /^in \S+ ?(?:h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)\b.*\b(?:at|on)\b/,
    why: (_, { text }) => `"${text}" gives a length of time and an hour: give one of them, not both`,
    hint: like,
  },
  {
    found: /\b(?:last|previous|ago)\b|\bpast (?:week|month|year)\b/,
    why: (_, { text }) => `"${text}" is past`,
    hint: (asked) => `give a time that is still to come, for example ${atNine(asked)}`,
  },
  {
    found: new RegExp(`(\\d+|${NUMBER_WORD}) ?(months?|years?)\\b`),
    why: (_, { text }) => `"${text}" counts in ${text.includes("month") ? "months" : "years"}, which differ in length`,
    hint: ({ now }, [, count = "", unit = ""]) => {
      const number = numberOf(count);
      const then = unit.startsWith("m") ? { months: Math.min(number, 60) } : { years: Math.min(number, 5) };
      return `name the day: ${shown({ wall: now.add(then).round({ smallestUnit: "minute" }) })}`;
    },
  },
  {
    found: new RegExp(`\\b(?:${SOME_DAY})\\b(?! (?:past|to|of|before|after)\\b)`),
    why: (found) => `"${found}" leaves the day open`,
    hint: nameDay,
  },
  {
    found: /\bbetween\b|\bfrom\b.*\bto\b|\d(?: ?[ap]\.?m\.?)? ?(?:-|to|until|till) ?\d{1,2}(?::\d{2}| ?[ap]\.?m\b)/,
    why: (_, { text }) => `"${text}" is a span of time, not a time`,
    hint: () => "give the one time at which to publish",
  },
  {
    found: /\b(?:before(?! yesterday)|(?<!day |week )after|by|until|till?|since|no later than|within|not before)\b/,
    why: (found) => `"${found}" names a limit, and psn needs the one time at which to publish`,
    hint: like,
  },
  {
    found: new RegExp(`\\b(?:${INEXACT})\\b|~`),
    why: (found) => `"${found}" is not exact`,
    hint: like,
  },
  {
    found: new RegExp(`(?<![\\p{L}'-])(?:${FOREIGN})(?![\\p{L}'-])|(?![a-z])\\p{L}`, "u"),
    why: (_, { text }) => `psn reads times in English, and not "${text}"`,
    hint: like,
  },
];

/**
 * What can be said of words that are no time before they are read.
 *
 * @throws PsnError TIME_INVALID with the reason.
 */
export function refuseKnown(text: string, now: Temporal.PlainDateTime): void {
  const asked = { text: text.toLowerCase(), now };
  for (const { found, why, hint } of REASONS) {
    const match = found.exec(asked.text);
    if (match) throw new PsnError("TIME_INVALID", why(match[0], asked), { hint: hint(asked, match) });
  }
}
