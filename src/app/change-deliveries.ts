import { type Hint, PsnError } from "@psn/core/errors.ts";
import type { DeliveryDetail, DeliverySummary } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import { defined } from "@psn/core/types/defined.ts";
import { type DeliveryState, RETRYABLE, TO_COME } from "@psn/core/types/index.ts";
import type { Ref } from "@psn/core/types/platform.ts";
import { advice, isUnsure } from "./advice.ts";
import { findDeliveries, shortId } from "./find-deliveries.ts";
import { askAccount } from "./session.ts";
import { NOBODY_WOKEN, type Woken, wakeUp } from "./wake-up.ts";

export type Change =
  | { readonly to: "cancel" }
  | { readonly to: "retry" }
  | {
      readonly to: "move";
      readonly at: Date;
      /** What a clock in that zone shows then, for history. */
      readonly wallTime: string;
      readonly timeZone: string;
      /** The wall time that was meant; null where an instant was. */
      readonly meant?: string | null;
    };

/** From which states each change is possible; the stores hold the same line, this says so before anything is asked. */
const FROM: Readonly<Record<Change["to"], readonly DeliveryState[]>> = {
  cancel: TO_COME,
  move: TO_COME,
  retry: RETRYABLE,
};

/** What became of them, and who will publish what is scheduled now. */
export interface Changed {
  readonly deliveries: readonly DeliverySummary[];
  /** What the id means too, and was left as it is. */
  readonly left: readonly DeliverySummary[];
  readonly woken: Woken;
}

/**
 * Cancels, moves or retries all deliveries an id means, as far as their states allow. Throws STATE_CONFLICT when none
 * does, also when a worker was faster, and what `noReturn` throws, which is called right before the rows are changed.
 */
export async function changeDeliveries(
  world: World,
  {
    userId,
    id,
    change,
    dryRun,
    noReturn = () => undefined,
  }: {
    readonly userId: string;
    readonly id: string;
    readonly change: Change;
    readonly dryRun: boolean;
    readonly noReturn?: (() => void) | undefined;
  },
): Promise<Changed> {
  const { posts } = world.stores;
  const before = await findDeliveries(world, userId, id);
  const able = before.filter((delivery) => isPossible(change, delivery));
  if (able.length === 0) throw conflict(before, change);
  if (dryRun) return { deliveries: able, left: without(before, able), woken: NOBODY_WOKEN };
  const wanted = able.map((delivery) => delivery.id);
  noReturn();
  const changed = await apply(world, { userId, ids: wanted, change });
  const after = await posts.detail(
    userId,
    before.map((delivery) => delivery.id),
  );
  if (changed.length === 0) throw conflict(after, change);
  const done = after.filter((delivery) => changed.includes(delivery.id));
  return telling(world, { userId, deliveries: done, left: without(after, done) });
}

const without = (all: readonly DeliverySummary[], some: readonly DeliverySummary[]) =>
  all.filter(({ id }) => !some.some((one) => one.id === id));

function isPossible({ to }: Change, { state, operation, unitList }: DeliveryDetail): boolean {
  if (operation === "remove" && to === "move") return false;
  if (FROM[to].includes(state)) return true;
  // While the platform works on an upload nothing was sent.
  return (
    to !== "retry" && state === "pending" && unitList.every((unit) => unit.state !== "pending" || unit.sentAt === null)
  );
}

async function telling(
  world: World,
  {
    userId,
    deliveries,
    left,
  }: {
    readonly userId: string;
    readonly deliveries: readonly DeliverySummary[];
    readonly left: readonly DeliverySummary[];
  },
): Promise<Changed> {
  return { deliveries, left, woken: await wakeUp(world, userId, deliveries) };
}

function apply(
  { stores: { posts } }: World,
  { userId, ids, change }: { readonly userId: string; readonly ids: readonly string[]; readonly change: Change },
): Promise<readonly string[]> {
  switch (change.to) {
    case "cancel":
      return posts.cancel(userId, ids);
    case "retry":
      return posts.retry(userId, ids);
    case "move":
      return posts.move(userId, {
        ids,
        dueAt: change.at,
        wallTime: change.wallTime,
        timeZone: change.timeZone,
        meant: change.meant,
      });
  }
}

