import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Claim, LoadedDelivery, StoredUnit } from "@psn/core/ports/deliveries.ts";
import type { NoteFiles, Recovered } from "@psn/core/ports/incarnation.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Parting } from "@psn/core/types/index.ts";
import type { Platform, Ref } from "@psn/core/types/platform.ts";
import { requestOf } from "./delivery-run.ts";
import { askAccount } from "./session.ts";
import { wakeUp } from "./wake-up.ts";

/** How many deliveries of a user the queue is told of; the watchdog finds the others. */
const MOST_WAITING = 500;

/*
 * After a hub's database was copied or restored: another life of it may have published what is open here. Each platform
 * is asked for what it holds; what it cannot tell, a person is asked.
 */

/** What becomes of one delivery. In a plan, `ask` means that its platform is asked first. */
export interface Step {
  readonly userId: string;
  readonly delivery: DeliverySummary;
  readonly becomes: Recovered["state"] | "pending" | "ask";
  readonly why: string;
  /** Where it was found. */
  readonly url: string | null;
}

export interface RecoverOptions {
  readonly world: World;
  readonly notes: NoteFiles;
  /** Every user of the hub. */
  readonly users: readonly string[];
  readonly signal: AbortSignal;
  /** Told of each delivery when it is settled. A person may say here what nobody else can. */
  readonly onStep?: (step: Step) => Promise<void>;
}

/** What `recoverHub` would do; asks no platform and changes nothing. */
export async function planRecovery({
  world,
  users,
}: Pick<RecoverOptions, "world" | "users">): Promise<readonly Step[]> {
  return each(world, users, async (userId, loaded, delivery) => {
    const platform = await world.platforms.load(loaded.account.platform);
    const { becomes, why } = certain(loaded) ?? (platform.lookup ? asking(platform) : nobodyTells(platform));
    return { userId, delivery, becomes, why, url: null };
  });
}

/**
 * Settles every open delivery, and then makes the database a new incarnation, last: a run that is stopped can be made
 * again. Throws CONFIG_…, DB_….
 */
export async function recoverHub(options: RecoverOptions): Promise<readonly Step[]> {
  const { world, notes, users, onStep } = options;
  const { incarnation } = world.stores;
  // Also what was scheduled since it was held.
  await incarnation.part((await parting(world)) ?? "unknown", world.newId());
  const steps = await each(world, users, async (userId, loaded, delivery) => {
    const step = await settle(options, { userId, loaded, delivery });
    await onStep?.(step);
    return step;
  });
  options.signal.throwIfAborted();
  await notes.alone(async () => {
    const { id } = await incarnation.look();
    const next = world.newId();
    notes.write(notes.read().id ?? null, next);
    notes.write(await incarnation.become(next, id));
  });
  return steps;
}

/** Why nothing is published from here; undefined where there is nothing to recover. */
export async function parting({ stores }: Pick<World, "stores">): Promise<Parting | undefined> {
  return (await stores.incarnation.look()).parted?.why;
}

/** When it was noticed; null where there is nothing to recover. */
export async function partedAt({ stores }: Pick<World, "stores">): Promise<Date | null> {
  return (await stores.incarnation.look()).parted?.at ?? null;
}

/** Tells the queue what of these users is to come again. */
export async function wakeRecovered(world: World, users: readonly string[]): Promise<void> {
  for (const userId of users) await wakeUp(world, userId, await world.stores.posts.list(userId, "open", MOST_WAITING));
}

async function each(
  world: World,
  users: readonly string[],
  work: (userId: string, loaded: LoadedDelivery, delivery: DeliverySummary) => Promise<Step>,
): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const userId of users) {
    for (const id of await world.stores.recovery.open(userId)) {
      const [delivery] = await world.stores.posts.detail(userId, [id]);
      const loaded = await world.stores.deliveries.load(userId, id);
      if (delivery && loaded) steps.push(await work(userId, loaded, delivery));
    }
  }
  return steps;
}

const TO_COME = { becomes: "scheduled", why: "it is scheduled for later" } as const;
/** Its user has asked for its removal, and asking twice is harmless. */
const GOES_ON = { becomes: "scheduled", why: "its removal continues" } as const;
const asking = ({ name }: Platform) => ({ becomes: "ask", why: `psn asks ${name} whether it is there` }) as const;
const nobodyTells = ({ name }: Platform) =>
  ({ becomes: "unconfirmed", why: `psn cannot ask ${name} whether it is there` }) as const;

/** What needs no question to a platform; undefined where one must be asked. */
function certain(loaded: LoadedDelivery): typeof GOES_ON | typeof TO_COME | undefined {
  if (loaded.operation === "remove") return GOES_ON;
  return isToCome(loaded) ? TO_COME : undefined;
}

