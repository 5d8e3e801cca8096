import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Clock, PartOfDay } from "./pieces.ts";

/** An hour of 24, and on which day beside the one that is named it may be. */
export interface Hour {
  readonly hour: number;
  /** 0 for the named day, 1 for the one after it, both where either may be meant. */
  readonly shifts: readonly (0 | 1)[];
}

/** What a clock may show, of 24 hours. */
export interface Hours {
  readonly hours: readonly Hour[];
  /** The clock itself leaves open which. */
  readonly why?: "am or pm" | "two ways" | "not in the part";
}

const named = (hour: number): Hour => ({ hour, shifts: [0] });
const following = (hour: number): Hour => ({ hour, shifts: [1] });
/** Before this hour people still call it the night of the day before. */
const NIGHT_ENDS = 6;
const IN_PART: Readonly<Record<PartOfDay, (hour: number) => boolean>> = {
  morning: (hour) => hour < 12,
  afternoon: (hour) => hour >= 12 && hour <= 18,
  evening: (hour) => hour >= 17,
  night: (hour) => hour >= 17 || hour < NIGHT_ENDS,
};

/**
 * The hours of 24 that a clock may mean in a part of the day. Twelve and the hours after midnight belong to a night
 * that begins on one day and ends on the next.
 *
 * @param part undefined where none is named.
 * @throws PsnError TIME_INVALID for what no clock shows.
 */
export function hoursOf(clock: Clock, text: string, part: PartOfDay | undefined): Hours {
  assertShown(clock, text);
  const { hour, half, isFull } = clock;
  const isExact = half !== undefined || hour > 12 || hour === 0 || /^0/.test(text);
  const twelve = [hour % 12, (hour % 12) + 12];
  const possible = half === undefined ? (isExact ? [hour] : twelve) : [(hour % 12) + (half === "pm" ? 12 : 0)];
  if (part === undefined) {
    if (isExact || isFull) return { hours: [named(half === undefined ? hour : (possible[0] ?? hour))] };
    return { hours: possible.map(named), why: "am or pm" };
  }
  if (!isExact && hour === 12 && part === "morning") return { hours: possible.map(named), why: "two ways" };
  if (!isExact && hour === 12 && part === "evening") return { hours: [named(12), following(0)], why: "two ways" };
  const fitting = possible.filter(IN_PART[part]).map(inNight(part));
  if (fitting.length > 0) return { hours: fitting, ...defined({ why: fitting.length > 1 ? "two ways" : undefined }) };
  const early = part === "evening" ? following : named;
  const others = isExact && half === undefined && hour < 12 ? [hour, hour + 12] : possible;
  return { hours: others.map((one) => (one < NIGHT_ENDS ? early(one) : named(one))), why: "not in the part" };
}

const inNight =
  (part: PartOfDay) =>
  (hour: number): Hour => ({ hour, shifts: part === "night" && hour < NIGHT_ENDS ? [0, 1] : [0] });

function assertShown({ hour, minute, second, half }: Clock, text: string): void {
  const said = text.trim();
  const isHalfOf24 = half !== undefined && (hour > 12 || hour === 0);
  if (hour > 23 || minute > 59 || second > 59 || (isHalfOf24 && hour === 0 && half === "pm"))
    throw new PsnError("TIME_INVALID", `there is no ${said} on a clock`, { hint: "hours go from 0:00 to 23:59" });
}
