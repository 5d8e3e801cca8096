import { chanceOf } from "./chance.ts";

/*
 * Virtual time. Everything that happens in a history is an event at an instant; between two events no time passes.
 * Whoever runs when an event has happened is the process the event belongs to, until all its promises are at rest.
 */

/** A machine's wall clock: how far it is from the true time, in milliseconds. */
export interface Machine {
  readonly name: string;
  aheadMs: number;
}

export interface Process {
  readonly name: string;
  readonly machine: Machine;
  alive: boolean;
  /** Nothing happens in it before this instant. */
  stoppedUntil: number;
  /** How long its monotonic clock stood still so far, in milliseconds. */
  asleepMs: number;
  /** Events it lives to see. */
  eventsLeft: number;
}

interface Event {
  at: number;
  readonly tie: number;
  readonly owner: Process | undefined;
  run: (() => void) | undefined;
}

export interface Kernel {
  /** True time since the history's beginning, in milliseconds. */
  readonly now: () => number;
  readonly seed: string;
  readonly current: () => Process | undefined;
  /**
   * Calls it after so many milliseconds, unless its owner is dead by then. No owner: the world outside of psn. Returns
   * how to take it back.
   */
  after(ms: number, owner: Process | undefined, run: () => void): () => void;
  sleep(owner: Process | undefined, ms: number, signal?: AbortSignal): Promise<void>;
  /** A line of the history. */
  note(who: string, what: string): void;
  readonly lines: readonly string[];
  kill(process: Process, why: string): void;
  /** Told when a process has died of its own number of events. */
  onDeath: (process: Process) => void;
  /** Runs events until the instant, or until nothing is left. */
  runUntil(at: number): Promise<void>;
  readonly events: () => number;
}

/** More than any history needs; one that does not end is a fault of its own. */
const MOST_EVENTS = 30_000;

export function createKernel(seed: string): Kernel {
  const ties = chanceOf(`${seed}/ties`);
  const heap: Event[] = [];
  const lines: string[] = [];
  let now = 0;
  let current: Process | undefined;
  let count = 0;

  const kernel: Kernel = {
    now: () => now,
    seed,
    current: () => current,
    after: (ms, owner, run) => {
      const event: Event = { at: now + Math.max(0, Math.ceil(ms)), tie: ties.next(), owner, run };
      push(heap, event);
      return () => {
        event.run = undefined;
      };
    },
    sleep: (owner, ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const back = kernel.after(ms, owner, resolve);
        signal?.addEventListener(
          "abort",
          () => {
            back();
            reject(signal.reason);
          },
          { once: true },
        );
      }),
    note: (who, what) => void lines.push(`${clockOf(now)} ${who.padEnd(12)} ${what}`),
    lines,
    kill: (process, why) => {
      if (!process.alive) return;
      process.alive = false;
      kernel.note(process.name, why);
    },
    onDeath: () => undefined,
    runUntil: async (until) => {
      for (let next = heap[0]; next && next.at <= until; next = heap[0]) {
        pop(heap);
        const { owner, run } = next;
        if (!run || owner?.alive === false) continue;
        if (owner && owner.stoppedUntil > next.at) {
          // The same event: whoever may take it back still can.
          next.at = owner.stoppedUntil;
          push(heap, next);
          continue;
        }
        now = Math.max(now, next.at);
        count += 1;
        if (count > MOST_EVENTS) throw new Error(`more than ${MOST_EVENTS} events by ${clockOf(now)}`);
        if (owner) {
          owner.eventsLeft -= 1;
          if (owner.eventsLeft < 0) {
            kernel.kill(owner, "dies");
            kernel.onDeath(owner);
            continue;
          }
        }
        current = owner;
        run();
        await atRest();
        current = undefined;
      }
      now = Math.max(now, until);
    },
    events: () => count,
  };
  return kernel;
}

const realImmediate = setImmediate;
/** Until no promise has anything to do. */
const atRest = () => new Promise<void>((resolve) => realImmediate(resolve));

function clockOf(ms: number): string {
  const [h, m, s] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  return `${h}:${String(m).padStart(2, "0")}:${String(s).padStart(2, "0")}.${String(ms % 1000).padStart(3, "0")}`;
}

const before = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.tie < b.tie);

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const up = (at - 1) >> 1;
    const parent = heap[up];
    if (!parent || !before(event, parent)) break;
    heap[at] = parent;
    at = up;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const [a, b] = [heap[left], heap[left + 1]];
    const least = a && b && before(b, a) ? left + 1 : left;
    const child = heap[least];
    if (!child || !before(child, last)) break;
    heap[at] = child;
    at = least;
  }
  heap[at] = last;
}
