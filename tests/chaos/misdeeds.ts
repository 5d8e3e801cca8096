import { LEASE_MS } from "@psn/domain/delivery.ts";
import { REQUEST_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { type Cut, type Front, MISDEEDS, startFront, startWire } from "./front.ts";
import type { DatabaseKind, Lane, Target } from "./ground.ts";
import { finish, type Judged, NotBroken, platformsOf, type Run, schedule, targetOf, withoutDoubt } from "./runs.ts";

/*
 * Nobody dies: the platform misbehaves, or the way to it does.
 */

/** Long enough for a real server on a busy machine. */
export const LIMIT_MS = 1_500;

export async function fronted<T>(
  target: Target,
  work: (front: Front, via: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const origin = target.origin ?? "";
  const front = await startFront(origin, target.path);
  try {
    return await work(front, { [origin]: front.origin });
  } finally {
    await front.stop();
  }
}

export function misdeedRuns(database: DatabaseKind, targets: readonly Target[], short: boolean): Run[] {
  const chosen = short ? (["500-after", "reset-after"] as const) : MISDEEDS;
  return targets
    .filter(({ origin }) => origin !== undefined)
    .flatMap((like) =>
      chosen.map(
        (misdeed): Run => ({
          breaks: `the platform: ${misdeed.replace("-", ", ")}`,
          platform: like.name,
          database,
          go: (lane, tag) => misbehaving(lane, targetOf(lane, like.name), misdeed, tag),
        }),
      ),
    );
}

async function misbehaving(
  lane: Lane,
  target: Target,
  misdeed: (typeof MISDEEDS)[number],
  tag: string,
): Promise<readonly Judged[]> {
  return fronted(target, async (front, via) => {
    const psn = await lane.psn();
    const content = target.threads ? "thread" : "text";
    const deliveries = await schedule(psn, tag, [
      { target, content },
      { target, content: "text" },
    ]);
    front.misdeeds.push(misdeed);
    front.lateMs = LIMIT_MS + 500;
    const judged = await finish(lane, deliveries, psn, { via, requestMs: LIMIT_MS });
    if (front.misdeeds.length > 0) throw new NotBroken("no post passed the front");
    return judged;
  });
}

const CUTS: readonly (readonly [where: string, cut: Omit<Cut, "words">, long?: true])[] = [
  ["before the request", { side: "request", bytes: 0 }],
  ["in the request's head", { side: "request", bytes: 60 }, true],
  ["in the request's body", { side: "request", bytes: 480 }, true],
  ["after the request", { side: "request", bytes: "all" }, true],
  ["before the answer", { side: "answer", bytes: 0 }],
  ["in the answer", { side: "answer", bytes: 20 }, true],
  ["after the answer", { side: "answer", bytes: "all" }, true],
];

export function cutRuns(database: DatabaseKind, targets: readonly Target[], short: boolean): Run[] {
  return targets
    .filter(({ origin }) => origin !== undefined)
    .flatMap((like) =>
      CUTS.filter(([where, , long]) => !(short && long) && !(like.wordless && where === "in the request's body")).map(
        ([where, cut]): Run => ({
          breaks: `connection to the platform cut ${where}`,
          platform: like.name,
          database,
          go: (lane, tag) => cutOff(lane, targetOf(lane, like.name), cut, tag),
        }),
      ),
    );
}

async function cutOff(lane: Lane, target: Target, cut: Omit<Cut, "words">, tag: string): Promise<readonly Judged[]> {
  const origin = target.origin ?? "";
  const wire = await startWire(Number(new URL(origin).port));
  try {
    const psn = await lane.psn();
    // Longer than what passes of it, so that the cut is in the middle.
    const long = `${tag} ${"so long ".repeat(30)}`.slice(0, 290);
    const deliveries = await schedule(psn, long.trim(), [{ target, content: "text" }]);
    wire.arm({ words: [`POST ${target.path} `], ...cut });
    const view = { via: { [origin]: `http://127.0.0.1:${wire.port}` }, requestMs: LIMIT_MS };
    const judged = await finish(lane, deliveries, psn, view);
    if (wire.cuts() === 0) throw new NotBroken("nothing was cut");
    return judged;
  } finally {
    await wire.stop();
  }
}

/** How much faster than in life the slow platform's clockwork runs. */
const SCALE = 10;

/** A request may take its whole time limit, and nobody may think that its worker is dead. */
export function slowRuns(database: DatabaseKind, targets: readonly Target[]): Run[] {
  return targets
    .filter(({ origin }) => origin !== undefined)
    .map(
      (like): Run => ({
        breaks: "slow answers, two workers",
        platform: like.name,
        database,
        go: (lane, tag) => slow(lane, targetOf(lane, like.name), tag),
      }),
    );
}

async function slow(lane: Lane, target: Target, tag: string): Promise<readonly Judged[]> {
  return fronted(target, async (front, via) => {
    const workers = [await lane.psn(), await lane.another()];
    const [first] = workers;
    if (!first) throw new Error("nobody works");
    const deliveries = await schedule(first, tag, [
      { target, content: "text" },
      { target, content: "text" },
    ]);
    front.holdMs = (REQUEST_TIMEOUT_MS / SCALE) * 0.8;
    const view = { via, leaseMs: LEASE_MS / SCALE, requestMs: REQUEST_TIMEOUT_MS / SCALE };
    await Promise.all(
      workers.map((psn) => psn.work({ ...view, platforms: platformsOf(deliveries), untilQuiet: true })),
    );
    await workers[1]?.end();
    return withoutDoubt(await finish(lane, deliveries, first, { via }));
  });
}

/** psn stops waiting for an answer and is told that there is no such post; a moment later there is. */
export function lateRuns(database: DatabaseKind, targets: readonly Target[]): Run[] {
  return targets
    .filter(({ origin }) => origin !== undefined)
    .map(
      (like): Run => ({
        breaks: "the platform: later than psn waits",
        platform: like.name,
        database,
        go: (lane, tag) => late(lane, targetOf(lane, like.name), 0, tag),
      }),
    );
}

/** More than a webhook's receiver forgives (five minutes, by the Standard Webhooks libraries) nobody can help. */
const SKEW_MS = 290_000;

/** A worker's clock is off. */
export function skewRuns(database: DatabaseKind, targets: readonly Target[]): Run[] {
  return targets.flatMap((like) =>
    [SKEW_MS, -SKEW_MS].flatMap((skewMs): Run[] => {
      const sign = skewMs > 0 ? "ahead" : "behind";
      const base = { platform: like.name, database };
      return [
        {
          ...base,
          breaks: `clock 5 min ${sign}, and killed with the answer unsettled`,
          go: async (lane, tag) => {
            const target = targetOf(lane, like.name);
            const psn = await lane.psn();
            const deliveries = await schedule(psn, tag, [{ target, content: "thread" }]);
            const fault = { point: "answered, not settled", nth: 1, act: "kill" } as const;
            await psn.work({ platforms: platformsOf(deliveries), untilQuiet: true, skewMs: -skewMs, fault });
            const healthy = await lane.psn();
            await lane.passTime(
              healthy,
              deliveries.map(({ id }) => id),
            );
            return finish(lane, deliveries, healthy, { skewMs });
          },
        },
        ...(like.origin === undefined
          ? []
          : [
              {
                ...base,
                breaks: `clock 5 min ${sign}, and the platform is slow`,
                go: (lane: Lane, tag: string) => late(lane, targetOf(lane, like.name), skewMs, tag),
              },
            ]),
      ];
    }),
  );
}

async function late(lane: Lane, target: Target, skewMs: number, tag: string): Promise<readonly Judged[]> {
  return fronted(target, async (front, via) => {
    const psn = await lane.psn();
    const deliveries = await schedule(psn, tag, [{ target, content: "text" }]);
    const work = { platforms: platformsOf(deliveries), untilQuiet: true, via, skewMs, requestMs: 500 } as const;
    front.holdMs = 2_500;
    const began = Date.now();
    await psn.work(work);
    front.holdMs = 0;
    await lane.passTime(
      psn,
      deliveries.map(({ id }) => id),
    );
    await psn.work(work);
    await Bun.sleep(Math.max(0, began + 3_500 - Date.now()));
    return finish(lane, deliveries, psn, { via, skewMs });
  });
}
