import { hostname } from "node:os";
import { WorkerDocument } from "@psn/app/documents/hub.ts";
import type { DocumentOf } from "@psn/app/documents/values.ts";
import { LogLevel } from "@psn/app/documents/worker-log.ts";
import { keepHub } from "@psn/app/keep-hub.ts";
import { claimedDelivery } from "@psn/app/queries/posts.ts";
import { queueOf } from "@psn/app/queries/queue.ts";
import { runWorker } from "@psn/app/run-worker.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import type { Output } from "@psn/cli/output.ts";
import { progressOf } from "@psn/cli/progress.ts";
import { createWorkerLog, isJournal, type WorkerLog } from "@psn/cli/worker-log.ts";
import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Claim } from "@psn/core/ports/deliveries.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { journalStream } from "@psn/core/utils/env.ts";
import type { Hub } from "@psn/wiring/hub.ts";
import { z } from "zod";

type Ended = Partial<Record<DeliveryState, number>>;

const schema = z.object({
  log: z.enum(["text", "json"], { error: "must be text or json" }).optional(),
  logLevel: LogLevel.optional(),
});

export default defineCommand({
  name: "worker",
  summary: "publish due posts from this machine",
  details:
    "Runs until you stop it: after the first Ctrl-C, SIGTERM or SIGHUP it finishes the current requests, after the " +
    "second it ends at once. It reads changed settings while it runs; what it reads only when it starts, psn doctor " +
    "names. Several workers can run on one Postgres. You can use all other commands at the same time. Under systemd " +
    "the log has no times, because the journal adds them, and --log-level is notice. psn service install " +
    "keeps a worker running after you log out.",
  examples: [
    { line: "psn worker", does: "in a terminal, or under systemd, launchd or a container" },
    { line: "psn worker --log json", does: "one JSON object a line, for a program that collects logs" },
    { line: "psn worker --json", does: "print one document about its work when it ends" },
  ],
  flags: [
    {
      flags: "--log <format>",
      help: "text or json: one line each time that a delivery's state changes; default: text",
      takes: ["text", "json"],
    },
    {
      flags: "--log-level <level>",
      help: "error, warning, notice (start, end, and problems) or info (all states); default: info",
      takes: ["error", "warning", "notice", "info"],
    },
  ],
  document: WorkerDocument,
  schema,
  run: async (input, context) => {
    const { output } = context;
    if (output.json && (input.log !== undefined || input.logLevel !== undefined))
      throw new PsnError("USAGE", "use --json or --log, not both: --json prints one document at the end", {
        hint: "psn worker --log json",
      });
    context.endsBySignal();
    const name = `${hostname()}-${process.pid}`;
    const ended: Ended = {};
    const document = { worker: name, deliveries: ended };
    const log = logOf(input, context, document);
    try {
      await work(context, { log, ended, name });
    } catch (error) {
      if (input.log !== "json") throw error;
      const failure = toPsnError(error);
      log.failed(failure);
      return failure.exit;
    }
    output.draw(undefined);
    log.stopped();
    if (output.json) output.result(document, () => "");
    return undefined;
  },
});

/** More late deliveries than this are not counted. */
const MOST_LATE = 1_000;

/** Publishes until a signal comes. Throws what keeps it from beginning. */
async function work(
  context: Context<DocumentOf<typeof WorkerDocument>>,
  { log, ended, name }: { readonly log: WorkerLog; readonly ended: Ended; readonly name: string },
): Promise<void> {
  const { output, signal, version } = context;
  const hub = await Promise.race([context.hub("session", "refuse"), aborted(signal)]);
  if (!hub) return;
  const { world, user } = hub;
  const catching = output.draw(undefined) ? await catchingUp(hub, output) : undefined;
  const reports = new Set<Promise<void>>();
  const report = async (claim: Claim) => {
    const detail = await claimedDelivery(world, claim);
    if (!detail) return;
    ended[detail.state] = (ended[detail.state] ?? 0) + 1;
    log.delivery(detail, user.timeZone);
  };
  const onDone = (claim: Claim) => {
    const one = report(claim)
      .catch(() => undefined)
      .then(catching)
      .finally(() => reports.delete(one));
    reports.add(one);
  };
  const { began: onBegun, trouble: onTrouble, listening: onListening } = log;
  await Promise.all([
    // Who reads that it has begun may ask psn at once whether a worker runs.
    runWorker({ world, name, version, stop: signal, onBegun, onDone, onTrouble, onListening }),
    keepHub(world, signal, onTrouble),
  ]);
  await Promise.all(reports);
}

/** What a worker that was away has to do, as a bar: called for each delivery that it is done with. */
async function catchingUp(hub: Hub, output: Output): Promise<(() => void) | undefined> {
  const page = await queueOf(hub, { all: false, state: ["scheduled"], limit: MOST_LATE }).catch(() => undefined);
  const now = hub.world.now();
  const all = page?.deliveries.filter(({ dueAt }) => dueAt <= now).length ?? 0;
  if (all < 2) return undefined;
  const shown = progressOf(output, { what: "catching up", parts: "deliveries" });
  let done = 0;
  return () => {
    done += 1;
    if (done < all) shown.at(done, all);
    else shown.end();
  };
}

function logOf(
  { log = "text", logLevel }: z.output<typeof schema>,
  { output, version, now }: Context<DocumentOf<typeof WorkerDocument>>,
  document: DocumentOf<typeof WorkerDocument>,
): WorkerLog {
  const journal = isJournal(journalStream());
  return createWorkerLog({
    output,
    print: (line) => output.result(document, () => line),
    format: log,
    level: output.json ? undefined : (logLevel ?? (journal ? "notice" : "info")),
    journal,
    worker: { worker: document.worker, version },
    now,
  });
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
