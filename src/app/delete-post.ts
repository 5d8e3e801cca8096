import { PsnError } from "@psn/core/errors.ts";
import { pass } from "@psn/core/ports/fault-points.ts";
import type { DeliveryDetail, DeliverySummary } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import { TO_COME, UNDER_WAY } from "@psn/core/types/index.ts";
import { TERMINAL } from "@psn/domain/delivery.ts";
import { advice } from "./advice.ts";
import { findDeliveries, shortId } from "./find-deliveries.ts";
import { type Woken, wakeUp } from "./wake-up.ts";

/*
 * Takes a post back: what is out is removed from its platform by a worker, as it was published (ADR 25); what was not
 * sent is cancelled.
 */

/**
 * What a deletion does with a delivery. remove: it is out, all or a part. cancel: nothing of it was sent. going: psn is
 * removing it. gone: nothing of it is public. busy: it is being sent. unsure: psn could not confirm whether it is out.
 * by-hand: it is out, and psn has no credentials of the account any more.
 */
export const STEPS = ["remove", "cancel", "going", "gone", "busy", "unsure", "by-hand"] as const;
export type Step = (typeof STEPS)[number];

export interface Planned {
  readonly delivery: DeliverySummary;
  readonly step: Step;
  /** Where its units are that are out, or may be. */
  readonly addresses: readonly string[];
}

/** What `deletePost` would do with all deliveries an id means. Throws INPUT_INVALID, AMBIGUOUS, NOT_FOUND. */
export async function planDeletion(world: World, userId: string, id: string): Promise<readonly Planned[]> {
  return (await findDeliveries(world, userId, id)).map(planned);
}

const OUT: readonly string[] = ["published", "sending"];

function planned(detail: DeliveryDetail): Planned {
  const { unitList, events: _events, ...delivery } = detail;
  const out = unitList.filter(({ state, ref }) => ref !== null && OUT.includes(state));
  const addresses = out.flatMap(({ ref }) => (ref ? [ref.url] : []));
  return { delivery, step: stepOf(detail, out.length > 0), addresses };
}

function stepOf({ state, operation, health, unitList }: DeliveryDetail, isOut: boolean): Step {
  if (state === "removed") return "gone";
  if (operation === "remove" && state !== "unconfirmed") return "going";
  if (operation === "publish") {
    if (state === "unconfirmed") return "unsure";
    const isPreparing = unitList.every((unit) => unit.state !== "pending" || unit.sentAt === null);
    if (UNDER_WAY.includes(state) && !(state === "pending" && isPreparing)) return "busy";
  }
  if (isOut) return health === "disconnected" ? "by-hand" : "remove";
  return TERMINAL.has(state) ? "gone" : "cancel";
}

export interface Deleted {
  /** As they are after it. */
  readonly deliveries: readonly Planned[];
  readonly woken: Woken;
}

/**
 * Asks for the removal of what is out, and cancels what is to come, at once. What has gone out since it was planned is
 * removed. Twice is harmless. Throws STATE_CONFLICT where
 * nothing can be taken back now, and what `noReturn` throws, which is called right before the rows are changed.
 */
export async function deletePost(
  world: World,
  {
    userId,
    plan,
    noReturn = () => undefined,
  }: { readonly userId: string; readonly plan: readonly Planned[]; readonly noReturn?: (() => void) | undefined },
): Promise<Deleted> {
  assertPossible(plan);
  const { posts } = world.stores;
  const idsOf = (step: Step) => plan.flatMap((one) => (one.step === step ? [one.delivery.id] : []));
  const [out, toCome] = [idsOf("remove"), idsOf("cancel")];
  noReturn();
  await pass(world, "deletion planned, not written");
  if (out.length + toCome.length > 0) await posts.remove(userId, out, toCome);
  await pass(world, "deletion written, nobody told");
  const all = plan.map(({ delivery }) => delivery.id);
  const after = await posts.detail(userId, all);
  return { deliveries: after.map(planned), woken: await wakeUp(world, userId, after) };
}

