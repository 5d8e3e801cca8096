import { PsnError } from "@psn/core/errors.ts";
import { distance } from "fastest-levenshtein";
import { shown } from "./echo.ts";

/**
 * The zone as the time zone database spells it.
 *
 * @throws PsnError TIME_INVALID for an unknown zone, with a similar one; for an offset, which knows no summer time.
 */
export function knownZone(zone: string): string {
  const name = zone.trim();
  try {
    if (/^[A-Za-z]/.test(name)) return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId;
  } catch {
    // Not known: fall through to the suggestion.
  }
  const near = nearZone(name);
  throw new PsnError("TIME_INVALID", `there is no time zone called "${zone}"`, {
    hint: near === undefined ? "give a name such as Europe/Berlin or UTC" : `did you mean ${near}?`,
  });
}

/** Throws TIME_INVALID as `knownZone` does. */
export function assertZone(zone: string): void {
  knownZone(zone);
}

/** By the whole name, or by the city alone: `Berlin`, `new york`. */
function nearZone(name: string): string | undefined {
  const wanted = name.toLowerCase().replaceAll(" ", "_");
  const near = Intl.supportedValuesOf("timeZone").map((zone) => {
    const lower = zone.toLowerCase();
    const city = lower.slice(lower.lastIndexOf("/") + 1);
    return { zone, steps: Math.min(distance(wanted, lower), distance(wanted, city)) };
  });
  const [best] = near.toSorted((a, b) => a.steps - b.steps);
  return best !== undefined && best.steps <= Math.min(3, Math.floor(wanted.length / 3)) ? best.zone : undefined;
}

/** The zone of a city that is written in full: `tokyo`, `new york`. */
export function cityZone(city: string): string | undefined {
  const wanted = city.toLowerCase().replaceAll(" ", "_");
  return Intl.supportedValuesOf("timeZone").find(
    (zone) => zone.includes("/") && zone.toLowerCase().slice(zone.lastIndexOf("/") + 1) === wanted,
  );
}

/** `+01:00` */
export function offsetAt(at: Temporal.Instant, zone: string): string {
  return at.toZonedDateTimeISO(zone).offset;
}

/**
 * The one instant at which clocks in the zone show this.
 *
 * @param suffix the zone as it stands behind the time, for what is offered; empty where it is the writer's own.
 * @throws PsnError TIME_INVALID when they skip it or show it twice, with the two that may be meant.
 */
export function wallInZone(
  wall: Temporal.PlainDateTime,
  zone: string,
  suffix = "",
): { readonly at: Temporal.Instant; readonly zone: string; readonly wall: string } {
  const earlier = wall.toZonedDateTime(zone, { disambiguation: "earlier" });
  const later = wall.toZonedDateTime(zone, { disambiguation: "later" });
  if (earlier.equals(later)) return { at: earlier.toInstant(), zone, wall: shown({ wall }).replace(" ", "T") };
  if (earlier.toPlainDateTime().equals(wall)) {
    const choice = (one: Temporal.ZonedDateTime) => `${shown({ wall }).replace(" ", "T")}${one.offset}`;
    throw new PsnError("TIME_INVALID", `clocks in ${zone} show ${shown({ wall })} twice: they are set back then`, {
      hint: `say which: ${choice(earlier)} or ${choice(later)}`,
    });
  }
  const choice = (one: Temporal.ZonedDateTime) => `${shown({ wall: one.toPlainDateTime() })}${suffix}`;
  throw new PsnError("TIME_INVALID", `clocks in ${zone} never show ${shown({ wall })}: they are set forward then`, {
    hint: `say which: ${choice(earlier)} or ${choice(later)}`,
  });
}
