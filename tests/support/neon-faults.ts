import { setTimeout as sleep } from "node:timers/promises";
import { refusal } from "./neon-logins.ts";
import type { SqlFailure, SqlRequest } from "./neon-sql.ts";

/** What goes wrong with a request over HTTP. `answer` does not execute it; `late` and `drop after` do, in full. */
export type Fault =
  | { readonly kind: "late"; readonly ms: number }
  | { readonly kind: "drop"; readonly when: "before" | "after" }
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    };

export interface Faults {
  /**
   * Lets the next `times` (default 1) requests fail; with `statement` only those with a matching statement. First come,
   * first served.
   */
  next(fault: Fault, only?: { readonly times?: number; readonly statement?: RegExp }): void;
  /** Puts the server to sleep: the next request or WebSocket wakes it, and until `ms` have passed everything waits. */
  cold(ms: number): void;
  /**
   * Refuses the next `times` (default 1) logins by either door with a sentence of the proxy's: over WebSocket after the
   * socket is open.
   */
  refuse(message: string, times?: number): void;
  /** Cuts every open WebSocket. */
  cutSockets(): void;
  /** Forgets the faults that have not happened yet. */
  clear(): void;
}

interface Planned {
  readonly fault: Fault;
  readonly statement: RegExp | undefined;
  left: number;
}

export function createFaults(cutSockets: () => void) {
  let planned: Planned[] = [];
  let refusals: { readonly message: string; left: number }[] = [];
  let coldMs: number | undefined;
  let awake = Promise.resolve();
  const faults: Faults = {
    next: (fault, { times = 1, statement } = {}) => void planned.push({ fault, statement, left: times }),
    cold: (ms) => {
      coldMs = ms;
    },
    refuse: (message, times = 1) => void refusals.push({ message, left: times }),
    cutSockets,
    clear: () => {
      planned = [];
      refusals = [];
      coldMs = undefined;
    },
  };
  const wake = async () => {
    if (coldMs !== undefined) {
      awake = sleep(coldMs);
      coldMs = undefined;
    }
    await awake;
  };
  const take = (request: SqlRequest): Fault | undefined => {
    const hit = planned.find(
      ({ statement }) => !statement || request.statements.some(({ query }) => statement.test(query)),
    );
    if (!hit) return undefined;
    hit.left -= 1;
    if (hit.left <= 0) planned = planned.filter((each) => each !== hit);
    return hit.fault;
  };
  const refused = (): SqlFailure | undefined => {
    const [first] = refusals;
    if (!first) return undefined;
    first.left -= 1;
    refusals = refusals.filter(({ left }) => left > 0);
    return refusal(first.message);
  };
  return { faults, wake, take, refused };
}
