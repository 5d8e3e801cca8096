import type { Front, Verdict } from "./front.ts";
import type { DatabaseKind, Lane, Target } from "./ground.ts";
import { fronted, LIMIT_MS } from "./misdeeds.ts";
import type { Psn } from "./process.ts";
import {
  finish,
  heal,
  type Judged,
  NotBroken,
  PATIENCE_MS,
  platformsOf,
  type Run,
  schedule,
  targetOf,
  withoutDoubt,
} from "./runs.ts";

/*
 * A bad day: clocks step while a request is under way, a process stands still past its lease, files are slower than the
 * lease, repeats are refused, answers cannot be written down.
 */

const SECOND = 1_000;
const STEPS: readonly (readonly [name: string, byMs: number, only?: "long" | "pg"])[] = [
  ["400 s forward", 400 * SECOND],
  ["400 s back", -400 * SECOND, "long"],
  // A little less than what makes a post too late; the embedded database would have to be waited for so long when it
  // steps back.
  ["23 hours forward", 23 * 3_600 * SECOND, "pg"],
];
const refusing = (status: number, words = "no"): Verdict => ({ status, body: JSON.stringify({ error: words }) });
/** Of the first request the server has heard nothing, or everything. */
const REPEATS = [
  ["reset-before", 404],
  ["reset-before", 422],
  ["reset-after", 409],
  ["reset-after", 404],
  ["reset-after", 400],
] as const;
/** Half an emoji where a message is cut, half a pair of the server's own, a NUL. */
const UNWRITABLE: readonly Verdict[] = [
  refusing(422, `${"x".repeat(198)}\u{1f600}\u{1f600}`),
  { status: 422, body: '{"error":"half \\ud83d"}' },
  { status: 422, body: '{"error":"a \\u0000 NUL"}' },
];

export function badDayRuns(database: DatabaseKind, targets: readonly Target[], short: boolean): Run[] {
  const asked = targets.filter(({ origin }) => origin !== undefined);
  // A receiver refuses what is signed by a clock more than five minutes off, and the embedded database steps with its
  // process.
  const steppable = asked.filter(({ name }) => database === "pg" || name !== "webhook");
  const each = (
    some: readonly Target[],
    breaks: string,
    go: (lane: Lane, target: Target, tag: string) => Promise<readonly Judged[]>,
  ): Run[] =>
    some.map((like) => ({
      breaks,
      platform: like.name,
      database,
      go: (lane, tag) => go(lane, targetOf(lane, like.name), tag),
    }));
  return [
    ...STEPS.filter(([, , only]) => only === undefined || (!short && (only === "long" || database === "pg"))).flatMap(
      ([name, byMs]) =>
        each(steppable, `the clock steps ${name} while the platform answers`, (lane, target, tag) =>
          stepped(lane, target, byMs, tag),
        ),
    ),
    // Only a process that holds no database can stand still alone.
    ...(database === "pg" ? each(asked, "SIGSTOP past the lease, before the request", stopped) : []),
    ...each(
      targets.filter(({ pictures }) => pictures !== false),
      "files slower than the lease, two workers",
      slowFiles,
    ),
    ...(database === "pg"
      ? REPEATS.flatMap(([first, status], index) =>
          short && index % 2 === 0
            ? []
            : each(asked, `${first.replace("-", ", ")}; the repeat is refused with ${status}`, (lane, target, tag) =>
                refused(lane, target, first, status, tag),
              ),
        )
      : []),
    ...each(asked, "a refusal that cannot be written down", unwritable),
  ];
}

/** The worker is woken while its request is under way, and its clock has jumped. */
async function stepped(lane: Lane, target: Target, byMs: number, tag: string): Promise<readonly Judged[]> {
  return fronted(target, async (front, via) => {
    await lane.quiet();
    const psn = await lane.psn();
    const other = await lane.another();
    front.holdMs = 1_200;
    const view = { via, requestMs: 5 * SECOND, platforms: [target.platform], untilQuiet: false };
    const working = [psn.work(view), other.work(view)];
    // Both have read the database's clock before it steps.
    await Bun.sleep(700);
    const deliveries = await schedule(psn, tag, [{ target, content: "text" }]);
    await hit(front, 1);
    for (const one of [psn, other]) await one.ask({ do: "step", byMs });
    // Both look for work.
    deliveries.push(...(await schedule(other, `${tag}.more`, [{ target, content: "text" }])));
    await Bun.sleep(2 * front.holdMs);
    for (const one of [psn, other]) await one.ask({ do: "stop" });
    await Promise.all(working);
    front.holdMs = 0;
    for (const one of [psn, other]) await one.ask({ do: "step", byMs: 0 });
    await other.end();
    await lane.passTime(
      psn,
      deliveries.map(({ id }) => id),
    );
    // Where the database's own clock was wrong, so is the instant of the attempt: what a person is asked then is
    // honest.
    return finish(lane, deliveries, psn, { via, doubtful: lane.database === "embedded" });
  });
}

