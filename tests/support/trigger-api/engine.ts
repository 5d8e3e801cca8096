import { change, type Execute, FINAL, finish, type HeldRun, hasRoom, LOST_MS, settle } from "./runs.ts";
import type { World } from "./world.ts";

/*
 * Time and workers: what is due is executed by the test's own function, and what it answers decides what becomes of the
 * run.
 */

/** The server's bound on attempts (trigger.dev docs, errors-retrying, 2026-11). */
const MAX_ATTEMPTS = 250;
/** More than any test means. */
const ENDLESS = 10_000;

export interface Engine {
  /**
   * Moves the clock, executing on the way whatever becomes due, each at its time. Returns the runs that were executed.
   */
  advance(ms: number): Promise<readonly HeldRun[]>;
  /** Executes whatever is due by the clock, oldest first, until nothing is. */
  runDue(): Promise<readonly HeldRun[]>;
  /** Executes one run now if it is due; false when it is not. */
  execute(run: HeldRun): Promise<boolean>;
}

export interface Clock {
  readonly now: () => Date;
  readonly setTo: (at: Date) => void;
}

export function startEngine(world: World, clock: Clock, execute: Execute | undefined): Engine {
  /** When a worker may take it; undefined for what waits for something else than time, as for a place in its queue. */
  const dueAt = (run: HeldRun): Date | undefined => {
    if (run.environment.paused) return undefined;
    if (run.status !== "DELAYED" && !run.holdsSlot && !hasRoom(world, run)) return undefined;
    if (run.status === "DELAYED") return run.delayedUntil;
    if (run.status === "QUEUED") return run.queuedAt;
    return run.status === "EXECUTING" ? run.retryAt : undefined;
  };
  const nextDue = (until: Date): HeldRun | undefined =>
    world.runs
      .filter((run) => (dueAt(run) ?? new Date(8.64e15)) <= until)
      .toSorted((a, b) => Number(dueAt(a)) - Number(dueAt(b)))
      .at(0);

  const attempt = async (run: HeldRun): Promise<boolean> => {
    settle(world);
    const at = dueAt(run);
    const { current, variables } = run.environment;
    if (
      execute === undefined ||
      at === undefined ||
      at > clock.now() ||
      run.status === "DELAYED" ||
      current === undefined
    )
      return false;
    run.attempts += 1;
    // Retries keep the version of the first attempt.
    const version = run.version ?? current.version;
    change(run, clock.now(), {
      status: "EXECUTING",
      retryAt: undefined,
      holdsSlot: true,
      version,
      startedAt: run.startedAt ?? clock.now(),
    });
    const result = await execute({
      runId: run.id,
      task: run.task,
      payload: run.payload,
      attempt: run.attempts,
      tags: run.tags,
      queue: run.queue,
      concurrencyKey: run.concurrencyKey,
      version,
      idempotencyKey: run.key?.shown,
      variables: Object.fromEntries([...variables].map(([name, { value }]) => [name, value])),
      signal: run.abort.signal,
    });
    // Cancelled meanwhile: what the task says no longer counts.
    if (FINAL.includes(run.status)) return true;
    const now = clock.now();
    if ("ok" in result) finish(run, now, "COMPLETED", { output: result.output });
    else if ("abort" in result) finish(run, now, "FAILED", { error: result.abort });
    else if ("crashed" in result) finish(run, now, "CRASHED", { error: result.crashed });
    else if ("lost" in result) change(run, now, { retryAt: new Date(now.getTime() + LOST_MS) });
    else if (run.attempts >= MAX_ATTEMPTS) finish(run, now, "FAILED", { error: result.error ?? "too many attempts" });
    else
      change(run, now, {
        retryAt: "retryAt" in result ? result.retryAt : new Date(now.getTime() + result.retryInMs),
        holdsSlot: false,
      });
    return true;
  };

  const until = async (end: Date, move: boolean): Promise<HeldRun[]> => {
    const executed: HeldRun[] = [];
    for (let count = 0; ; count += 1) {
      if (count > ENDLESS) throw new Error("there is always another run due");
      settle(world);
      if (execute === undefined) break;
      const run = nextDue(end);
      const at = run === undefined ? undefined : dueAt(run);
      if (run === undefined || at === undefined) break;
      if (move && at > clock.now()) clock.setTo(at);
      if (await attempt(run)) executed.push(run);
    }
    return executed;
  };

  return {
    async advance(ms) {
      const end = new Date(clock.now().getTime() + ms);
      const executed = await until(end, true);
      if (clock.now() < end) clock.setTo(end);
      settle(world);
      return executed;
    },
    runDue: () => until(clock.now(), false),
    execute: attempt,
  };
}
