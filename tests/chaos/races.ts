import { spawn } from "node:child_process";
import { COMPILED_PSN } from "../support/cli-bundle.ts";
import type { DatabaseKind, Lane, Target } from "./ground.ts";
import type { Psn } from "./process.ts";
import type { Told } from "./protocol.ts";
import {
  finish,
  type Judged,
  NotBroken,
  PATIENCE_MS,
  platformsOf,
  type Run,
  type Scheduled,
  schedule,
  targetOf,
  withoutDoubt,
} from "./runs.ts";

/*
 * Two at once: a worker that was thought dead, ten workers, a user who changes their mind.
 */

/** A worker stands still so long that another takes over, and then goes on as if nothing had been. */
export function takeoverRuns(database: DatabaseKind, targets: readonly Target[]): Run[] {
  return targets.flatMap((like): Run[] => {
    const base = { platform: like.name, database };
    const of = (lane: Lane) => targetOf(lane, like.name);
    const runs: Run[] = [];
    if (like.threads && like.duplicates !== "ask-human")
      runs.push({
        ...base,
        breaks: "taken over between two units, and awake again",
        go: (lane, tag) => overtaken(lane, of(lane), tag),
      });
    if (like.prepares)
      runs.push({
        ...base,
        breaks: "taken over before sending, and awake again",
        go: (lane, tag) => asleep(lane, of(lane), "prepared, not written", tag),
      });
    // A server that ignores keys would have it twice: docs/guarantees.md says so.
    if (like.name !== "mastodon, no keys")
      runs.push({
        ...base,
        breaks: "taken over while sending, and awake again",
        go: (lane, tag) => asleep(lane, of(lane), "sending, not sent", tag),
      });
    return runs;
  });
}

const ids = (deliveries: readonly Scheduled[]) => deliveries.map(({ id }) => id);

async function overtaken(lane: Lane, target: Target, tag: string): Promise<readonly Judged[]> {
  const [slow, quick] = [await lane.psn(), await lane.another()];
  const deliveries = await schedule(slow, tag, [{ target, content: "thread" }]);
  const work = {
    platforms: platformsOf(deliveries),
    untilQuiet: true,
    fault: { point: "answered, not settled", nth: 1, act: "wait" },
  } as const;
  const first = slow.work(work);
  await stands(slow);
  await lane.passTime(quick, ids(deliveries));
  const second = quick.work(work);
  await stands(quick);
  // The slow one says what it knows of the first unit while the quick one is at the second.
  await slow.ask({ do: "go" });
  await Bun.sleep(150);
  await quick.ask({ do: "go" });
  await Promise.all([first, second]);
  await quick.end();
  return finish(lane, deliveries, slow);
}

async function asleep(
  lane: Lane,
  target: Target,
  point: "prepared, not written" | "sending, not sent",
  tag: string,
): Promise<readonly Judged[]> {
  const [slow, quick] = [await lane.psn(), await lane.another()];
  const deliveries = await schedule(slow, tag, [{ target, content: point === "sending, not sent" ? "text" : "image" }]);
  const work = { platforms: platformsOf(deliveries), untilQuiet: true } as const;
  const first = slow.work({ ...work, fault: { point, nth: 1, act: "wait" } });
  await stands(slow);
  for (let round = 0; round < 3; round += 1) {
    await lane.passTime(quick, ids(deliveries));
    await quick.work({ ...work, travelMs: round * PATIENCE_MS });
  }
  await slow.ask({ do: "go" });
  await first;
  await quick.end();
  return finish(lane, deliveries, slow, { late: true });
}

async function stands(psn: Psn): Promise<void> {
  if ((await psn.reached()) === undefined) throw new NotBroken("nobody came to the point");
}

/** Until a worker that was just started listens. */
const LISTEN_MS = 1_000;
const SETTLED_MOST_MS = 6_000;