function conflict(deliveries: readonly DeliverySummary[], { to }: Change): PsnError {
  const said = deliveries.map((delivery) => `${delivery.platform}:${delivery.handle} is ${delivery.state}`).join(", ");
  const [first] = deliveries;
  const unconfirmed = deliveries.find(isUnsure);
  const waiting = to === "retry" ? deliveries.find(({ state }) => state === "scheduled") : undefined;
  const hint: Hint = unconfirmed
    ? { run: "resolve", args: { id: shortId(unconfirmed.id) } }
    : waiting
      ? { run: "move", args: { id: shortId(waiting.id) } }
      : { run: "show", ...defined({ args: first ? { id: shortId(first.id) } : undefined }) };
  return new PsnError("STATE_CONFLICT", `nothing to ${to}: ${said}`, { hint });
}

/**
 * Records what a person found out about a delivery whose answer is missing; `live` is the post's address. Throws
 * STATE_CONFLICT for any other, and INPUT_INVALID for an address that does not lead to the post which the rest of a
 * thread must answer. `noReturn` is called right before the rows are changed, and may throw.
 */
export async function resolveDelivery(
  world: World,
  {
    userId,
    id,
    live,
    dryRun = false,
    signal = new AbortController().signal,
    noReturn = () => undefined,
  }: {
    readonly userId: string;
    readonly id: string;
    readonly live: string | undefined;
    readonly dryRun?: boolean;
    readonly signal?: AbortSignal;
    readonly noReturn?: () => void;
  },
): Promise<Changed> {
  const { posts } = world.stores;
  const all = await findDeliveries(world, userId, id);
  const open = all.filter(isUnsure);
  const [delivery, ...others] = open;
  if (!delivery) throw nothingToResolve(all, id);
  if (others.length > 0)
    throw new PsnError(
      "AMBIGUOUS",
      `${open.length} deliveries of this post are unconfirmed; name one: ` +
        `${open.map((one) => shortId(one.id)).join(", ")}`,
    );
  const verdict =
    live === undefined ? "not-live" : { live: await refAt(world, { userId, delivery, url: live, signal }) };
  const left = without(all, [delivery]);
  if (dryRun) return { deliveries: [delivery], left, woken: NOBODY_WOKEN };
  noReturn();
  if (!(await posts.resolve(userId, delivery.id, verdict)))
    throw new PsnError("CHANGED_MEANWHILE", "it was resolved in the meantime, or a worker is processing it", {
      hint: { run: "show", args: { id } },
    });
  return telling(world, { userId, deliveries: await posts.detail(userId, [delivery.id]), left });
}

function nothingToResolve(deliveries: readonly DeliverySummary[], id: string): PsnError {
  const busy = deliveries.find(({ atWork }) => atWork);
  const said = deliveries.map(({ platform, handle, state }) => `${platform}:${handle} is ${state}`).join(", ");
  const why = busy ? `a worker is still processing ${busy.platform}:${busy.handle}` : said;
  const [helps] = deliveries.flatMap(advice);
  return new PsnError("STATE_CONFLICT", `nothing to resolve: ${why}`, {
    hint: helps ?? { run: "show", args: { id } },
  });
}

/**
 * What the platform calls the post at this address: needed where units to come answer it, good to know where none do.
 */
async function refAt(
  world: World,
  {
    userId,
    delivery,
    url,
    signal,
  }: { readonly userId: string; readonly delivery: DeliveryDetail; readonly url: string; readonly signal: AbortSignal },
): Promise<Ref> {
  const { accountId, platform, handle, operation, unitList } = delivery;
  // What was to be removed has its ref already.
  if (operation === "remove") return { id: url, url };
  const goesOn = unitList.filter(({ state }) => state !== "published").length > 1;
  const asked = askAccount(world, {
    userId,
    accountId,
    signal,
    read: async (adapter, session) => adapter.locate?.(url, session),
  });
  const ref = await asked.catch((error: unknown) => {
    if (goesOn || !(error instanceof PsnError)) throw error;
  });
  if (ref) return ref;
  if (!goesOn) return { id: url, url };
  throw new PsnError(
    "INPUT_INVALID",
    `${platform}:${handle} has no post at this address, and the next part of the thread must reply to it`,
    {
      hint: "copy the address from the post's own page",
    },
  );
}