/** Nothing of it is out, and its time has not come in any life. */
function isToCome({ dueAt, readAt, units }: LoadedDelivery): boolean {
  return dueAt > readAt && units.every(({ state, sentAt }) => state === "waiting" && sentAt === null);
}

async function settle(
  { world, signal }: RecoverOptions,
  {
    userId,
    loaded,
    delivery,
  }: { readonly userId: string; readonly loaded: LoadedDelivery; readonly delivery: DeliverySummary },
): Promise<Step> {
  const known = certain(loaded);
  const recovered = known
    ? { state: known.becomes, why: known.why, found: [] }
    : await find(world, { userId, loaded, signal });
  const url = recovered.found[0]?.ref.url ?? delivery.url;
  const step = { userId, delivery, becomes: recovered.state, why: recovered.why, url };
  if (recovered.state === "pending") return step;
  const { state, found, why } = recovered;
  if (!(await world.stores.recovery.settle(userId, loaded, { state, found, why })))
    throw new PsnError("CHANGED_MEANWHILE", "a delivery was changed in the meantime", { hint: "psn recover" });
  return step;
}

type Verdict = Omit<Recovered, "state"> & { readonly state: Recovered["state"] | "pending" };

/** Unit by unit, as far as the platform has them. */
async function find(
  world: World,
  {
    userId,
    loaded,
    signal,
  }: { readonly userId: string; readonly loaded: LoadedDelivery; readonly signal: AbortSignal },
): Promise<Verdict> {
  const found: { position: number; ref: Ref }[] = [];
  let now = loaded;
  const platform = await world.platforms.load(loaded.account.platform);
  const unsure = (why: string): Verdict => ({ state: "unconfirmed", found, why });
  if (!platform.lookup) return unsure(nobodyTells(platform).why);
  try {
    for (const unit of loaded.units) {
      if (unit.state === "published") continue;
      const ref = await seek(world, { userId, loaded: now, unit, signal });
      if (ref === "pending") return { state: "pending", found, why: `${platform.name} is still processing it` };
      if (!ref) return missing(platform, found, unsure);
      found.push({ position: unit.position, ref });
      now = {
        ...now,
        units: now.units.map((one) => (one === unit ? { ...one, state: "published" as const, ref } : one)),
      };
    }
    return { state: "published", found, why: `${platform.name} has it` };
  } catch (error) {
    signal.throwIfAborted();
    return unsure(`${platform.name} could not be asked: ${toPsnError(error).message}`);
  }
}

function missing({ name, capabilities }: Platform, found: Verdict["found"], unsure: (why: string) => Verdict): Verdict {
  const { duplicates } = capabilities;
  // Where a search is all there is, not to be found is no proof.
  if (duplicates === "lookup" || duplicates === "ask-human")
    return unsure(`psn does not find it on ${name}, but it may be there`);
  return {
    state: "scheduled",
    found,
    why: found.length > 0 ? `${name} has only part of it` : `${name} does not have it`,
  };
}

async function seek(
  world: World,
  {
    userId,
    loaded,
    unit,
    signal,
  }: {
    readonly userId: string;
    readonly loaded: LoadedDelivery;
    readonly unit: StoredUnit;
    readonly signal: AbortSignal;
  },
): Promise<Ref | "pending" | undefined> {
  const { deliveries } = world.stores;
  const known = await deliveries.knownRefs(userId, loaded.id, loaded.account.id);
  const claim: Claim = { deliveryId: loaded.id, userId, fence: loaded.fence, purpose: "settle" };
  const request = requestOf({ world, loaded, claim, purpose: "settle" }, unit);
  // What an adapter compares with an instant must go by the clock that set it.
  const ahead = loaded.readAt.getTime() - world.now().getTime();
  const now = () => new Date(world.now().getTime() + ahead);
  return askAccount(world, {
    userId,
    accountId: loaded.account.id,
    signal,
    read: async (adapter, asked) => {
      const session = { ...asked, now };
      if (unit.state === "pending" && unit.sentAt && adapter.poll) {
        const outcome = await adapter.poll(unit.handle, session);
        return outcome.status === "published" ? outcome.ref : "pending";
      }
      // The attempt that this database knows of, and then any other.
      const exact = unit.sentAt ? await adapter.lookup?.(request, session, known) : undefined;
      const at = new Date(Math.min(loaded.dueAt.getTime(), unit.sentAt?.getTime() ?? Number.POSITIVE_INFINITY));
      return exact ?? adapter.lookup?.({ ...request, at, searching: true }, session, known);
    },
  });
}
