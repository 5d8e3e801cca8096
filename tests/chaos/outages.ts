import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { Postgres } from "../support/postgres.ts";
import { type Cut, startWire } from "./front.ts";
import type { Lane } from "./ground.ts";
import { finish, type Judged, NotBroken, platformsOf, type Run, schedule } from "./runs.ts";

/*
 * The database goes away under a worker that lives.
 */

const POINTS: readonly FaultPoint[] = [
  "claimed",
  "prepared, not written",
  "sending, not sent",
  "answered, not settled",
  "between units",
];

/** Of everything one, so that every write of the engine meets the outage. */
const mixed = (lane: Lane) =>
  lane.targets
    .filter(({ name }) => name !== "mastodon, no keys")
    .map(
      (target) =>
        ({
          target,
          content: target.threads ? (target.prepares && target.name !== "bluesky" ? "image" : "thread") : "text",
        }) as const,
    );

/** The server is killed while a worker stands at a point, and comes back while it tries to go on. */
export function postgresRuns(postgresOf: (lane: Lane) => Postgres, short: boolean): Run[] {
  return POINTS.filter((point) => !short || point === "answered, not settled").map((point) => ({
    breaks: `Postgres killed and started again: ${point}`,
    platform: "all",
    database: "pg",
    alone: true,
    go: async (lane, tag) => {
      const psn = await lane.psn();
      const deliveries = await schedule(psn, tag, mixed(lane));
      const working = psn.work({
        platforms: platformsOf(deliveries),
        untilQuiet: true,
        fault: { point, nth: 1, act: "wait" },
      });
      if ((await psn.reached()) === undefined) throw new NotBroken(`nobody passed "${point}"`);
      const postgres = postgresOf(lane);
      await postgres.kill();
      await psn.ask({ do: "go" });
      await Bun.sleep(350);
      await postgres.restart();
      await working;
      if (!psn.alive()) throw new NotBroken("the worker did not outlive the outage");
      return finish(lane, deliveries, psn);
    },
  }));
}

/** Another process holds the embedded database and is killed; the worker takes it over. */
export function holderRuns(short: boolean): Run[] {
  return POINTS.filter((point) => !short || point === "answered, not settled").map((point) => ({
    breaks: `the embedded database's holder killed: ${point}`,
    platform: "all",
    database: "embedded",
    go: async (lane, tag) => {
      await lane.quiet();
      const holder = await lane.another();
      const psn = await lane.psn();
      const deliveries = await schedule(psn, tag, mixed(lane));
      const working = psn.work({
        platforms: platformsOf(deliveries),
        untilQuiet: true,
        fault: { point, nth: 1, act: "wait" },
      });
      if ((await psn.reached()) === undefined) throw new NotBroken(`nobody passed "${point}"`);
      await holder.kill();
      await psn.ask({ do: "go" });
      await working;
      if (!psn.alive()) throw new NotBroken("the worker did not outlive the holder");
      return finish(lane, deliveries, psn);
    },
  }));
}

const CUTS: readonly (readonly [where: string, cut: Cut, long?: true])[] = [
  ["before the claim", { words: ["psn.claim_due"], side: "request", bytes: 0 }, true],
  ["in the claim", { words: ["psn.claim_due"], side: "request", bytes: 40 }, true],
  ["in the claim's answer", { words: ["psn.claim_due"], side: "answer", bytes: 10 }, true],
  ["before the claim's commit", { words: ["psn.claim_due", "COMMIT"], side: "request", bytes: 0 }, true],
  ["after the claim's commit", { words: ["psn.claim_due", "COMMIT"], side: "request", bytes: "all" }],
  ["before the settle", { words: ["psn.settle"], side: "request", bytes: 0 }, true],
  ["in the settle", { words: ["psn.settle"], side: "request", bytes: 40 }, true],
  ["before the settle's answer", { words: ["psn.settle"], side: "answer", bytes: 0 }, true],
  ["before the settle's commit", { words: ["psn.settle", "COMMIT"], side: "request", bytes: 0 }],
  ["after the settle's commit", { words: ["psn.settle", "COMMIT"], side: "request", bytes: "all" }],
  ["in the settle's commit's answer", { words: ["psn.settle", "COMMIT"], side: "answer", bytes: 3 }, true],
];

/**
 * The connection to Postgres is cut in a statement, between a statement and its commit, and between a commit and its
 * answer.
 */
export function databaseCutRuns(short: boolean): Run[] {
  return CUTS.filter(([, , long]) => !(short && long)).map(([where, cut]) => ({
    breaks: `connection to Postgres cut ${where}`,
    platform: "all",
    database: "pg",
    go: (lane, tag) => cutOff(lane, cut, tag),
  }));
}

async function cutOff(lane: Lane, cut: Cut, tag: string): Promise<readonly Judged[]> {
  const url = new URL(lane.url ?? "");
  const wire = await startWire(Number(url.port));
  url.port = String(wire.port);
  try {
    const healthy = await lane.psn();
    const deliveries = await schedule(healthy, tag, mixed(lane));
    const psn = await lane.another({ DATABASE_URL: url.href });
    wire.arm(cut);
    await psn.work({ platforms: platformsOf(deliveries), untilQuiet: true });
    if (wire.cuts() === 0) throw new NotBroken("nothing was cut");
    if (!psn.alive()) throw new NotBroken("the worker did not outlive it");
    await psn.end();
    await lane.passTime(
      healthy,
      deliveries.map(({ id }) => id),
    );
    return await finish(lane, deliveries, healthy);
  } finally {
    await wire.stop();
  }
}
