import type { Deployment, Environment, World } from "./world.ts";

/* Runs as the server holds them, and what it shows of them (shapes: recorded from a server of 4.5.12). */

export type Status =
  | "PENDING_VERSION"
  | "DELAYED"
  | "QUEUED"
  | "EXECUTING"
  | "COMPLETED"
  | "CANCELED"
  | "FAILED"
  | "CRASHED"
  | "EXPIRED";

/** What came of one attempt. */
export type Result =
  | { readonly ok: true; readonly output?: unknown }
  | { readonly retryAt: Date; readonly error?: string }
  | { readonly retryInMs: number; readonly error?: string }
  /** No further attempt: AbortTaskRunError, or the attempts are used up. */
  | { readonly abort: string }
  /**
   * The task's process was killed, and what runs it saw that: CRASHED, and not tried again (measured with SIGKILL on
   * 4.5.12).
   */
  | { readonly crashed: string }
  /**
   * The machine was lost with everything on it. The server notices after five minutes, in which the run keeps its place
   * in the queue, and begins another attempt (measured with SIGKILL on 4.5.12: 300 s, attempt 2).
   */
  | { readonly lost: true };

/** Until the server takes a runner that is silent for lost, in milliseconds (measured on 4.5.12). */
export const LOST_MS = 300_000;

/** One attempt, as the task is told of it. */
export interface Execution {
  readonly runId: string;
  readonly task: string;
  readonly payload: unknown;
  /** Counts from 1. */
  readonly attempt: number;
  readonly tags: readonly string[];
  readonly queue: string;
  readonly concurrencyKey: string | undefined;
  readonly version: string;
  readonly idempotencyKey: string | undefined;
  /** Of the run's environment: what it would read from process.env. Secrets are readable here. */
  readonly variables: Readonly<Record<string, string>>;
  /** Aborted when the run is cancelled. */
  readonly signal: AbortSignal;
}

export type Execute = (execution: Execution) => Promise<Result>;

export interface HeldRun {
  readonly id: string;
  readonly environment: Environment;
  readonly task: string;
  readonly queue: string;
  readonly payload: unknown;
  /** As they were sent. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  readonly concurrencyKey: string | undefined;
  readonly kind: "STANDARD" | "SCHEDULED";
  readonly createdAt: Date;
  readonly ttlMs: number | undefined;
  status: Status;
  updatedAt: Date;
  delayedUntil: Date | undefined;
  /** When it last became ready for a worker. */
  queuedAt: Date | undefined;
  /** When the next attempt may begin, after one that failed or was lost. */
  retryAt: Date | undefined;
  /** It has its place in its queue: a process is at work, or the server believes so. */
  holdsSlot: boolean;
  startedAt: Date | undefined;
  finishedAt: Date | undefined;
  version: string | undefined;
  /** As the request named it; gone when the server gave it back. */
  key: { readonly sent: string; readonly shown: string; readonly until: Date } | undefined;
  attempts: number;
  output: unknown;
  error: string | undefined;
  readonly abort: AbortController;
  /** What it looked like from when on: the list is behind. */
  readonly history: { readonly at: Date; readonly item: Readonly<Record<string, unknown>> }[];
}

export const FINAL: readonly Status[] = ["COMPLETED", "CANCELED", "FAILED", "CRASHED", "EXPIRED"];

/** The queues that a deployment has: a name that is in none of them is not an error, and the run waits for ever. */
export function queuesOf(deployment: Deployment): Set<string> {
  return new Set(deployment.tasks.flatMap(({ id, queue }) => (queue === undefined ? [`task/${id}`] : [queue])));
}

/** Whether its queue has a place for it: the limit counts for each concurrency key by itself. */
export function hasRoom(world: World, run: HeldRun): boolean {
  const limit = run.environment.current?.tasks.find(
    ({ id, queue }) => (queue ?? `task/${id}`) === run.queue,
  )?.concurrencyLimit;
  const held = world.runs.filter(
    (other) =>
      other !== run &&
      other.holdsSlot &&
      other.environment === run.environment &&
      other.queue === run.queue &&
      other.concurrencyKey === run.concurrencyKey,
  );
  return limit === undefined || held.length < limit;
}

