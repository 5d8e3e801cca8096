import { hostname } from "node:os";
import { WorkerDocument } from "@psn/app/documents/hub.ts";
import { keepHub } from "@psn/app/keep-hub.ts";
import { deafness, type Listening } from "@psn/app/keep-listening.ts";
import { claimedDelivery } from "@psn/app/queries/posts.ts";
import { runWorker } from "@psn/app/run-worker.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryTable } from "@psn/cli/render.ts";
import type { PsnError } from "@psn/core/errors.ts";
import type { Claim } from "@psn/core/ports/deliveries.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { z } from "zod";

export default defineCommand({
  name: "worker",
  summary: "publish due posts from this machine",
  details:
    "Runs until you stop it: after the first Ctrl-C, SIGTERM or SIGHUP it finishes the current requests, after the " +
    "second it ends at once. Several workers can run on one Postgres. You can use all other commands at the same " +
    "time.",
  examples: [
    { line: "psn worker", does: "in a terminal, or under systemd, launchd or a container" },
    { line: "psn worker --json", does: "print one document about its work when it ends" },
  ],
  document: WorkerDocument,
  schema: z.object({}),
  run: async (_input, context) => {
    const { output, signal, version } = context;
    context.endsBySignal();
    const name = `${hostname()}-${process.pid}`;
    const ended: Partial<Record<DeliveryState, number>> = {};
    const document = { worker: name, deliveries: ended };
    const tellEnd = () => {
      if (output.json) output.result(document, () => "");
      else output.note("stopped");
      return undefined;
    };
    const hub = await Promise.race([context.hub("session", "refuse"), aborted(signal)]);
    if (!hub) return tellEnd();
    const { world, user } = hub;
    const reports = new Set<Promise<void>>();
    const report = async (claim: Claim) => {
      const detail = await claimedDelivery(world, claim);
      if (!detail) return;
      ended[detail.state] = (ended[detail.state] ?? 0) + 1;
      if (!output.json) output.result(document, () => deliveryTable(output, [detail], user.timeZone));
    };
    const onDone = (claim: Claim) => {
      const one = report(claim)
        .catch(() => undefined)
        .finally(() => reports.delete(one));
      reports.add(one);
    };
    // Who reads it may ask psn at once whether a worker runs.
    const onBegun = () => output.note(`worker ${name} publishes what is due; Ctrl-C stops it`);
    const onTrouble = ({ code, message }: PsnError) => output.note(`${message} (${code})`);
    const onListening = (now: Listening) => {
      const deaf = deafness(now);
      output.note(deaf ? `${deaf.said} → ${deaf.fix}` : "is notified of new posts at once again");
    };
    await Promise.all([
      runWorker({ world, name, version, stop: signal, onBegun, onDone, onTrouble, onListening }),
      keepHub(world, signal, onTrouble),
    ]);
    await Promise.all(reports);
    return tellEnd();
  },
});

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
