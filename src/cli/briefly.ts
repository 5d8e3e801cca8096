const MINUTE_MS = 60_000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/**
 * An instant for a list, in the zone and at most 17 columns wide: `in 5 min`, `today 17:00`, `tomorrow 09:00`,
 * `Tue 09:00` within the next six days, `24 Nov 09:00`, `11 Dec 2027 09:00`. No two of a list that differ by a minute
 * and lie further than an hour from now look alike.
 */
export function briefly(at: Date, { zone, now }: { readonly zone: string; readonly now: Date }): string {
  const ahead = at.getTime() - now.getTime();
  const minutes = Math.floor(Math.abs(ahead) / MINUTE_MS);
  if (minutes === 0) return "now";
  if (minutes < 60) return ahead > 0 ? `in ${minutes} min` : `${minutes} min ago`;
  const local = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone);
  const today = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(zone).toPlainDate();
  const { days } = today.until(local.toPlainDate(), { largestUnit: "day" });
  const clock = local.toPlainTime().toString({ smallestUnit: "minute" });
  return `${dayOf(local, days, today.year)} ${clock}`;
}

const NEAR: Readonly<Record<string, string>> = { "-1": "yesterday", "0": "today", "1": "tomorrow" };

function dayOf({ day, month, year, dayOfWeek }: Temporal.ZonedDateTime, days: number, thisYear: number): string {
  const near = NEAR[String(days)];
  if (near !== undefined) return near;
  if (days > 1 && days < 7) return WEEKDAYS[dayOfWeek - 1] ?? "";
  return `${day} ${MONTHS[month - 1]}${year === thisYear ? "" : ` ${year}`}`;
}
