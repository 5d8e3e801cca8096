import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Json, Purpose } from "@psn/core/types/index.ts";
import type { Outcome, Platform, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import * as delivery from "@psn/domain/delivery.ts";
import { assertHeld, type HeldClaim, keepingLease, write } from "./held-claim.ts";
import { linkMedia, openMedia } from "./keep-media.ts";
import type { LoadedDelivery, StoredUnit } from "./ports/deliveries.ts";
import { pass } from "./ports/fault-points.ts";
import type { World } from "./ports/world.ts";
import { openCredentials, openSession, refreshSession } from "./session.ts";
import { findLost } from "./settle-unknown.ts";
import { tellOfChange } from "./tell-user.ts";

export interface Attempt extends Omit<HeldClaim, "lease"> {
  /** When the claim was asked for: the lease lasts at least `leaseMs` from then. Absent: just now. */
  readonly askedAt?: Date;
  /** Where it was loaded with the claim. */
  readonly loaded?: LoadedDelivery | undefined;
  /** Waits for a turn to hold media in memory, where many deliveries are under way. Absent: at once. */
  readonly turn?: Turn;
}

/** Does the work when its turn has come. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

interface Held extends HeldClaim, Pick<Attempt, "turn"> {}

interface Run extends Held {
  readonly loaded: LoadedDelivery;
  readonly purpose: Purpose;
  readonly platform: Platform;
  session: Session;
}

/**
 * Acts on one claim until the delivery is out, given back, or taken over by another worker. What a platform says becomes a
 * state; only the database's own failures are thrown, and then the lease decides. Returns what it wrote last, and undefined
 * when somebody else acts now.
 */
export async function publishDelivery({ loaded: first, ...attempt }: Attempt): Promise<delivery.DeliveryChange | undefined> {
  const { world, claim, leaseMs, askedAt = world.now() } = attempt;
  const held: Held = { ...attempt, lease: { until: askedAt.getTime() + leaseMs, last: undefined } };
  let { purpose } = claim;
  await pass(world, "claimed");
  let loaded = first ?? (await world.stores.deliveries.load(claim.userId, claim.deliveryId));
  let unit = loaded && openUnit(loaded);
  const late = loaded && unit && purpose === "publish" ? lateness(loaded, unit) : undefined;
  if (late) {
    if (loaded && (await write(held, late))) await tellOfChange(world, loaded, late);
    return held.lease.last;
  }
  while (loaded && unit) {
    const run = await begin(held, loaded, unit, purpose);
    if (!run || !(await advance(run, unit))) break;
    await pass(world, "between units");
    // The next unit's instant is the database's: whoever resumes after a crash must build the same request from it.
    loaded = await world.stores.deliveries.load(claim.userId, claim.deliveryId);
    unit = loaded && openUnit(loaded);
    purpose = "publish";
  }
  return held.lease.last;
}

/** Only of what nothing has been sent: a thread that has begun goes on. */
function lateness(loaded: LoadedDelivery, unit: StoredUnit): delivery.DeliveryChange | undefined {
  if (loaded.units.some(({ state }) => state === "published")) return undefined;
  return delivery.tooLate(unit.position, loaded.readAt.getTime() - loaded.dueAt.getTime(), loaded.late);
}

/** Everything a request needs, before anything is sent. */
async function begin(held: Held, loaded: LoadedDelivery, unit: StoredUnit, purpose: Purpose): Promise<Run | undefined> {
  const { world, claim } = held;
  try {
    const platform = await world.platforms.load(loaded.account.platform);
    const session = openSession(world, claim.userId, loaded.account, loaded.credentials);
    return { ...held, loaded, purpose, platform, session: { ...session, now: databaseClock(world, loaded) } };
  } catch (error) {
    const change = notBegun(world, loaded, unit, purpose, toPsnError(error));
    if (await write(held, change)) await tellOfChange(world, loaded, change);
    return undefined;
  }
}

/** What an adapter compares with a unit's instant must go by the clock that set it; this machine's own may be wrong. */
function databaseClock(world: World, { readAt }: LoadedDelivery): () => Date {
  const ahead = readAt.getTime() - world.now().getTime();
  return () => new Date(world.now().getTime() + ahead);
}

function notBegun(world: World, loaded: LoadedDelivery, unit: StoredUnit, purpose: Purpose, failure: PsnError): delivery.DeliveryChange {
  if (purpose === "publish") return delivery.failed(unit.position, failure, loaded.attempt, world.random());
  if (purpose === "poll") return delivery.pollAgain(failure, loaded.attempt, world.random());
  return delivery.stillUnknown(Math.max(ageMs(loaded, unit), delivery.SETTLE_PATIENCE_MS), failure);
}

/** How long ago the unit was first about to be sent, in milliseconds, when it was loaded. */
function ageMs({ readAt }: LoadedDelivery, { sentAt }: StoredUnit): number {
  return sentAt ? readAt.getTime() - sentAt.getTime() : 0;
}

/** One unit, one step. True when it is out and the thread goes on under the same claim. */
async function advance(run: Run, unit: StoredUnit): Promise<boolean> {
  if (run.purpose === "poll") return poll(run, unit);
  if (run.purpose === "settle") {
    const { world, claim, platform, loaded } = run;
    await pass(world, "before asking");
    const ask = <T>(work: (session: Session) => Promise<T>) => withRefresh(run, work);
    const verdict = await findLost({ world, claim, platform, loaded, ask, request: requestOf(run, unit), ageMs: ageMs(loaded, unit) });
    await pass(world, "asked, not settled");
    if ("change" in verdict) return written(run, verdict.change, false);
    if ("ref" in verdict) return out(run, unit, { status: "published", ref: verdict.ref });
    return send(run, unit);
  }
  if (!unit.unit.prepare || unit.prepared !== null) return send(run, unit);
  return prepare(run, unit);
}

/** Uploads and look-ups; then `sending`, durably, before the bytes of the post leave. */
async function prepare(run: Run, unit: StoredUnit): Promise<boolean> {
  let prepared: Json;
  await pass(run.world, "before preparing");
  try {
    const turn: Turn = unit.unit.media.length > 0 && run.turn ? run.turn : (work) => work();
    prepared = await keepingLease(run, () =>
      turn(() =>
        withRefresh(run, async (session) => {
          const made = await run.platform.prepare?.(requestOf(run, unit), session);
          return made?.status === "prepared" ? made.prepared : null;
        }),
      ),
    );
  } catch (error) {
    const said = toPsnError(error);
    // Nothing was sent yet, whatever it says.
    const failure = said.retry === "reconcile" ? new PsnError("PLATFORM_DOWN", said.message, { cause: said }) : said;
    return written(run, delivery.failed(unit.position, failure, run.loaded.attempt, run.world.random()), false);
  }
  await pass(run.world, "prepared, not written");
  if (!(await write(run, delivery.sending(unit.position, prepared ?? {}, run.leaseMs)))) return false;
  const loaded = await run.world.stores.deliveries.load(run.claim.userId, run.claim.deliveryId);
  const ready = loaded?.units[unit.position];
  return loaded && ready ? send({ ...run, loaded }, ready) : false;
}

async function send(run: Run, unit: StoredUnit): Promise<boolean> {
  const request = requestOf(run, unit);
  let outcome: Outcome;
  try {
    outcome = await withRefresh(run, async (session) => {
      await assertHeld(run);
      await pass(run.world, "sending, not sent");
      return run.platform.publish(request, watched(run.world, session));
    });
    if (run.purpose === "settle") await assertOwn(run, outcome);
  } catch (error) {
    if (error instanceof PsnError && error.code === "LEASE_LOST") return false;
    // The bytes may have left: what psn did not foresee is an unknown outcome and not a refusal.
    const failure =
      error instanceof PsnError ? error : new PsnError("OUTCOME_UNKNOWN", "sending failed in a way psn did not foresee", { cause: error });
    const change =
      run.purpose === "settle"
        ? delivery.failedAgain(unit.position, failure, ageMs(run.loaded, unit))
        : delivery.failed(unit.position, failure, run.loaded.attempt, run.world.random());
    return written(run, change, false);
  }
  await pass(run.world, "answered, not settled");
  return out(run, unit, outcome);
}

/** A repeat that a platform refuses as said already may be told of another delivery's post with the same words. Throws UNCONFIRMED. */
async function assertOwn({ world, claim, loaded, platform }: Run, outcome: Outcome): Promise<void> {
  if (outcome.status !== "published") return;
  const known = await world.stores.deliveries.knownRefs(claim.userId, loaded.id, loaded.account.id);
  if (!known.has(outcome.ref.id)) return;
  throw new PsnError(
    "UNCONFIRMED",
    `${platform.name} has these words already, in a post that belongs to another delivery: ${outcome.ref.url}`,
  );
}

/** The session, with a fault point between a request and its answer where the world has them. */
function watched(world: World, session: Session): Session {
  if (!world.fault) return session;
  const fetch: Session["fetch"] = async (input, init) => {
    const response = await session.fetch(input, init);
    await pass(world, "answered, not read");
    return response;
  };
  return { ...session, fetch };
}

async function poll(run: Run, unit: StoredUnit): Promise<boolean> {
  let outcome: Outcome;
  try {
    outcome = await withRefresh(run, (session) => {
      if (!run.platform.poll) throw new PsnError("BUG", `${run.platform.id} cannot be asked about a pending post`);
      return run.platform.poll(unit.handle, session);
    });
  } catch (error) {
    const failure =
      error instanceof PsnError
        ? error
        : new PsnError("PLATFORM_DOWN", "asking the platform failed in a way psn did not foresee", { cause: error });
    const change =
      failure.retry === "never" && !delivery.needsUser(failure)
        ? delivery.failed(unit.position, failure, run.loaded.attempt, run.world.random())
        : delivery.pollAgain(failure, run.loaded.attempt, run.world.random());
    return written(run, change, false);
  }
  return out(run, unit, outcome);
}

/** Writes the platform's clear answer; true when another unit follows under this claim. */
function out(run: Run, unit: StoredUnit, outcome: Outcome): Promise<boolean> {
  const next = run.loaded.units[unit.position + 1];
  const ready = next !== undefined && (!next.unit.prepare || next.prepared !== null);
  const change = delivery.answered(unit.position, outcome, next && { position: next.position, ready }, run.leaseMs);
  return written(run, change, outcome.status === "published" && next !== undefined);
}

async function written(run: Run, change: delivery.DeliveryChange, goesOn: boolean): Promise<boolean> {
  const mine = await write(run, change);
  if (mine) await tellOfChange(run.world, run.loaded, change);
  return mine && goesOn;
}

function requestOf({ world, loaded, claim, purpose }: Run, unit: StoredUnit): PublishRequest {
  const media = unit.unit.media.map((id): Media => {
    const info = loaded.media.find((one) => one.id === id);
    if (!info) throw new PsnError("BUG", "a unit names media its post does not have");
    const open = async () => new Blob([await openMedia(world, claim.userId, id)], { type: info.mime });
    const { bucket } = world;
    return { ...info, open, ...(bucket ? { link: (seconds: number) => linkMedia(world, bucket, claim.userId, id, seconds) } : {}) };
  });
  const ref = (position: number): Ref | undefined => loaded.units[position]?.ref ?? undefined;
  const root = unit.position > 0 ? ref(0) : undefined;
  const parent = unit.position > 0 ? ref(unit.position - 1) : undefined;
  // While preparing there is no instant yet; nothing that is kept may depend on it.
  const at = unit.sentAt ?? loaded.readAt;
  const again = purpose === "settle" ? { again: true as const } : {};
  return {
    unit: unit.unit,
    prepared: unit.prepared,
    media,
    key: unit.id,
    at,
    ...again,
    ...(root ? { root } : {}),
    ...(parent ? { parent } : {}),
  };
}

/** A 401 is a clear refusal: nothing was made. Exchange the token once and ask again. */
async function withRefresh<T>(run: Run, work: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await work(run.session);
  } catch (error) {
    if (!(error instanceof PsnError) || error.retry !== "refresh") throw await unlessReplaced(run, error);
    run.session = await refreshSession(run.world, run.claim.userId, run.loaded.account, run.platform, run.session, error).catch(weather);
    return work(run.session);
  }
}

/** What a platform says of a token that was replaced while it was asked says nothing of the account any more. */
async function unlessReplaced({ world, claim, loaded, session }: Run, error: unknown): Promise<unknown> {
  if (!(error instanceof PsnError) || !delivery.needsUser(error)) return error;
  const sealed = await world.stores.accounts.credentials(claim.userId, loaded.account.id).catch(() => undefined);
  if (!sealed || openCredentials(world, claim.userId, sealed).access === session.credentials.access) return error;
  return new PsnError("PLATFORM_DOWN", "the account was connected anew meanwhile", { cause: error });
}

/** Where nothing can have been sent, what psn does not understand is only bad weather. */
function weather(error: unknown): never {
  const said = toPsnError(error);
  throw said.retry === "reconcile" || said.code === "BUG" ? new PsnError("PLATFORM_DOWN", said.message, { cause: said }) : said;
}

function openUnit(loaded: LoadedDelivery): StoredUnit | undefined {
  return loaded.units.find(({ state }) => state !== "published");
}
