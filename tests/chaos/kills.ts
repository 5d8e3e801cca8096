import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { DatabaseKind, Lane, Target } from "./ground.ts";
import type { Psn } from "./process.ts";
import type { Content } from "./protocol.ts";
import {
  finish,
  heal,
  type Judged,
  NotBroken,
  PATIENCE_MS,
  platformsOf,
  type Run,
  type Scheduled,
  schedule,
  spoilToken,
  type Token,
  targetOf,
} from "./runs.ts";

/*
 * SIGKILL at every fault point, and a healthy worker afterwards.
 */

interface Death {
  readonly point: FaultPoint;
  readonly nth?: number;
  /** Time that has passed for the worker that dies, in milliseconds. */
  readonly travelMs?: number;
}

interface Kill {
  readonly content: Content;
  /** One worker after another, each dying there. */
  readonly deaths: readonly Death[];
  readonly before?: Token | "it is public only later";
  /** It is published first, and dies while it takes the post back. */
  readonly removal?: true;
  readonly on: (target: Target) => boolean;
  /** Left out of the short form. */
  readonly long?: true;
}

const every = () => true;
const threads = ({ threads: some }: Target) => some;
const prepares = ({ prepares: some }: Target) => some;
const sendsAgain = ({ duplicates }: Target) => duplicates !== "lookup" && duplicates !== "ask-human";
const refreshes = ({ expire }: Target) => expire !== undefined;
/** A server that deletes for programs. */
const removes = ({ removes: some }: Target) => some !== false;
/** A folder is asked nothing. */
const asked = ({ origin }: Target) => origin !== undefined;
const looked = ({ duplicates }: Target) => duplicates !== "ask-human";

const text = (point: FaultPoint, more: Partial<Kill> = {}): Kill => ({
  content: "text",
  deaths: [{ point }],
  on: every,
  ...more,
});
const nth = (point: FaultPoint, times: readonly number[]): Kill[] =>
  times.map((n) => ({
    content: "thread",
    deaths: [{ point, nth: n }],
    on: threads,
    ...(n === 2 ? {} : { long: true }),
  }));
const image = (point: FaultPoint, more: Partial<Kill> = {}): Kill => ({
  content: "image",
  deaths: [{ point }],
  on: prepares,
  ...more,
});
const twice = (first: FaultPoint, second: FaultPoint, more: Partial<Kill> = {}): Kill => ({
  content: "text",
  deaths: [{ point: first }, { point: second, travelMs: PATIENCE_MS }],
  on: every,
  ...more,
});
const refreshing = (point: FaultPoint, more: Partial<Kill> = {}): Kill => ({
  content: "text",
  deaths: [{ point }],
  before: "its token has expired",
  on: refreshes,
  long: true,
  ...more,
});
const pending = (deaths: readonly Death[]): Kill => ({
  content: "text",
  deaths,
  before: "it is public only later",
  on: ({ name }) => name === "chosen",
  long: true,
});

const removing = (point: FaultPoint, more: Partial<Kill> = {}): Kill => ({
  content: "text",
  deaths: [{ point }],
  on: every,
  removal: true,
  ...more,
});

const KILLS: readonly Kill[] = [
  text("claimed", { long: true }),
  text("sending, not sent"),
  text("answered, not read", { on: asked }),
  text("answered, not settled"),
  ...nth("sending, not sent", [1, 2, 3, 4]),
  ...nth("answered, not read", [2, 5]),
  ...nth("answered, not settled", [1, 2, 3, 4]),
  ...nth("between units", [1, 2]),
  image("claimed", { long: true }),
  image("before preparing", { long: true }),
  image("prepared, not written"),
  image("sending, not sent", { long: true }),
  image("answered, not read", { long: true }),
  image("answered, not settled"),
  twice("answered, not settled", "before asking", { long: true }),
  twice("answered, not settled", "asked, not settled"),
  twice("sending, not sent", "before asking", { long: true }),
  twice("sending, not sent", "asked, not settled", { on: looked, long: true }),
  twice("sending, not sent", "sending, not sent", { on: sendsAgain, long: true }),
  twice("sending, not sent", "answered, not settled", { on: sendsAgain }),
  refreshing("before refreshing"),
  refreshing("refreshed, not stored"),
  refreshing("refreshed, stored"),
  pending([{ point: "answered, not settled" }]),
  pending([{ point: "claimed" }]),
  removing("claimed", { long: true }),
  removing("removing, not asked"),
  removing("answered, not read", { on: asked }),
  removing("removed, not settled", { on: removes }),
  removing("removing, not asked", {
    content: "thread",
    on: (target) => threads(target) && removes(target),
    deaths: [{ point: "removing, not asked", nth: 3 }],
  }),
  removing("removed, not settled", {
    content: "thread",
    on: (target) => threads(target) && removes(target),
    deaths: [{ point: "removed, not settled", nth: 3 }],
  }),
  removing("between units", {
    content: "thread",
    on: (target) => threads(target) && removes(target),
    deaths: [{ point: "between units", nth: 2 }],
  }),
  removing("removing, not asked", {
    deaths: [{ point: "removing, not asked" }, { point: "before asking", travelMs: PATIENCE_MS }],
    long: true,
  }),
  removing("removed, not settled", {
    deaths: [{ point: "removed, not settled" }, { point: "asked, not settled", travelMs: PATIENCE_MS }],
    on: removes,
  }),
  refreshing("before refreshing", { removal: true }),
  refreshing("refreshed, not stored", { removal: true }),
  refreshing("refreshed, stored", { removal: true }),
  // Else the claim itself writes `sending`.
  refreshing("prepared, not written", { removal: true, before: "its token is about to end" }),
];

