import type { Output } from "./output.ts";

/*
 * Long work shows itself on stderr: on a terminal one line that is drawn again and again, with what is left; elsewhere
 * one line a step.
 */

/** How often a line is drawn, in milliseconds. */
const DRAW_MS = 100;
/** Work that is over sooner than this shows nothing on a terminal, in milliseconds. */
const QUIET_MS = 200;
/** From when on an estimate is shown, in milliseconds. */
const ESTIMATE_MS = 2_000;
/** Where nothing can be drawn, work of so many parts and more says each quarter of it. */
const MANY = 1_000;
const BAR = 24;

export interface Progress {
  /** The step that begins. */
  step(name: string): void;
  /** How many of all parts are done. */
  at(done: number, all: number): void;
  /** Takes away what is drawn. */
  end(): void;
}

/** @param what is done, and the parts that are counted: `exporting`, `rows`. */
export function progressOf(
  output: Pick<Output, "draw" | "note">,
  { what, parts, elapsedMs = () => performance.now() }: ProgressOptions,
): Progress {
  const began = elapsedMs();
  const canDraw = output.draw(undefined);
  let [lastMs, quarter] = [Number.NEGATIVE_INFINITY, 0];
  return {
    step: (name) => void (canDraw ? output.draw(`${what}: ${name} …`) : output.note(`${what}: ${name}`)),
    at: (done, all) => {
      const now = elapsedMs();
      if (!canDraw) {
        const reached = Math.floor((4 * done) / Math.max(all, 1));
        if (all >= MANY && reached > quarter) output.note(`${what}: ${done} of ${all} ${parts}`);
        quarter = Math.max(quarter, reached);
        return;
      }
      if (now - began < QUIET_MS || now - lastMs < DRAW_MS) return;
      lastMs = now;
      const spent = now - began;
      const left = spent < ESTIMATE_MS || done === 0 ? "" : `, ${remaining((spent * (all - done)) / done)} left`;
      output.draw(`${what} ${bar(done, all)} ${done} of ${all} ${parts}${left}`);
    },
    end: () => void output.draw(undefined),
  };
}

/** Shows work until it ends or fails. */
export async function showing<T>(
  output: Pick<Output, "draw" | "note">,
  options: ProgressOptions,
  work: (shown: Progress) => Promise<T>,
): Promise<T> {
  const shown = progressOf(output, options);
  try {
    return await work(shown);
  } finally {
    shown.end();
  }
}

export interface ProgressOptions {
  readonly what: string;
  readonly parts: string;
  readonly elapsedMs?: () => number;
}

function bar(done: number, all: number): string {
  const full = all === 0 ? BAR : Math.min(BAR, Math.floor((BAR * done) / all));
  return "━".repeat(full) + "─".repeat(BAR - full);
}

function remaining(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
