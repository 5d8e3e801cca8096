import { PsnError } from "@psn/core/errors.ts";
import { shown } from "./echo.ts";
import { nextOf, type Said } from "./said.ts";

/** Two or three numbers with slashes, dots or hyphens between them, that do not begin with the year. */
const DIGITS = /(?<![\w:/.-])(\d{1,2})([/.-])(\d{1,2})(?:\2(\d{4}|\d{2}))?(?![\d:]| ?[ap]\.?m)\.?/;

/**
 * 03/04 is March to some and April to others; 9.30 is a time to some and a day to others.
 *
 * @param read what the rest of the text means with one of the choices in it.
 * @throws PsnError TIME_INVALID with each choice, written out.
 */
export function refuseDigits(
  text: string,
  said: Said,
  read: (text: string, said: Said) => Temporal.PlainDateTime,
): void {
  const [all, a = "", separator = "", b = "", c] = DIGITS.exec(text) ?? [];
  if (all === undefined) return;
  const dates = new Set(
    [[a, b] as const, [b, a] as const].flatMap(
      ([month, day]) => dateOf(Number(month), { day: Number(day), written: c, today: said.today }) ?? [],
    ),
  );
  const isTime = separator === "." && c === undefined && Number(a) < 24 && Number(b) < 60 && b.length === 2;
  // No day of any month: 21.30 is an hour.
  if (isTime && dates.size === 0) return;
  const choices = [...dates, ...(isTime ? [`${a}:${b}`] : [])];
  const offers = choices.flatMap((choice) => {
    try {
      const wall = read(all === text && dates.has(choice) ? `${choice} 09:00` : text.replace(all, choice), said);
      if (Temporal.PlainDateTime.compare(wall, said.now) > 0) return [`${shown({ wall })}${said.suffix}`];
      return dates.has(choice) ? [] : [`${shown({ wall: nextOf(wall, said.now) })}${said.suffix}`];
    } catch {
      return [];
    }
  });
  const hint = offers.length > 0 ? offers.join(" or ") : `${said.today.add({ days: 1 }).toString()} 09:00`;
  if (choices.length > 1)
    throw new PsnError("TIME_INVALID", `"${all}" can be read in two ways`, { hint: `say which: ${hint}` });
  throw new PsnError("TIME_INVALID", `"${all}" is not read: some put the day first, others the month`, {
    hint: `write it like ${hint}`,
  });
}

function dateOf(
  month: number,
  {
    day,
    written,
    today,
  }: { readonly day: number; readonly written: string | undefined; readonly today: Temporal.PlainDate },
): string | undefined {
  const years =
    written === undefined ? [today.year, today.year + 1] : [Number(written.length === 2 ? `20${written}` : written)];
  for (const year of years) {
    try {
      const date = Temporal.PlainDate.from({ year, month, day }, { overflow: "reject" });
      if (written !== undefined || Temporal.PlainDate.compare(date, today) >= 0) return date.toString();
    } catch {
      // Not a day of that year.
    }
  }
  return undefined;
}
