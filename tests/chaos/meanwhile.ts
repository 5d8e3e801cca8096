import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import { edited, judgeWords } from "./edits.ts";
import type { DatabaseKind, Lane, Target } from "./ground.ts";
import { judgeRemoval } from "./kills.ts";
import type { Psn, Refused } from "./process.ts";
import type { Content, Told } from "./protocol.ts";
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
  targetsOf,
  together,
} from "./runs.ts";

/*
 * `psn edit` and `psn delete` while a worker stands at a fault point. Where psn says that nothing has been sent, its
 * user's wish holds; else psn refuses it. Then the worker is killed, or goes on as if nothing had been.
 */

/** edit before: the post has been edited before the worker begins, and nothing more is done to it. */
const VERBS = ["edit", "remove", "edit before"] as const;
type Verb = (typeof VERBS)[number];
const NAMES = { edit: "edited while", remove: "deleted while", "edit before": "edited, and" } as const;
type End = "is killed" | "goes on";

interface Moment {
  readonly point: FaultPoint;
  readonly content: Content;
  readonly on: (target: Target) => boolean;
  /** Another worker died there before. */
  readonly after?: FaultPoint;
  readonly isExpired?: true;
  /** It is out, and being taken back. */
  readonly isRemoval?: true;
}

const every = () => true;
const prepares = ({ prepares: some }: Target) => some;
const moment = (content: Content, point: FaultPoint, more: Partial<Moment> = {}): Moment => ({
  point,
  content,
  on: content === "image" ? prepares : content === "thread" ? ({ threads }) => threads : every,
  ...more,
});

const MOMENTS: readonly Moment[] = [
  moment("text", "claimed", { on: (target) => !prepares(target) }),
  moment("image", "claimed"),
  moment("image", "before preparing"),
  moment("image", "prepared, not written"),
  moment("text", "sending, not sent"),
  moment("text", "answered, not read", { on: ({ origin }) => origin !== undefined }),
  moment("text", "answered, not settled"),
  moment("thread", "between units"),
  moment("text", "before asking", { after: "answered, not settled" }),
  moment("text", "asked, not settled", { after: "answered, not settled" }),
  ...(["before refreshing", "refreshed, not stored", "refreshed, stored"] as const).map((point) =>
    moment("image", point, { isExpired: true, on: ({ expire }) => expire !== undefined }),
  ),
  moment("text", "removing, not asked", { isRemoval: true }),
  moment("text", "removed, not settled", { isRemoval: true, on: ({ removes }) => removes !== false }),
];

/** Where a worker stands while a post is changed. */
export const STANDS_AT: ReadonlySet<FaultPoint> = new Set(MOMENTS.map(({ point }) => point));

/** Where a worker is killed that has a post which was edited before. */
export const EDITED_BEFORE: ReadonlySet<FaultPoint> = new Set(
  MOMENTS.filter(({ isRemoval }) => !isRemoval).map(({ point }) => point),
);

/** Every verb at every point, for posts on all of these targets at once. */
export function meanwhileRuns(database: DatabaseKind, targets: readonly Target[], ends: readonly End[]): Run[] {
  return MOMENTS.flatMap((when) => {
    const likes = together(targets).filter(when.on);
    const verbs = VERBS.filter((verb) => likes.length > 0 && !(verb === "edit before" && when.isRemoval));
    return verbs.flatMap((verb) =>
      (verb === "edit before" ? (["is killed"] as const) : ends).map(
        (end): Run => ({
          breaks: `${NAMES[verb]} a worker stands at: ${when.point} (${when.content}), which ${end}`,
          platform: "all",
          database,
          go: (lane, tag) => changed(lane, { targets: targetsOf(lane, likes), when, verb, end, tag }),
        }),
      ),
    );
  });
}

interface Change {
  readonly targets: readonly Target[];
  readonly when: Moment;
  readonly verb: Verb;
  readonly end: End;
  readonly tag: string;
}

