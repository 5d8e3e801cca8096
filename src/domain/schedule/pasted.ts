import { PsnError } from "@psn/core/errors.ts";
import { knownZone } from "./zone.ts";

const DATE = String.raw`(?:mon|tue|wed|thu|fri|sat|sun) \d{1,2} [a-z]{3} \d{4}`;
const TIME = String.raw`\d{2}:\d{2}(?::\d{2})?`;
/** What psn says of an instant in a zone other than UTC. */
const ECHO = new RegExp(`^((?:${DATE}) ${TIME}) (\\S+) \\((?:(${DATE}) )?(${TIME}) UTC\\)$`, "i");

/**
 * The instant of psn's own words for it, with the UTC part in brackets; undefined for anything else.
 *
 * @param read what date and time in words mean as a wall clock.
 * @throws PsnError TIME_INVALID where the two parts are not the same instant.
 */
export function readEcho(
  text: string,
  read: (words: string) => Temporal.PlainDateTime,
): { readonly at: Temporal.Instant; readonly zone: string } | undefined {
  const [, here, name = "", date, time = ""] = ECHO.exec(text) ?? [];
  if (here === undefined) return undefined;
  const zone = knownZone(name);
  const wall = read(here);
  const utcDate = date === undefined ? wall.toPlainDate() : read(`${date} ${time}`).toPlainDate();
  const at = utcDate.toPlainDateTime(time).toZonedDateTime("UTC").toInstant();
  if (at.toZonedDateTimeISO(zone).toPlainDateTime().equals(wall)) return { at, zone };
  throw new PsnError("TIME_INVALID", `the two parts of "${text}" do not agree`, {
    hint: `leave out what stands in brackets: ${here} ${zone}`,
  });
}
