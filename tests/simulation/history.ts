import { createHash } from "node:crypto";
import { runWorker } from "@psn/app/run-worker.ts";
import { watchHub } from "@psn/app/watch-hub.ts";
import { toPsnError } from "@psn/core/errors.ts";
import { deliverNotifications, look } from "./database.ts";
import { virtualTimers } from "./globals.ts";
import { createGround, EPOCH, type Ground } from "./ground.ts";
import { judge } from "./judge.ts";
import { createKernel, type Machine, type Process } from "./kernel.ts";
import { createPerson, type Person } from "./person.ts";
import type { Postgres } from "./postgres.ts";
import { type Living, type Outside, spawn } from "./process.ts";
import { type Happening, type Scenario, TROUBLE_MS } from "./scenario.ts";
import { createServers, type Servers } from "./servers.ts";
import { runTask } from "./tasks.ts";
import { createBucket, createQueue } from "./vendors.ts";

/*
 * One history: some minutes in which everything goes wrong that the scenario says, and then a calm in which psn must
 * bring every post to its end.
 */

export interface Told {
  readonly scenario: Scenario;
  /** What broke; empty when everything held. */
  readonly broken: readonly string[];
  readonly lines: readonly string[];
  /** Of the lines. */
  readonly hash: string;
  /** The names of the faults that befell. */
  readonly befallen: readonly string[];
}

const WATCHDOG_MS = 10 * 60_000;
/**
 * A worker of the calm stays for what comes within so many milliseconds: longer than the patience, which a process that
 * lives for one look cannot tell after the database's clock has stepped back (docs/guarantees.md).
 */
const STAYS_MS = 200_000;
/** Longest calm, in milliseconds: two days, after which nothing can still be on its way. */
const CALM_MS = 2 * 24 * 3_600_000 + 3_600_000;

interface Stage {
  readonly ground: Ground;
  readonly machines: readonly Machine[];
  readonly outside: Outside;
  readonly person: Person;
  readonly workers: (Running | undefined)[];
  readonly ending: { over: boolean };
  count: number;
}

interface Running extends Living {
  readonly stop: AbortController;
}

