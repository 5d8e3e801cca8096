import type { Due } from "@psn/app/schedule-post.ts";
import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import * as fields from "@psn/domain/draft/fields.ts";
import {
  assertZone,
  exactWallOf,
  formatInstant,
  fromNow,
  knownZone,
  parseDuration,
  parseWhen,
} from "@psn/domain/schedule.ts";
import { z } from "zod";
import type { Flag } from "./command.ts";

/** The flags by which a command is told a time. */
export const TIME_FLAGS: readonly Flag[] = [
  { flags: "--at <time>", help: 'when: "2026-12-01 09:00", "tomorrow 9am", ISO 8601; psn help times' },
  { flags: "--in <duration>", help: "the time from now: 30s, 45m, 2h, 3d" },
  { flags: "--tz <zone>", help: "the time zone of the time, for example Europe/Berlin; default: yours" },
];

export const timeSchema = z.object({
  at: fields.when.optional(),
  in: fields.duration.optional(),
  tz: fields.zone.optional(),
});

export interface SaidDue extends Due {
  /** Local time, zone and UTC, as psn understood it. */
  readonly said: string;
  /** What a clock in that zone shows then, for history; with its offset where it shows that twice. */
  readonly wall: string;
}

/** A time as verbs take it. */
export function dueInput({ at, wallTime, timeZone }: SaidDue) {
  return { at: at.toISOString(), wallTime, ...defined({ timeZone: timeZone ?? undefined }) };
}

/** The instant these flags mean. Throws TIME_INVALID, and INPUT_REQUIRED when there is none. */
export function dueOf({ at, in: duration, tz }: z.output<typeof timeSchema>, userZone: string, now: Date): SaidDue {
  const zone = tz ?? userZone;
  assertZone(zone);
  const from = Temporal.Instant.fromEpochMilliseconds(now.getTime());
  if (at !== undefined && duration !== undefined) throw new PsnError("USAGE", "use --at or --in, not both");
  if (at === undefined && duration === undefined)
    throw new PsnError("INPUT_REQUIRED", "a time is needed", { hint: "pass --at or --in" });
  if (at !== undefined) {
    const when = parseWhen(at, { now: from, zone });
    return said(when.at, when.zone, when.isCounted ? null : when.wall);
  }
  return said(fromNow(from, parseDuration(duration ?? "")), zone, null);
}

/** @param wallTime what was meant; "in two hours" means an instant and no wall time. */
function said(due: Temporal.Instant, zone: string, wallTime: string | null): SaidDue {
  const timeZone = knownZone(zone);
  return {
    at: new Date(due.epochMilliseconds),
    wallTime,
    timeZone,
    said: formatInstant(due, timeZone),
    wall: exactWallOf(due, timeZone),
  };
}