async function changed(lane: Lane, { targets, when, verb, end, tag }: Change): Promise<readonly Judged[]> {
  const first = await lane.psn();
  const { content } = when;
  const deliveries = await schedule(
    first,
    tag,
    targets.map((target) => ({ target, content })),
  );
  const ids = deliveries.map(({ id }) => id);
  if (when.isRemoval) {
    await heal(lane, deliveries, first);
    for (const id of ids) await first.ask({ do: "remove", id });
  }
  const unedited = await first.report(ids);
  if (verb === "edit before")
    for (const one of unedited)
      if ("code" in (await change(first, "edit", one))) throw new NotBroken("it could not be edited");
  if (when.isExpired) for (const target of targets) await spoilToken(lane, target, "its token has expired");
  if (when.after) {
    const { working } = await standing(first, deliveries, { point: when.after, travelMs: 0 });
    await first.kill();
    await working;
    await lane.passTime(await lane.psn(), ids);
  }

  const [slow, user] = [await lane.psn(), await lane.another()];
  const { working } = await standing(slow, deliveries, {
    point: when.point,
    travelMs: when.after ? PATIENCE_MS : 0,
  });
  const taken = new Set<string>();
  const wrong = new Map<string, string>();
  for (const told of await user.report(ids)) {
    if (verb === "edit before") break;
    const answer = await change(user, verb, told);
    if (!("code" in answer)) taken.add(told.id);
    const why = wronglyAnswered(told, verb, answer);
    if (why !== undefined) wrong.set(told.id, why);
  }
  await user.end();
  if (end === "is killed") await slow.kill();
  else await slow.ask({ do: "go" });
  await working;

  await lane.passTime(await lane.psn(), ids);
  const finished = await finish(lane, deliveries);
  // A refresh token that works once may be lost with the worker, and no delivery is left that would tell of it.
  if (when.isExpired) for (const { reconnect } of targets) await reconnect?.(await lane.psn());
  const judged = finished.map((one): Judged => {
    const why = wrong.get(one.told.id);
    return why === undefined ? one : { ...one, verdict: "lost", why };
  });
  if (verb === "remove")
    return judged.map(when.isRemoval ? judgeRemoval : (one) => judgeDeletion(one, taken.has(one.told.id)));
  const words = await judgeWords(judged, unedited, (id) => verb === "edit before" || taken.has(id));
  return when.isRemoval ? words.map(judgeRemoval) : words;
}

/** Until all of them stand there. */
const STANDS_MOST_MS = 240_000;

/** At work on all of them, and at this point with each. */
async function standing(
  psn: Psn,
  deliveries: readonly Scheduled[],
  { point, travelMs }: { readonly point: FaultPoint; readonly travelMs: number },
): Promise<{ readonly working: Promise<unknown> }> {
  const fault = { point, nth: "every", act: "wait" } as const;
  const working = psn.work({ platforms: platformsOf(deliveries), untilQuiet: true, travelMs, fault });
  const over = Promise.race([working, Bun.sleep(STANDS_MOST_MS)]).then(() => undefined);
  for (const [come] of deliveries.entries()) {
    if ((await Promise.race([psn.reached(), over])) !== undefined) continue;
    const told = await psn.report(deliveries.map(({ id }) => id));
    const states = told.map(({ state, code }, n) => `${deliveries[n]?.target.name} ${state} ${code ?? ""}`);
    throw new NotBroken(`${come} came to "${point}": ${states.join(", ")}`);
  }
  return { working };
}

const change = (by: Psn, verb: "edit" | "remove", { id, units }: Told) =>
  by.change(verb === "remove" ? { do: verb, id } : { do: verb, id, texts: units.map(({ text }) => edited(text)) });

/** What is not sent can be changed, by what psn itself said right before; what is being removed is going already. */
function wronglyAnswered(
  { state, operation, units }: Told,
  verb: Verb,
  answer: readonly string[] | Refused,
): string | undefined {
  const isIdle = state === "claimed" || state === "scheduled";
  // What waits for the next part of a thread can be taken back, and not edited any more.
  const isUnsent = isIdle && units.every((unit) => unit.state === "waiting" || unit.state === "pending");
  const wanted = operation === "remove" ? verb === "remove" : verb === "remove" ? isIdle : isUnsent;
  const said = `${verb} of what is ${state} (${units.map((unit) => unit.state).join(", ")})`;
  if (!("code" in answer)) return wanted ? undefined : `${said} was taken`;
  if (wanted) return `${said} was refused: ${answer.code} ${answer.message}`;
  return answer.code === "STATE_CONFLICT" ? undefined : `${said} was refused as ${answer.code}`;
}

/** Taken: nothing of it goes out any more. Refused: it goes out, and its history knows of no deletion. */
function judgeDeletion(one: Judged, isTaken: boolean): Judged {
  const lost = (why: string): Judged => ({ ...one, verdict: "lost", why });
  const isSaid = one.told.events.some((event) => /^(cancelled|removal asked for)/.test(event));
  if (isTaken !== isSaid) return lost(`its history says ${one.told.events.join(", ")}`);
  if (one.verdict === "lost" || one.verdict === "doubled") return one;
  if (isTaken === (one.verdict === "cancelled")) return one;
  return lost(isTaken ? `deleted, and ${one.verdict}` : "gone, and its user was told that it stays");
}
