import { fstatSync } from "node:fs";
import { instant } from "@psn/app/documents/values.ts";
import { LOG_LEVELS, type LogLevel, type WorkerLogLine } from "@psn/app/documents/worker-log.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import { deafness, type Listening } from "@psn/app/keep-listening.ts";
import type { PsnError } from "@psn/core/errors.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import { clip, type Output } from "./output.ts";
import { stateWord, when } from "./render.ts";

/*
 * What a worker writes while it runs: one line for each state that a delivery comes to, and for what is no delivery's
 * own. A log file needs an instant on each line; systemd's journal adds its own, and takes the level of a line from the
 * number before it (sd-daemon(3)).
 */

/** Deliveries whose last line is remembered, so that the same state is not written twice. */
const MOST_REMEMBERED = 10_000;
/** Columns of a text or of a reason in a line. */
const WORDS_COLUMNS = 80;

export interface WorkerLogOptions {
  readonly output: Output;
  /** Writes one line to standard output. */
  readonly print: (line: string) => void;
  readonly format: "text" | "json";
  /** What needs a person less than this is not written; undefined: nothing is written. */
  readonly level: LogLevel | undefined;
  /** Whether systemd's journal keeps what is written. */
  readonly journal: boolean;
  readonly worker: { readonly worker: string; readonly version: string };
  readonly now: () => Date;
}

export interface WorkerLog {
  readonly began: () => void;
  readonly delivery: (delivery: DeliverySummary, timeZone: string) => void;
  readonly trouble: (error: PsnError) => void;
  /** What kept the worker from beginning. */
  readonly failed: (error: PsnError) => void;
  readonly listening: (now: Listening) => void;
  readonly stopped: () => void;
}

type Unstamped = WorkerLogLine extends infer Line ? (Line extends unknown ? Omit<Line, "at"> : never) : never;

export function createWorkerLog({
  output,
  print,
  format,
  level: least,
  journal,
  worker,
  now,
}: WorkerLogOptions): WorkerLog {
  const last = new Map<string, string>();
  const write = (line: Unstamped, words: () => string) => {
    if (least === undefined || LOG_LEVELS[line.level] > LOG_LEVELS[least]) return;
    const at = now().toISOString();
    if (format === "json") return print(JSON.stringify({ at, ...line }));
    const before = journal ? `<${LOG_LEVELS[line.level]}>` : `${at.replace(/\.\d+/, "")}  `;
    if (line.event === "delivery") print(`${before}${words()}`);
    else output.note(`${before}${words()}`);
  };
  const publishes = `worker ${worker.worker} publishes what is due`;
  return {
    began: () =>
      write({ level: "notice", event: "started", ...worker }, () =>
        journal ? publishes : `${publishes}; Ctrl-C stops it`,
      ),
    stopped: () => write({ level: "notice", event: "stopped", ...worker }, () => "stopped"),
    delivery: (delivery, timeZone) => {
      const { id, platform, handle, state, operation, url, code, message, nextAt } = delivery;
      const became = `${operation} ${state} ${code}`;
      if (last.get(id) === became) return;
      remember(last, id, became);
      const account = `${platform}:${handle}`;
      const facts = { delivery: id, account, state, operation, url, code, message, next: instant(nextAt) };
      write({ level: levelOf(delivery), event: "delivery", ...facts }, () => {
        const where = state === "published" ? url : nextAt && when(nextAt, timeZone);
        const why = state === "published" ? null : message;
        const cells = [
          shortId(id),
          stateWord(output, delivery),
          account,
          where,
          clip(why ?? delivery.text, WORDS_COLUMNS),
        ];
        return cells.filter((cell) => cell !== null && cell !== "").join("  ");
      });
    },
    failed: ({ code, message, hint = null }) =>
      write({ level: "error", event: "failed", code, message, hint }, () => `${message} (${code})`),
    trouble: ({ code, message, hint = null }) =>
      write({ level: "warning", event: "trouble", code, message, hint }, () => `${message} (${code})`),
    listening: (changed) => {
      const deaf = deafness(changed);
      const { said, fix } = deaf ?? { said: "is notified of new posts at once again", fix: null };
      const level = deaf ? "warning" : "notice";
      write({ level, event: "listening", message: said, hint: fix }, () => (fix === null ? said : `${said} → ${fix}`));
    },
  };
}

function levelOf({ state, health }: DeliverySummary): LogLevel {
  if (state === "failed" || state === "unconfirmed") return "error";
  return state === "held" || (state === "scheduled" && health === "needs-reconnect") ? "warning" : "info";
}

function remember(last: Map<string, string>, id: string, became: string): void {
  last.delete(id);
  last.set(id, became);
  const [oldest] = last.keys();
  if (last.size > MOST_REMEMBERED && oldest !== undefined) last.delete(oldest);
}

/**
 * Whether standard output or standard error is the stream that systemd's journal reads: JOURNAL_STREAM names its device
 * and inode (systemd.exec(5)). A terminal that systemd started inherits the variable and is another stream.
 */
export function isJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  return [1, 2].some((descriptor) => {
    try {
      const { dev, ino } = fstatSync(descriptor, { bigint: true });
      return stream === `${dev}:${ino}`;
    } catch {
      return false;
    }
  });
}
