import { watchHub } from "@psn/app/watch-hub.ts";
import { PsnError } from "@psn/core/errors.ts";
import { catchError, runDelivery } from "@psn/trigger/delivery.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { hubIn, stop } from "../journeys/hub.ts";
import { openPlace, type Place } from "../journeys/place.ts";
import { startReceiver } from "../journeys/receiver.ts";
import type { Execute } from "../support/trigger-api/index.ts";
import { type Line, startLine } from "./line.ts";
import { inTurns, openOf, postIn } from "./parts.ts";
import type { Part } from "./play.ts";

/* Hubs on Neon's and Trigger.dev's doubles: the proxy goes away under a worker, and Trigger.dev under its own tasks. */

/** Between two looks at what is due at the double of Trigger.dev. */
const LOOK_MS = 250;
/** The watchdog there looks this often. */
const WATCHDOG_MS = 20_000;

/** By a process: the address of Neon's proxy is one for all of this one. */
async function connected({ folder }: Place) {
  const receiver = startReceiver();
  const { code, stderr } = await hubIn(folder).psn(
    ["connect", "webhook", receiver.url, "--secret-stdin"],
    receiver.secret,
  );
  if (code !== 0) throw new Error(`psn connect ended with ${code}: ${stderr}`);
  return receiver;
}

async function made(place: Place): Promise<void> {
  const { code, stdout, stderr } = await place.init().ended;
  if (code !== 0) throw new Error(`psn init ended with ${code}: ${stdout}${stderr}`);
}

/** A worker at home on Neon, over WebSocket; commands go over HTTP. Nobody runs the tasks. */
export async function proxy(awayMs: number): Promise<Part> {
  const lines: Line[] = [];
  const place = await openPlace(undefined, async (port) => {
    const line = await startLine(port);
    lines.push(line);
    return line.port;
  });
  const [line] = lines;
  if (!line) throw new Error("nobody asked for a line");
  await made(place);
  const receiver = await connected(place);
  const worker = await hubIn(place.folder).worker();
  return {
    name: "Neon's proxy",
    postsMeanwhile: false,
    post: (text, inMs) => postIn(place.folder, text, inMs),
    ...inTurns(line, awayMs),
    requests: () => receiver.taken,
    open: async () => {
      const open = await openOf(place.folder);
      return worker.child.exitCode === null ? open : [...open, "the worker ended"];
    },
    stop: async () => {
      const { code, stderr } = await stop(worker);
      await line.stop();
      await receiver.stop();
      await place.stop();
      if (code !== 0) throw new Error(`the worker ended with ${code}: ${stderr}`);
    },
  };
}

/**
 * No worker: the tasks publish, woken by the double, which is away with its API. Posts are scheduled meanwhile, too.
 */
export async function trigger(): Promise<Part> {
  const place: Place = await openPlace((execution) => execute(execution));
  const execute: Execute = async ({ task, payload, variables }) => {
    const { world, watchdogMs } = openWorld({
      ...variables,
      TRIGGER_API_URL: place.trigger.origin,
      TRIGGER_SECRET_KEY: place.env("TRIGGER_SECRET_KEY"),
    });
    try {
      if (task === "publish-due")
        return {
          ok: true,
          output: await watchHub({ world, version: "0.0.0", everyMs: watchdogMs, onTrouble: () => undefined }),
        };
      return { ok: true, output: await runDelivery(payload, world) };
    } catch (error) {
      if (!(error instanceof PsnError)) return { abort: error instanceof Error ? error.message : "unknown" };
      const again = catchError({ error });
      return again ? { retryAt: again.retryAt } : { retryInMs: 1000 };
    }
  };
  await made(place);
  const receiver = await connected(place);
  // The tasks are told that they may send there.
  await made(place);
  place.trigger.deploy({
    tasks: [
      { id: "publish-delivery", queue: "publish-webhook" },
      { id: "settle-unknown", queue: "settle" },
      { id: "publish-due", cron: "* * * * *" },
    ],
  });
  let away = false;
  const stopped = new AbortController();
  const looks = async () => {
    for (let watched = Date.now(); !stopped.signal.aborted; await Bun.sleep(LOOK_MS)) {
      if (away) continue;
      await place.trigger.runDue();
      if (Date.now() - watched < WATCHDOG_MS) continue;
      watched = Date.now();
      await place.trigger.fireCron("publish-due");
    }
  };
  const looking = looks();
  return {
    name: "Trigger.dev",
    postsMeanwhile: true,
    post: (text, inMs) => postIn(place.folder, text, inMs),
    cut: async () => {
      away = true;
      await place.trigger.down();
    },
    mend: async () => {
      await place.trigger.up();
      away = false;
    },
    requests: () => receiver.taken,
    open: () => openOf(place.folder),
    stop: async () => {
      stopped.abort();
      await looking;
      await receiver.stop();
      await place.stop();
    },
  };
}
