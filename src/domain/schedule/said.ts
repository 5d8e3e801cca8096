import { shown } from "./echo.ts";

/** Where and when words are said. */
export interface Said {
  /** What the clock shows there. */
  readonly now: Temporal.PlainDateTime;
  /** Counted from for `tomorrow` and weekdays. */
  readonly today: Temporal.PlainDate;
  /** The zone behind the time, for what is offered. */
  readonly suffix: string;
}

/** Wall clocks to choose from, each once and in order, as they are read back. */
export function offered(walls: readonly Temporal.PlainDateTime[], { suffix }: Said): string {
  return [
    ...new Set(
      walls.toSorted((a, b) => Temporal.PlainDateTime.compare(a, b)).map((wall) => `${shown({ wall })}${suffix}`),
    ),
  ].join(" or ");
}

/** The next time a clock shows this. */
export function nextOf(wall: Temporal.PlainDateTime, now: Temporal.PlainDateTime): Temporal.PlainDateTime {
  const today = now.toPlainDate().toPlainDateTime(wall.toPlainTime());
  return Temporal.PlainDateTime.compare(today, now) > 0 ? today : today.add({ days: 1 });
}
