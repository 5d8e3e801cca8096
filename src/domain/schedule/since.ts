import { PsnError } from "@psn/core/errors.ts";
import { parseDuration } from "./duration.ts";
import { knownZone } from "./zone.ts";

const DAYS: Readonly<Record<string, number>> = { yesterday: -1, today: 0, tomorrow: 1 };

/**
 * The instant from which a list is wanted: `7d` (so long ago), `2026-11-01` and `yesterday` (midnight in the zone),
 * `2026-11-01 09:00`, ISO 8601 with an offset. Where clocks show a time twice the earlier one, so that nothing is
 * missing.
 *
 * @throws PsnError TIME_INVALID for anything else.
 */
export function parseSince(text: string, { now, zone }: { readonly now: Date; readonly zone: string }): Date {
  const from = Temporal.Instant.fromEpochMilliseconds(now.getTime());
  const words = text.trim();
  const days = DAYS[words.toLowerCase()];
  const home = knownZone(zone);
  if (days !== undefined) {
    const day = from.toZonedDateTimeISO(home).toPlainDate().add({ days });
    return new Date(day.toZonedDateTime(home).epochMilliseconds);
  }
  try {
    if (!/^\d{4}-/.test(words)) return new Date(now.getTime() - parseDuration(words.replace(/ ago$/i, "")));
    if (/(?:[zZ]|[+-]\d\d:?\d\d)$/.test(words) && /[tT ]\d/.test(words))
      return new Date(Temporal.Instant.from(words.replace(" ", "T")).epochMilliseconds);
    return new Date(Temporal.PlainDateTime.from(words.replace(" ", "T")).toZonedDateTime(home).epochMilliseconds);
  } catch (cause) {
    throw new PsnError("TIME_INVALID", `psn does not understand the time "${text}"`, {
      cause,
      hint: "give a date such as 2026-11-01, yesterday, or a length of time such as 7d",
    });
  }
}