async function hit(front: Front, times: number): Promise<void> {
  for (const deadline = Date.now() + 20 * SECOND; front.hits < times; await Bun.sleep(10))
    if (Date.now() > deadline) throw new NotBroken("no request came");
}

const LEASE_MS = 1_000;

/** A real SIGSTOP: when the process goes on, another has sent its post. */
async function stopped(lane: Lane, target: Target, tag: string): Promise<readonly Judged[]> {
  const [slow, quick] = [await lane.another(), await lane.psn()];
  const deliveries = await schedule(quick, tag, [{ target, content: "text" }]);
  const work = { platforms: platformsOf(deliveries), untilQuiet: true, leaseMs: LEASE_MS } as const;
  const first = slow.work({ ...work, fault: { point: "sending, not sent", nth: 1, act: "wait" } });
  if ((await slow.reached()) === undefined) throw new NotBroken("nobody came to the point");
  process.kill(slow.pid, "SIGSTOP");
  try {
    await Bun.sleep(1.5 * LEASE_MS);
    await heal(lane, deliveries, quick);
  } finally {
    process.kill(slow.pid, "SIGCONT");
  }
  await slow.ask({ do: "go" });
  await first;
  await slow.end();
  return finish(lane, deliveries, quick);
}

async function slowFiles(lane: Lane, target: Target, tag: string): Promise<readonly Judged[]> {
  const workers: Psn[] = [await lane.psn(), await lane.another()];
  const [first] = workers;
  if (!first) throw new Error("nobody works");
  const deliveries = await schedule(first, tag, [{ target, content: "image" }]);
  const view = { platforms: platformsOf(deliveries), untilQuiet: true, leaseMs: LEASE_MS, filesMs: 2.5 * LEASE_MS };
  await Promise.all(workers.map((psn) => psn.work(view)));
  await workers[1]?.end();
  const judged = withoutDoubt(await finish(lane, deliveries, first));
  // Nothing may have left before the files were there.
  return judged.map((one) => {
    const sends = one.told.events.filter((event) => event.startsWith("sending")).length;
    return sends === 1 ? one : { ...one, verdict: "doubled", why: `${sends} times sending` };
  });
}

/** A lost answer, and then nothing but a platform that refuses. */
async function refused(
  lane: Lane,
  target: Target,
  first: "reset-before" | "reset-after",
  status: number,
  tag: string,
): Promise<readonly Judged[]> {
  return fronted(target, async (front, via) => {
    const psn = await lane.psn();
    const deliveries = await schedule(psn, tag, [{ target, content: "text" }]);
    const ids = deliveries.map(({ id }) => id);
    const [id = ""] = ids;
    front.misdeeds.push(first, ...Array<Verdict>(8).fill(refusing(status)));
    for (let round = 0; round < 3; round += 1) {
      if (round > 0) await lane.passTime(psn, ids);
      await psn.work({
        via,
        requestMs: LIMIT_MS,
        platforms: platformsOf(deliveries),
        untilQuiet: true,
        travelMs: round * PATIENCE_MS,
      });
    }
    if (front.hits === 0) throw new NotBroken("no request came");
    const [told] = await psn.report([id]);
    if (!told) throw new Error("psn does not know the delivery");
    const held = (await target.holds()).filter(({ text }) => told.units.some((unit) => unit.text === text));
    if (told.state === "failed")
      return [
        held.length > 0
          ? { target, told, verdict: "lost", why: "called failed, and it is public" }
          : { target, told, verdict: "refused", why: "" },
      ];
    front.misdeeds.length = 0;
    return finish(lane, deliveries, psn, { via, doubtful: true });
  });
}

async function unwritable(lane: Lane, target: Target, tag: string): Promise<readonly Judged[]> {
  return fronted(target, async (front, via) => {
    const psn = await lane.psn();
    const judged: Judged[] = [];
    for (const [index, verdict] of UNWRITABLE.entries()) {
      const deliveries = await schedule(psn, `${tag}.${index}`, [{ target, content: "text" }]);
      const before = front.hits;
      front.misdeeds.push(verdict, verdict, verdict);
      for (let round = 0; round < 3; round += 1) {
        await lane.passTime(
          psn,
          deliveries.map(({ id }) => id),
        );
        await psn.work({
          via,
          requestMs: LIMIT_MS,
          platforms: platformsOf(deliveries),
          untilQuiet: true,
          travelMs: round * PATIENCE_MS,
        });
      }
      front.misdeeds.length = 0;
      const [told] = await psn.report(deliveries.map(({ id }) => id));
      if (!told) throw new Error("psn does not know the delivery");
      const sends = front.hits - before;
      const fine = told.state === "failed" && sends === 1;
      judged.push({
        target,
        told,
        verdict: fine ? "refused" : "doubled",
        why: fine ? "" : `${told.state}, and sent ${sends} times`,
      });
    }
    return judged;
  });
}
