import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { LoadedDelivery, StoredUnit } from "@psn/core/ports/deliveries.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { Purpose } from "@psn/core/types/index.ts";
import type { Outcome, Platform, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import * as delivery from "@psn/domain/delivery.ts";
import { steadyAge } from "./clocks.ts";
import { type HeldClaim, write } from "./held-claim.ts";
import { type Linker, linkerOf, openMedia } from "./keep-media.ts";
import { openCredentials, refreshSession } from "./session.ts";
import { tellOfChange } from "./tell-user.ts";

/*
 * One delivery under one claim: its request, its session, and what is written of it.
 */

/**
 * Waits for a turn to hold so many bytes of media in memory, where many deliveries are under way; the caller gives it
 * back.
 */
export type Turn = (bytes: number) => Promise<() => void>;

export interface Held extends HeldClaim {
  /** Absent: at once. */
  readonly turn?: Turn;
}

export interface Run extends Held {
  readonly loaded: LoadedDelivery;
  readonly purpose: Purpose;
  readonly platform: Platform;
  session: Session;
  /** The code of the failure before this claim. */
  readonly earlier: string | null;
}

/**
 * How long ago the unit was first about to be sent, or its removal to be asked for, in milliseconds, when it was
 * loaded; no older than a step of the database's clock.
 */
export function ageMs({ world, loaded }: Pick<Run, "world" | "loaded">, unit: StoredUnit): number {
  const sentAt = loaded.operation === "remove" ? unit.askedAt : unit.sentAt;
  return sentAt ? steadyAge(world, loaded.readAt, loaded.readAt.getTime() - sentAt.getTime()) : 0;
}

/** A media file that is in memory, and what makes links to it, where the hub has a bucket. */
export interface Opened {
  readonly content: Blob;
  readonly linker?: Linker;
}

/** `opened`: media that are ready already, by id. */
export function requestOf(
  run: Pick<Run, "world" | "loaded" | "claim" | "purpose">,
  unit: StoredUnit,
  opened: ReadonlyMap<string, Opened> = new Map(),
): PublishRequest {
  const { world, loaded, claim, purpose } = run;
  const media = unit.unit.media.map((id): Media => {
    const info = loaded.media.find((one) => one.id === id);
    if (!info) throw new PsnError("BUG", "a unit refers to media that its post does not have");
    const open = async () =>
      opened.get(id)?.content ?? new Blob([await openMedia(world, claim.userId, info)], { type: info.mime });
    const { bucket } = world;
    if (!bucket) return { ...info, open };
    const linker = async () =>
      opened.get(id)?.linker ?? (await linkerOf(world, { bucket, userId: claim.userId, ...info }));
    return { ...info, open, link: async (seconds) => (await linker())(seconds) };
  });
  const ref = (position: number): Ref | undefined => loaded.units[position]?.ref ?? undefined;
  const root = unit.position > 0 ? ref(0) : undefined;
  const parent = unit.position > 0 ? ref(unit.position - 1) : undefined;
  const parentAt = loaded.units[unit.position - 1]?.publishedAt;
  // While preparing there is no instant yet; nothing that is kept may depend on it.
  const at = unit.sentAt ?? loaded.readAt;
  return {
    unit: unit.unit,
    prepared: unit.prepared,
    media,
    key: unit.id,
    at,
    ...defined({
      handle: unit.handle ?? undefined,
      again: purpose === "settle" ? true : undefined,
      root,
      parent,
      parentAt: parent && parentAt ? parentAt : undefined,
    }),
  };
}

/** A 401 is a clear refusal: nothing was made. Exchange the token once and ask again. */
export async function withRefresh<T>(run: Run, work: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await work(run.session);
  } catch (error) {
    if (!(error instanceof PsnError) || error.retry !== "refresh") throw await unlessReplaced(run, error);
    await exchange(run, error);
    return work(run.session);
  }
}

/** Gives the run a session with new credentials. Throws AUTH_REVOKED when only the user can help, else what passes. */
export async function exchange(run: Run, reason: PsnError): Promise<void> {
  run.session = await refreshSession(run.world, {
    userId: run.claim.userId,
    account: run.loaded.account,
    platform: run.platform,
    session: run.session,
    reason,
  }).catch(weather);
}

/** What a platform says of a token that was replaced while it was asked says nothing of the account any more. */
async function unlessReplaced({ world, claim, loaded, session }: Run, error: unknown): Promise<unknown> {
  if (!(error instanceof PsnError) || !delivery.needsUser(error)) return error;
  const sealed = await world.stores.accounts.credentials(claim.userId, loaded.account.id).catch(() => undefined);
  if (!sealed || openCredentials(world, claim.userId, sealed).access === session.credentials.access) return error;
  return new PsnError("PLATFORM_DOWN", "the account was connected again in the meantime", { cause: error });
}

/** Where nothing was sent, an unexpected error is treated as a transient failure. */
function weather(error: unknown): never {
  const said = toPsnError(error);
  throw said.retry === "reconcile" || said.code === "BUG" ? unsent(said) : said;
}

/** What would be an unknown outcome, of a request that publishes nothing. */
export function unsent(said: PsnError): PsnError {
  const { message, details, retryAfterMs } = said;
  return new PsnError("PLATFORM_DOWN", message, {
    cause: said,
    details,
    ...defined({ retryAfterMs }),
  });
}

/** Writes the platform's clear answer; true when another unit follows under this claim. */
export function out(run: Run, unit: StoredUnit, outcome: Outcome): Promise<boolean> {
  const next = run.loaded.units[unit.position + 1];
  const following = next && { position: next.position, ready: delivery.isReady(next) };
  const change = delivery.answered(unit.position, { outcome, next: following, leaseMs: run.leaseMs });
  return written(run, change, outcome.status === "published" && next !== undefined);
}

/** Writes a change and tells its user what they must know; `goesOn` if it was written. */
export async function written(
  run: Pick<Run, "loaded"> & HeldClaim,
  change: DeliveryChange,
  goesOn: boolean,
): Promise<boolean> {
  const mine = await write(run, change);
  if (mine) await tellOfChange(run.world, { userId: run.claim.userId, loaded: run.loaded, change });
  return mine && goesOn;
}
