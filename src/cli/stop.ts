import { readFileSync } from "node:fs";
import { EXIT, PsnError } from "@psn/core/errors.ts";

/*
 * What a signal does. Until a command changes something a signal ends it at once, whatever it reads or waits for. From
 * then on (the point of no return) the command goes to its end and says what is stored. A second signal ends the
 * process at once.
 */

const EXITS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hungUp } as const;
type Ending = keyof typeof EXITS;

/** Why an AbortSignal of psn's is aborted. It has the name of what `fetch` and readline reject with. */
export class Stopped extends Error {
  override readonly name = "AbortError";
  readonly by: Ending;
  constructor(by: Ending) {
    super(`stopped by ${by}`);
    this.by = by;
  }
}

/**
 * The exit code of a command that was stopped: 128 and the signal's number, as shells have it; 130 where no signal says
 * otherwise.
 */
export function stoppedExit(signal: AbortSignal | undefined): number {
  const reason: unknown = signal?.reason;
  return reason instanceof Stopped ? EXITS[reason.by] : EXIT.interrupted;
}

/** Aborted by the first SIGINT, SIGTERM or SIGHUP. The next SIGINT or SIGTERM ends the process. */
export function hearSignals(): AbortSignal {
  const stop = new AbortController();
  for (const by of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    if (by === "SIGHUP" && ignoresHangUp()) continue;
    process.on(by, () => {
      // A terminal that closes sends SIGHUP more than once: by the shell and by the kernel.
      if (stop.signal.aborted && by !== "SIGHUP") process.exit(EXITS[by]);
      stop.abort(new Stopped(by));
    });
  }
  return stop.signal;
}

/**
 * Whether nohup started this process. Only Linux tells it (proc_pid_status(5)): elsewhere SIGHUP ends psn also under
 * nohup.
 */
function ignoresHangUp(): boolean {
  try {
    const [, mask = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return (BigInt(`0x${mask}`) & 1n) === 1n;
  } catch {
    return false;
  }
}

/** While `work` runs Ctrl-C is for another program at the same terminal: an editor. */
export async function lendingCtrlC<T>(work: () => Promise<T>): Promise<T> {
  const own = process.listeners("SIGINT");
  const deaf = () => undefined;
  process.on("SIGINT", deaf);
  for (const listener of own) process.removeListener("SIGINT", listener);
  try {
    return await work();
  } finally {
    for (const listener of own) process.on("SIGINT", listener);
    process.removeListener("SIGINT", deaf);
  }
}

/** How one command takes a signal. */
export interface Stopping {
  /** Rejects with INTERRUPTED when a signal comes before the point of no return. */
  readonly broken: Promise<never>;
  readonly isBroken: () => boolean;
  /** Whether the command has come to its point of no return, or is one that a signal ends. */
  readonly isHeld: () => boolean;
  /** Begins to look at the signal; what came before counts. */
  readonly listen: () => void;
  readonly noReturn: () => void;
  readonly endsBySignal: () => void;
  readonly leaves: (message: string, hint: string) => void;
}

/** @param onHeld told of a signal that came after the point of no return. */
export function stoppingBy(signal: AbortSignal, onHeld: () => void): Stopping {
  const { promise: broken, reject } = Promise.withResolvers<never>();
  broken.catch(() => undefined);
  let state: "free" | "held" | "broken" = "free";
  let said = new PsnError("INTERRUPTED", "stopped; nothing was changed");
  const stop = () => {
    if (state === "held") return onHeld();
    state = "broken";
    reject(said);
  };
  return {
    broken,
    isBroken: () => state === "broken",
    isHeld: () => state === "held",
    listen: () => {
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    },
    noReturn: () => {
      if (state === "broken" || (state === "free" && signal.aborted)) throw said;
      state = "held";
    },
    endsBySignal: () => {
      state = "held";
    },
    leaves: (message, hint) => {
      said = new PsnError("INTERRUPTED", message, { hint });
    },
  };
}