/** Waits until all of them have ended, or as long as what a dead worker has left may be waited for. */
async function settledBy(psn: Psn, deliveryIds: readonly string[]): Promise<readonly Told[]> {
  for (const deadline = Date.now() + SETTLED_MOST_MS; ; await Bun.sleep(200)) {
    const told = await psn.report(deliveryIds);
    if (Date.now() > deadline || told.every(({ state }) => state === "published" || state === "unconfirmed"))
      return told;
  }
}

/** Many workers on one backlog; some of them die at any moment. */
export function crowdRun(database: DatabaseKind, workers: number, dying: number, random: () => number): Run {
  return {
    breaks:
      dying === 0 ? `${workers} workers at once` : `${workers} workers at once, ${dying} of them killed at any moment`,
    platform: "all",
    database,
    go: async (lane, tag) => {
      const targets = lane.targets.filter(({ name }) => name !== "mastodon, no keys");
      const wanted = targets.flatMap((target) =>
        Array.from(
          { length: 7 },
          (_, n) => ({ target, content: n === 0 ? "thread" : n === 1 ? "image" : "text" }) as const,
        ),
      );
      const own = await lane.psn();
      const crowd = await Promise.all(Array.from({ length: workers }, () => lane.another()));
      const work = { platforms: [...new Set(targets.map(({ platform }) => platform))], untilQuiet: false } as const;
      const ended = crowd.map((psn) => psn.work(work));
      // Until all of them listen: each post then wakes all of them at the same instant.
      await Bun.sleep(LISTEN_MS);
      const scheduling = schedule(own, tag, wanted);
      await Promise.all(crowd.slice(0, dying).map((psn) => Bun.sleep(random() * 800).then(psn.kill)));
      const deliveries = await scheduling;
      const told = await settledBy(own, ids(deliveries));
      const hands = new Set(
        told.flatMap(({ events }) => events.map((event) => /\(chaos-\d+\)/.exec(event)?.[0]).filter(Boolean)),
      );
      // Where the embedded database lives, one worker is nearer to it than all others.
      if (dying === 0 && database === "pg" && hands.size < 2)
        throw new NotBroken(`${hands.size} of ${workers} workers took anything`);
      await Promise.all(crowd.map((psn) => (psn.alive() ? psn.ask({ do: "stop" }) : undefined)));
      await Promise.all(ended);
      for (const psn of crowd) await psn.end();
      await lane.passTime(own, ids(deliveries));
      const judged = await finish(lane, deliveries, own);
      return dying > 0 ? judged : withoutDoubt(judged);
    },
  };
}

/** One worker on posts of all kinds; killed at any moment. */
export function anyMomentRun(database: DatabaseKind, random: () => number): Run {
  return {
    breaks: "killed at any moment",
    platform: "all",
    database,
    go: async (lane, tag) => {
      const psn = await lane.psn();
      const targets = lane.targets.filter(({ name }) => name !== (random() < 0.5 ? "mastodon" : "mastodon, no keys"));
      const kinds = ["text", "image", "thread"] as const;
      const wanted = targets.map((target) => ({ target, content: kinds[Math.floor(random() * 3)] ?? "text" }));
      const deliveries = await schedule(psn, tag, wanted);
      const work = psn.work({ platforms: platformsOf(deliveries), untilQuiet: true });
      await Bun.sleep(random() * 500);
      await psn.kill();
      await work;
      const healthy = await lane.psn();
      await lane.passTime(healthy, ids(deliveries));
      return finish(lane, deliveries, healthy);
    },
  };
}