/** Whether the current version can run it. */
export function isRunnable({ environment, task, queue }: HeldRun): boolean {
  const { current } = environment;
  return current?.tasks.some(({ id }) => id === task) === true && queuesOf(current).has(queue);
}

/** Every change goes through here, so that the list can show what was. */
export function change(run: HeldRun, now: Date, to: Partial<HeldRun>): void {
  Object.assign(run, { updatedAt: now }, to);
  run.history.push({ at: now, item: listItem(run) });
}

/**
 * Final: a failed or expired run gives its key back, a succeeded or cancelled one keeps it (measured); one that crashed
 * counts as failed (apps/webapp, v3/taskStatus).
 */
export function finish(run: HeldRun, now: Date, status: Status, more: Partial<HeldRun> = {}): void {
  const keeps = status === "COMPLETED" || status === "CANCELED";
  change(run, now, {
    ...more,
    status,
    finishedAt: now,
    retryAt: undefined,
    holdsSlot: false,
    ...(keeps ? {} : { key: undefined }),
  });
}

/** Delayed runs whose time has come wait for a worker, or for a version that knows them; queued ones grow old. */
export function settle(world: World): void {
  const now = world.now();
  for (const run of world.runs) {
    if (run.status === "DELAYED" && run.delayedUntil !== undefined && run.delayedUntil <= now)
      enqueue(run, now, run.delayedUntil);
    if (run.status === "PENDING_VERSION" && isRunnable(run)) enqueue(run, now, now);
    if (run.status === "QUEUED" && !isRunnable(run)) change(run, now, { status: "PENDING_VERSION" });
    const since = run.status === "QUEUED" || run.status === "PENDING_VERSION" ? run.queuedAt : undefined;
    if (since !== undefined && run.ttlMs !== undefined && now.getTime() - since.getTime() > run.ttlMs)
      finish(run, now, "EXPIRED");
  }
}

export function enqueue(run: HeldRun, now: Date, since: Date): void {
  change(run, now, { status: isRunnable(run) ? "QUEUED" : "PENDING_VERSION", queuedAt: since });
}

const flags = ({ status }: HeldRun) => ({
  isQueued: status === "QUEUED" || status === "DELAYED" || status === "PENDING_VERSION",
  isExecuting: status === "EXECUTING",
  isCompleted: FINAL.includes(status),
  isFailed: FINAL.includes(status) && status !== "COMPLETED",
  isSuccess: status === "COMPLETED",
  isCancelled: status === "CANCELED",
  isWaiting: false,
});

/** What the answers of one run and of the list have in common. What is undefined is left out, as JSON does. */
const common = (run: HeldRun) => ({
  id: run.id,
  status: run.status,
  taskIdentifier: run.task,
  idempotencyKey: run.key?.shown,
  version: run.version,
  createdAt: run.createdAt,
  startedAt: run.startedAt,
  updatedAt: run.updatedAt,
  finishedAt: run.finishedAt,
  delayedUntil: run.delayedUntil,
  ttl: run.options["ttl"],
  costInCents: 0,
  baseCostInCents: 0,
  durationMs: 0,
  isTest: false,
  depth: 0,
  tags: run.tags,
  metadata: run.options["metadata"],
  region: "local-dev",
  ...flags(run),
});

function errorOf({ status, error }: HeldRun) {
  if (status === "CANCELED") return { message: "Run was canceled" };
  return error === undefined ? undefined : { name: "Error", message: error };
}

/**
 * GET /api/v3/runs/:id. Of a cancelled run it says why, and not since when (compared with 4.5.12; the words are not
 * recorded).
 */
export const retrieved = (run: HeldRun) => ({
  ...common(run),
  ...(run.status === "CANCELED" ? { finishedAt: undefined } : {}),
  triggerFunction: "trigger",
  payload: run.payload,
  output: run.output,
  error: errorOf(run),
  attemptCount: run.attempts,
  attempts: [],
  relatedRuns: { children: [] },
});

/** One of GET /api/v1/runs. */
const listItem = (run: HeldRun): Readonly<Record<string, unknown>> => ({
  ...common(run),
  taskKind: run.kind,
  env: { id: run.environment.id, name: run.environment.slug },
});