/** Where a worker is killed that publishes, or that takes a post back. */
export const killedAt = (what: "publishing" | "removing"): ReadonlySet<FaultPoint> =>
  new Set(
    KILLS.filter(({ removal }) => (removal === true) === (what === "removing")).flatMap(({ deaths }) =>
      deaths.map(({ point }) => point),
    ),
  );

/**
 * All of them on these targets, which only tell by their traits what they can suffer. The embedded database has to be
 * started again for each, so there every point is met once.
 */
export function killRuns(database: DatabaseKind, targets: readonly Target[], short: boolean): Run[] {
  return targets.flatMap((like) =>
    KILLS.filter(({ on, long }) => on(like) && !(short && long))
      .filter((kill, index, all) => database === "pg" || all.findIndex((one) => nameOf(one) === nameOf(kill)) === index)
      .map(
        (kill): Run => ({
          breaks: nameOf(kill),
          platform: like.name,
          database,
          go: (lane, tag) => killed(lane, targetOf(lane, like.name), kill, tag),
        }),
      ),
  );
}

function nameOf({ deaths, before, removal }: Kill): string {
  const points = deaths.map(({ point }) => point).join(", then ");
  return `${removal ? "a removal " : ""}killed: ${points}${before === undefined ? "" : ` (${before})`}`;
}

async function killed(
  lane: Lane,
  target: Target,
  { content, deaths, before, removal }: Kill,
  tag: string,
): Promise<readonly Judged[]> {
  const first = await lane.psn();
  const spoil = async () => {
    if (before !== undefined && before !== "it is public only later") await spoilToken(lane, target, before);
  };
  if (!removal) await spoil();
  const later = before === "it is public only later";
  // The recorder numbers what is not public yet by what is, so that two at once would be one.
  const deliveries = await schedule(first, tag, Array(later ? 1 : 2).fill({ target, content }));
  if (later) target.pend?.();
  if (removal) {
    await heal(lane, deliveries, first);
    for (const { id } of deliveries) await first.ask({ do: "remove", id });
    await spoil();
  }
  let dying = first;
  for (const [index, death] of deaths.entries()) {
    if (index > 0) {
      dying = await lane.psn();
      await lane.passTime(
        dying,
        deliveries.map(({ id }) => id),
      );
    }
    await die(dying, deliveries, death);
  }
  const healthy = await lane.psn();
  await lane.passTime(
    healthy,
    deliveries.map(({ id }) => id),
  );
  const judged = await finish(lane, deliveries);
  return removal ? judged.map(judgeRemoval) : judged;
}

/**
 * What was asked to be taken back, and is still out, is no success; where a server deletes for no program, it is out
 * and psn says why. The history says it either way.
 */
export function judgeRemoval(one: Judged): Judged {
  const { target, verdict, told } = one;
  const lost = (why: string): Judged => ({ ...one, verdict: "lost", why });
  if (verdict !== "once" && verdict !== "cancelled") return one;
  const times = (event: string) => told.events.filter((line) => line.startsWith(event)).length;
  if (removes(target)) {
    if (told.state !== "removed") return lost(`it is still ${told.state}`);
    const said = [times("removal asked for"), times("unit removed"), times("removed")];
    const wanted = [1, told.units.length - 1, 1];
    return said.join() === wanted.join() ? one : lost(`its history says ${told.events.join(", ")}`);
  }
  if (told.state !== "published" || told.operation !== "publish" || told.code !== "PLATFORM_REJECTED")
    return lost(`it is ${told.state} ${told.code}, though its server deletes nothing`);
  return times("not removed") === 1 ? one : lost(`its history says ${told.events.join(", ")}`);
}

/** Works until it dies where it should. */
export async function die(
  psn: Psn,
  deliveries: readonly Scheduled[],
  { point, nth: n = 1, travelMs = 0 }: Death,
): Promise<void> {
  const how = await psn.work({
    platforms: platformsOf(deliveries),
    untilQuiet: true,
    travelMs,
    fault: { point, nth: n, act: "kill" },
  });
  if (how === "dead") return psn.gone;
  throw new NotBroken(`nobody passed "${point}" for the ${n}th time`);
}