/** A user cancels, or moves to another hour, what a worker is about to take: one of them wins, and both know it. */
export function changeRun(database: DatabaseKind, random: () => number): Run {
  return {
    breaks: "cancelled or moved while a worker claims",
    platform: "all",
    database,
    go: async (lane, tag) => {
      const [own, user] = [await lane.psn(), await lane.another()];
      const due = Date.now() + 2_000;
      const targets = lane.targets.filter(({ name }) => name !== "mastodon, no keys" && name !== "feed");
      const wanted = targets.flatMap((target) =>
        (["text", "image", "text", "text"] as const).map((content) => ({ target, content, dueAt: due })),
      );
      const deliveries = await schedule(own, tag, wanted);
      const working = own.work({ platforms: platformsOf(deliveries), untilQuiet: false });
      const answers = await Promise.all(
        deliveries.map(async ({ id }, n) => {
          await Bun.sleep(Math.max(0, due - Date.now() + random() * 250 - 230));
          return {
            id,
            wish: n % 2 === 0 ? "cancel" : "moveAway",
            answer: await user.change({ do: n % 2 === 0 ? "cancel" : "moveAway", id }),
          } as const;
        }),
      );
      await Bun.sleep(300);
      await own.ask({ do: "stop" });
      await working;
      // Who moved something away finds it unsent an hour before its time.
      const moved = answers
        .filter(({ wish, answer }) => wish === "moveAway" && Array.isArray(answer))
        .map(({ id }) => id);
      const now = await own.report(ids(deliveries));
      const early = await publicAlready(
        deliveries.filter(({ id }) => moved.includes(id)),
        now,
      );
      await user.end();
      const judged = await finish(lane, deliveries, own);
      return judged.map((one) => {
        const said = answers.find(({ id }) => id === one.told.id);
        const won = Array.isArray(said?.answer);
        if (!won && said && !Array.isArray(said.answer) && Reflect.get(said.answer, "code") !== "STATE_CONFLICT")
          return { ...one, verdict: "lost", why: `the user was told ${JSON.stringify(said.answer)}` };
        if (early.has(one.told.id)) return { ...one, verdict: "doubled", why: "moved away, and public already" };
        if (won && said?.wish === "cancel" && one.verdict !== "cancelled")
          return { ...one, verdict: "doubled", why: `cancelled, and ${one.verdict}` };
        if (!won && one.verdict === "cancelled")
          return { ...one, verdict: "lost", why: "cancelled, and its user was told it was not" };
        return one;
      });
    },
  };
}

async function publicAlready(
  deliveries: readonly Scheduled[],
  told: Awaited<ReturnType<Psn["report"]>>,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { id, target } of deliveries) {
    const texts = told.find((one) => one.id === id)?.units.map(({ text }) => text) ?? [];
    if ((await target.holds()).some(({ text }) => texts.includes(text))) found.add(id);
  }
  return found;
}

/** `psn cancel` itself, at the two sides of the point of no return. */
export function cancelRuns(database: DatabaseKind): Run[] {
  return (["prepared, not written", "sending, not sent"] as const).map((point) => ({
    breaks: `psn cancel while a worker stands at: ${point}`,
    platform: "blind",
    database,
    go: async (lane, tag) => {
      const target = targetOf(lane, "blind");
      const psn = await lane.psn();
      const deliveries = await schedule(psn, tag, [{ target, content: "image" }]);
      const working = psn.work({ platforms: ["blind"], untilQuiet: true, fault: { point, nth: 1, act: "wait" } });
      await stands(psn);
      const { code, text } = await command(lane.folder, ["cancel", deliveries[0]?.id ?? "", "--json"]);
      const taken = point === "prepared, not written";
      if (code !== (taken ? 0 : 1) || (!taken && !text.includes("STATE_CONFLICT")))
        throw new NotBroken(`psn cancel ended with ${code}: ${text}`);
      await psn.ask({ do: "go" });
      await working;
      const judged = await finish(lane, deliveries, psn);
      const wanted = taken ? "cancelled" : "once";
      return judged.map((one) =>
        one.verdict === wanted ? one : { ...one, verdict: "lost", why: `${one.verdict}: ${one.why}` },
      );
    },
  }));
}

function command(folder: string, argv: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(COMPILED_PSN, [...argv], {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "", HOME: folder },
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (some: string) => (text += some));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, text }));
  });
}