/** Throws STATE_CONFLICT where something keeps every delivery from being taken back, and says what to do. */
export function assertPossible(plan: readonly Planned[]): void {
  const refused = plan.filter(({ step }) => step === "busy" || step === "unsure");
  const [first] = refused;
  if (!first || refused.length < plan.length) return;
  throw new PsnError("STATE_CONFLICT", `cannot delete now: ${refused.map(whyNot).join("; ")}`, {
    hint: { run: first.step === "unsure" ? "resolve" : "show", args: { id: shortId(first.delivery.id) } },
  });
}

/** Why psn leaves a delivery as it is: it is busy, unsure or by-hand. */
export function whyNot({ delivery, step, addresses }: Planned): string {
  const { platform, handle } = delivery;
  const name = `${platform}:${handle}`;
  if (step === "busy") return `${name} is being sent; delete it after it is published`;
  if (step === "unsure") return `${name}: psn could not confirm whether it was published`;
  return `${name} is disconnected; delete it there: ${addresses.join(" ")}`;
}

/**
 * What the user who stopped it must know: the deletion is stored, and what is not removed yet. Undefined where psn has
 * nothing left to remove.
 *
 * @param goesOn whether somebody removes it when this command has ended.
 */
export function stoppedDeletion(plan: readonly Planned[], goesOn: boolean): PsnError | undefined {
  const [first] = plan.filter(({ step }) => step === "going");
  if (!first) return undefined;
  const id = shortId(first.delivery.postId);
  return new PsnError(
    "INTERRUPTED",
    `stopped; the deletion of post ${id} is stored, and ` +
      `${goesOn ? "the worker goes on with it" : "goes on when psn worker runs"}: ${plan.map(saidOf).join(" | ")}`,
    {
      hint: `psn show ${id}`,
      details: { post: first.delivery.postId, deliveries: plan.map(fact) },
    },
  );
}

function saidOf({ delivery, addresses }: Planned): string {
  const { platform, handle, state, message } = delivery;
  return `${platform}:${handle}: ${message ?? state}${addresses.length > 0 ? ` (${addresses.join(" ")})` : ""}`;
}

/**
 * Throws where not everything is gone, with what is still out and its address: UNCONFIRMED, STILL_PENDING,
 * REMOVE_INCOMPLETE.
 */
export function assertDeleted(plan: readonly Planned[]): void {
  const left = plan.filter(({ step }) => step !== "gone");
  const [first] = left;
  if (!first) return;
  const details = { post: first.delivery.postId, deliveries: left.map(fact) };
  const of = (step: Step) => left.find((one) => one.step === step);
  const unsure = left.find(({ delivery: { state } }) => state === "unconfirmed");
  const what = left.map(saidOf).join(" | ");
  if (unsure)
    throw new PsnError("UNCONFIRMED", `could not confirm whether the post was removed: ${what}`, {
      hint: advice(unsure.delivery)[0] ?? `psn show ${shortId(unsure.delivery.id)}`,
      details,
    });
  const hint = `psn show ${shortId(first.delivery.postId)}`;
  const going = of("going");
  if (going && !TO_COME.includes(going.delivery.state))
    throw new PsnError("STILL_PENDING", `not confirmed yet whether the post was removed: ${what}`, { hint, details });
  if (going && going.delivery.state !== "held")
    throw new PsnError("STILL_PENDING", `the post is not removed yet: ${what}`, { hint, details });
  throw new PsnError("REMOVE_INCOMPLETE", `not everything was removed: ${what}`, {
    hint: going ? (advice(going.delivery)[0] ?? hint) : hint,
    details,
  });
}

function fact({ delivery: { id, platform, handle, state, code }, addresses }: Planned) {
  return { id, account: `${platform}:${handle}`, state, code, addresses: addresses.join(" ") };
}
