import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { DatabaseKind, Lane, Target } from "./ground.ts";
import { judgeRemoval } from "./kills.ts";
import { at, dieAsked, finish, heal, type Judged, type Run, scheduleOne, targetsOf, together } from "./runs.ts";

/*
 * psn dies while it writes down that a post is to be deleted. What was written is done: what was out is removed, what
 * was to come is cancelled. What was not written never was: what was out stays, what was to come still is.
 */

const HOUR_MS = 3_600_000;

interface Died {
  readonly point: FaultPoint;
  /** The deletion was durable by then. */
  readonly isWritten: boolean;
}

export const DIED: readonly Died[] = [
  { point: "deletion planned, not written", isWritten: false },
  { point: "deletion written, nobody told", isWritten: true },
];

/** A deletion of a post at all of these targets, killed at each of its points. */
export function deletionRuns(database: DatabaseKind, targets: readonly Target[]): Run[] {
  return DIED.map(
    (died): Run => ({
      breaks: `a deletion killed: ${died.point}`,
      platform: "all",
      database,
      go: (lane, tag) => killed(lane, { ...died, targets: targetsOf(lane, together(targets)), tag }),
    }),
  );
}

interface Killed extends Died {
  readonly targets: readonly Target[];
  readonly tag: string;
}

async function killed(lane: Lane, { point, isWritten, targets, tag }: Killed): Promise<readonly Judged[]> {
  const first = await lane.psn();
  const out = await scheduleOne(first, tag, { targets });
  await heal(lane, out, first);
  const toCome = await scheduleOne(first, `${tag}.later`, { targets, dueAt: Date.now() + HOUR_MS });
  for (const [one] of [out, toCome])
    if (one) await dieAsked(await lane.psn(), { do: "remove", id: one.id, all: true, fault: at(point) });
  const waited: Judged[] = [];
  for (const { id, target } of toCome) waited.push(await judgeToCome(lane, target, { id, isWritten }));
  const judged = await finish(lane, out);
  return [...judged.map(isWritten ? judgeRemoval : stays), ...waited];
}

/** It was not asked for: it is out, and its history knows of no deletion. */
function stays(one: Judged): Judged {
  const isAsked = one.told.events.some((event) => event.startsWith("removal asked for"));
  const lost = (why: string): Judged => ({ ...one, verdict: "lost", why });
  if (isAsked) return lost(`its history says ${one.told.events.join(", ")}`);
  return one.verdict === "cancelled" ? lost("gone, and nobody had written that it is to go") : one;
}

/** Nothing of it is out; it still is to come, or its history says that it is cancelled. */
async function judgeToCome(
  lane: Lane,
  target: Target,
  { id, isWritten }: { readonly id: string; readonly isWritten: boolean },
): Promise<Judged> {
  const psn = await lane.psn();
  const [told] = await psn.report([id]);
  if (!told) throw new Error("psn does not know a delivery that it took");
  const isCancelled = told.events.some((event) => event.startsWith("cancelled"));
  const held = (await target.holds()).some(({ text }) => told.units.some((unit) => unit.text === text));
  // No other run shall meet it.
  await psn.change({ do: "cancel", id });
  const isRight = !held && isCancelled === isWritten && told.state === (isWritten ? "cancelled" : "scheduled");
  return isRight
    ? { target, told, verdict: "cancelled", why: "" }
    : { target, told, verdict: "lost", why: `it is ${told.state}${held ? ", and public" : ""}` };
}