/** `plant`: spoils what is judged, for the judge's own tests. */
export async function tellHistory(
  postgres: Postgres,
  scenario: Scenario,
  plant?: (ground: Ground, servers: Servers, outside: Outside) => Promise<void> | void,
): Promise<Told> {
  await postgres.reset();
  const kernel = createKernel(scenario.seed);
  const ground = createGround(kernel, postgres, scenario);
  const putBack = virtualTimers(kernel);
  try {
    const stage = prepare(ground);
    await settle(ground);
    schedule(stage);
    await kernel.runUntil(TROUBLE_MS);
    const servers = await calm(stage);
    await plant?.(ground, servers, stage.outside);
    for (const broken of await judge(ground, servers)) ground.watch.broken.push(broken);
  } catch (error) {
    ground.watch.broken.push(
      `the history does not end: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  } finally {
    putBack();
    postgres.onWake = () => undefined;
    postgres.beforeStatement = () => undefined;
    postgres.afterStatement = () => undefined;
  }
  const { lines } = kernel;
  return {
    scenario,
    broken: [...new Set(ground.watch.broken)],
    lines,
    hash: createHash("sha256").update(lines.join("\n")).digest("hex"),
    befallen: [...ground.befallen],
  };
}

const serversOf = new WeakMap<Ground, Servers>();

function prepare(ground: Ground): Stage {
  const { kernel, postgres, scenario, watch } = ground;
  const machines: Machine[] = scenario.machines.map((aheadMs, n) => ({
    name: n === 0 ? "database" : `machine ${n}`,
    aheadMs,
  }));
  postgres.clock = () => EPOCH + kernel.now() + (machines[0]?.aheadMs ?? 0);
  deliverNotifications(ground);
  const servers = createServers(ground);
  serversOf.set(ground, servers);
  const bucketFor = createBucket(ground);
  const queue = createQueue(ground, ({ deliveryId, userId }) => {
    stage.count += 1;
    runTask(ground, outside, machineOf(stage, 3), `run${stage.count}`, { deliveryId, userId });
  });
  const outside: Outside = {
    servers,
    queueFor: (process) => (scenario.runs === "workers" ? undefined : queue.queueFor(process)),
    bucketFor,
  };
  const stage: Stage = {
    ground,
    machines,
    outside,
    person: createPerson(ground, servers),
    workers: scenario.workers.map(() => undefined),
    ending: { over: false },
    count: 0,
  };
  kernel.onDeath = (process) => {
    const index = stage.workers.findIndex((worker) => worker?.process === process);
    if (index >= 0 && !stage.ending.over)
      kernel.after(ground.chance(`restart after ${process.name}`).int(200, 20_000), undefined, () =>
        startWorker(stage, index),
      );
  };
  watch.clockStepped = false;
  return stage;
}

/** A user and their accounts, connected. */
async function settle(ground: Ground): Promise<void> {
  const { postgres, userId, scenario, accountIds } = ground;
  const id = (kind: number, n: number) => `00000000-0000-7000-800${kind}-${String(n).padStart(12, "0")}`;
  await postgres.query("insert into psn.users (id, handle, time_zone) values ($1, 'ada', 'UTC') returning id::text", [
    userId,
  ]);
  for (const [n, { platform }] of scenario.accounts.entries()) {
    accountIds.push(id(1, n));
    const home = `https://${platform}.example`;
    await postgres.query(
      "insert into psn.accounts (id, user_id, platform, subject, handle, url, home) values ($1, $2, $3, $4, $4, " +
        "$5, $5) returning id::text",
      [id(1, n), userId, platform, String(n), home],
    );
    await postgres.query(
      "insert into psn.oauth_tokens (id, user_id, account_id, access_token, refresh_token, scopes) values ($1, " +
        "$2, $3, $4, $5, '{}') returning id::text",
      [id(2, n), userId, id(1, n), `${id(2, n)}:${n}/1`, `${id(2, n)}:r1`],
    );
  }
}

function machineOf({ machines }: Stage, n: number): Machine {
  const machine = machines[n] ?? machines[1];
  if (!machine) throw new Error("no machine");
  return machine;
}

function schedule(stage: Stage): void {
  const { ground, person } = stage;
  const { kernel, scenario } = ground;
  for (const [index] of scenario.workers.entries())
    kernel.after(ground.chance(`start ${index}`).int(0, 10_000), undefined, () => startWorker(stage, index));
  if (scenario.runs !== "workers")
    for (let at = ground.chance("watchdog").int(0, WATCHDOG_MS); at < TROUBLE_MS; at += WATCHDOG_MS)
      kernel.after(at, undefined, () => watchdog(stage));
  for (const post of scenario.posts) {
    const again = (tries: number) =>
      command(
        stage,
        (living) => person.post(living, post),
        tries > 0 ? () => kernel.after(5_000, undefined, () => again(tries - 1)) : undefined,
      );
    kernel.after(post.at, undefined, () => again(post.keyed ? 8 : 0));
  }
  for (const happening of scenario.happenings) kernel.after(happening.at, undefined, () => happen(stage, happening));
}

/** One command in a process of its own. `again`: what becomes of one that failed or died. */
function command(stage: Stage, work: (living: Living) => Promise<void>, again?: () => void): void {
  const { ground, outside } = stage;
  stage.count += 1;
  const living = spawn(ground, outside, `cli${stage.count}`, machineOf(stage, 1), "session");
  const { process } = living;
  begin(ground, process, async () => {
    await work(living).then(
      () => undefined,
      () => again?.(),
    );
    process.alive = false;
  });
  // Who runs a command again does so too when it died.
  if (again && process.eventsLeft !== Number.POSITIVE_INFINITY)
    ground.kernel.after(120_000, undefined, () => {
      if (process.eventsLeft < 0) again();
    });
}

/** Begins the work as an event of the process. */
function begin({ kernel, watch }: Ground, process: Process, work: () => Promise<void>): void {
  kernel.after(
    1,
    process,
    () => void work().catch((error: unknown) => watch.broken.push(`${process.name} threw ${String(error)}`)),
  );
}

function startWorker(stage: Stage, index: number): void {
  const { ground, outside } = stage;
  if (stage.ending.over) return;
  stage.count += 1;
  const name = `w${index + 1}.${stage.count}`;
  const living = spawn(
    ground,
    outside,
    name,
    machineOf(stage, ground.scenario.workers[index]?.machine ?? 1),
    "session",
  );
  stage.workers[index] = runOn(ground, living);
}

function runOn(ground: Ground, living: Living): Running {
  const stop = new AbortController();
  const { world, process } = living;
  const { name } = process;
  ground.kernel.note(name, "starts");
  const onTrouble = (error: unknown) => {
    const { code, message, cause } = toPsnError(error);
    ground.kernel.note(name, `trouble: ${code} ${message}`);
    if (code === "BUG")
      ground.watch.broken.push(
        `${name}: ${message}: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`,
      );
  };
  begin(ground, process, async () => {
    await runWorker({ world, name, version: "0", stop: stop.signal, onTrouble });
    ground.kernel.note(name, "ends");
    process.alive = false;
  });
  return { ...living, stop };
}

function watchdog(stage: Stage): void {
  const { ground, outside } = stage;
  stage.count += 1;
  const living = spawn(ground, outside, `watch${stage.count}`, machineOf(stage, 3), "requests");
  const { world, process } = living;
  begin(ground, process, async () => {
    await watchHub({ world, version: "0", everyMs: WATCHDOG_MS, onTrouble: () => undefined }).catch(() => undefined);
    process.alive = false;
  });
}

function happen(stage: Stage, happening: Happening): void {
  const { ground, person, outside, machines } = stage;
  const { kernel, scenario, away, watch } = ground;
  const until = (ms: number) => kernel.now() + ms;
  const asked: readonly Happening["what"][] = ["cancel", "edit", "move", "retry", "resolve", "delete"];
  if (![...asked, "connect", "disconnect"].includes(happening.what)) kernel.note("world", JSON.stringify(happening));
  switch (happening.what) {
    case "cancel":
    case "edit":
    case "move":
    case "retry":
    case "resolve":
    case "delete": {
      const { what } = happening;
      const name = scenario.posts[happening.post]?.name;
      if (name !== undefined)
        command(stage, (living) =>
          what === "resolve" || what === "edit" || what === "delete"
            ? person[what](living, name)
            : person.change(living, name, what),
        );
      return;
    }
    case "connect":
      command(stage, (living) => person.connect(living, happening.account));
      return;
    case "disconnect":
      command(stage, (living) => person.disconnect(living, happening.account));
      return;
    case "expire":
      outside.servers.expire(happening.account);
      return;
    case "revoke":
      outside.servers.revoke(happening.account);
      return;
    case "stop":
    case "sleep": {
      const process = stage.workers[happening.worker]?.process;
      if (!process) return;
      process.stoppedUntil = Math.max(process.stoppedUntil, until(happening.forMs));
      if (happening.what === "sleep") process.asleepMs += happening.forMs;
      return;
    }
    case "step": {
      const machine = machines[happening.machine];
      if (machine) machine.aheadMs += happening.byMs;
      watch.version += 1;
      if (happening.machine === 0) watch.clockStepped = true;
      return;
    }
    case "database away":
      away.database = until(happening.forMs);
      return;
    case "platforms away":
      away.platforms = until(happening.forMs);
      return;
    case "queue away":
      away.queue = until(happening.forMs);
      return;
    case "power cut":
      for (const [index, worker] of stage.workers.entries()) {
        if (!worker?.process.alive) continue;
        kernel.kill(worker.process, "loses power");
        kernel.after(5_000, undefined, () => startWorker(stage, index));
      }
      return;
  }
}

/**
 * Everything works from here on, and a person mends what only a person can. Returns what the platforms hold in the end.
 */
async function calm(stage: Stage): Promise<Servers> {
  const { ground, machines, ending } = stage;
  const { kernel, watch } = ground;
  kernel.note("world", "all is calm");
  ground.calm = true;
  ending.over = true;
  Object.assign(ground.away, { database: 0, platforms: 0, queue: 0 });
  // Machine 0 is the database's: being put right is a step, too.
  if (machines[0]?.aheadMs !== 0) watch.clockStepped = true;
  for (const machine of machines) machine.aheadMs = 0;
  watch.version += 1;
  for (const worker of stage.workers) if (worker?.process.alive) worker.stop.abort();
  await kernel.runUntil(kernel.now() + 150_000);
  await look(ground, "calm");
  const servers = serversOf.get(ground);
  if (!servers) throw new Error("no servers");
  await bringToEnd(stage);
  for (const broken of await judge(ground, servers)) watch.broken.push(broken);
  // Now a person says what became of what psn could not find out; then that goes on too.
  if ([...watch.latest.values()].some(({ state }) => state === "unconfirmed")) {
    for (const { name } of ground.scenario.posts) await ask(stage, (living) => stage.person.resolve(living, name));
    await bringToEnd(stage);
  }
  return servers;
}

async function ask(stage: Stage, work: (living: Living) => Promise<void>): Promise<void> {
  command(stage, work);
  await stage.ground.kernel.runUntil(stage.ground.kernel.now() + 1_000);
}

/** What somebody must still do something about, and can. */
const OPEN = ["scheduled", "claimed", "sending", "pending"];

async function bringToEnd(stage: Stage): Promise<void> {
  const { ground } = stage;
  const { kernel, watch, scenario } = ground;
  const began = kernel.now();
  for (let round = 0; round < 400 && kernel.now() < began + CALM_MS; round += 1) {
    const all = [...watch.latest.values()];
    for (const [index, id] of ground.accountIds.entries())
      if (
        all.some(
          ({ account, health, state }) =>
            account === id && health !== "ok" && (state === "held" || OPEN.includes(state)),
        )
      )
        await ask(stage, (living) => stage.person.connect(living, index));
    const held = [...watch.latest.values()].find(({ state, health }) => state === "held" && health === "ok");
    if (held)
      for (const { name } of scenario.posts) await ask(stage, (living) => stage.person.change(living, name, "retry"));
    const next = nextInstant(ground);
    if (next === undefined) {
      // What the person has just let go on may wait for its account, which is connected in the next round.
      if ([...watch.latest.values()].some(({ health, state }) => health !== "ok" && OPEN.includes(state))) continue;
      return;
    }
    if (scenario.runs === "tasks") {
      // The watchdog's next look after that.
      const at = Math.max(kernel.now() + 1, next);
      await kernel.runUntil(Math.ceil(at / WATCHDOG_MS) * WATCHDOG_MS);
      watchdog(stage);
      await kernel.runUntil(kernel.now() + 60_000);
    } else {
      await kernel.runUntil(Math.max(kernel.now(), next));
      stage.count += 1;
      const worker = runOn(ground, spawn(ground, stage.outside, `calm${stage.count}`, machineOf(stage, 1), "session"));
      await kernel.runUntil(kernel.now() + 5_000);
      for (
        let more = nextInstant(ground);
        more !== undefined && more < kernel.now() + STAYS_MS && kernel.now() < began + CALM_MS;
        more = nextInstant(ground)
      )
        await kernel.runUntil(Math.max(kernel.now() + 5_000, more + 2_000));
      worker.stop.abort();
      await kernel.runUntil(kernel.now() + 40_000);
    }
  }
}

/**
 * When somebody should look at something again, in true time; undefined when nothing is open that psn could do
 * something about.
 */
function nextInstant({ watch }: Ground): number | undefined {
  let next: number | undefined;
  for (const { state, health, wakeAt, leaseUntil, pausedUntil } of watch.latest.values()) {
    if (health !== "ok" || !OPEN.includes(state)) continue;
    const at =
      Math.max(state === "scheduled" || state === "pending" ? wakeAt : (leaseUntil ?? 0), pausedUntil ?? 0) - EPOCH;
    if (next === undefined || at < next) next = at;
  }
  return next;
}
