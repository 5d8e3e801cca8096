import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { StoredUnit } from "@psn/core/ports/deliveries.ts";
import { pass } from "@psn/core/ports/fault-points.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { Preparation } from "@psn/core/types/platform.ts";
import * as delivery from "@psn/domain/delivery.ts";
import { unlessOver } from "@psn/domain/retry-schedule.ts";
import { ageMs, exchange, type Opened, type Run, requestOf, unsent, withRefresh, written } from "./delivery-run.ts";
import { keepingLease, write } from "./held-claim.ts";
import { readyMedia } from "./keep-media.ts";

/*
 * Everything slow, before anything is sent: the token, the uploads, the files and the links to them. Then `sending`,
 * durably.
 */

/** A unit that can be sent at once, and the files of it that are in memory. */
export interface Ready {
  readonly run: Run;
  readonly unit: StoredUnit;
  readonly opened: ReadonlyMap<string, Opened>;
}

/**
 * Makes a unit ready under the lease, lets `send` have it, and gives its turn back. False where it is not sent now: the
 * platform works on it, something failed, or the lease is lost.
 */
export async function whenReady(
  run: Run,
  unit: StoredUnit,
  send: (ready: Ready) => Promise<boolean>,
): Promise<boolean> {
  let giveBack: () => void = () => undefined;
  const tried: Tried = { prepareFailed: false };
  try {
    let made: Made;
    try {
      made = await keepingLease(run, STATE[run.purpose], async () => {
        giveBack = (await run.turn?.(bytesOf(run, unit))) ?? giveBack;
        return make(run, unit, tried);
      });
    } catch (error) {
      return written(run, notReady(run, { unit, said: toPsnError(error), ...tried }), false);
    }
    // What was uploaded is not in memory any more.
    if (made.opened.size === 0) giveBack();
    if (made.preparation?.status === "pending")
      return await written(run, delivery.preparing(unit.position, made.preparation), false);
    // A repeat: `sending` is written already, with the instant of the first attempt.
    if (run.purpose === "settle") return await send({ run, unit, opened: made.opened });
    await pass(run.world, "prepared, not written");
    if (!(await write(run, delivery.sending(unit.position, made.preparation?.prepared, run.leaseMs)))) return false;
    const loaded = await run.world.stores.deliveries.load(run.claim.userId, run.claim.deliveryId);
    const ready = loaded?.units[unit.position];
    return loaded && ready ? await send({ run: { ...run, loaded }, unit: ready, opened: made.opened }) : false;
  } finally {
    giveBack();
  }
}

interface Made {
  readonly preparation: Preparation | undefined;
  readonly opened: ReadonlyMap<string, Opened>;
}

/**
 * An adapter keeps in its handle what is worth keeping: where it throws, there is nothing, or no use in waiting any
 * longer.
 */
interface Tried {
  prepareFailed: boolean;
}

async function make(run: Run, unit: StoredUnit, tried: Tried): Promise<Made> {
  await pass(run.world, "before preparing");
  await freshen(run);
  const none = new Map<string, Opened>();
  if (unit.prepared !== null) return { preparation: undefined, opened: none };
  if (unit.unit.prepare) {
    const preparation = await withRefresh(run, async (session) => {
      try {
        return await run.platform.prepare?.(requestOf(run, unit), session);
      } catch (error) {
        tried.prepareFailed = !(error instanceof PsnError && error.retry === "refresh");
        throw error;
      }
    });
    return { preparation: preparation ?? { status: "prepared", prepared: {} }, opened: none };
  }
  const files = requestOf(run, unit).media.map(async (file) => {
    const { content, ...rest } = await readyMedia(run.world, run.claim.userId, file);
    return [file.id, { content: new Blob([content], { type: file.mime }), ...rest }] as const;
  });
  return { preparation: undefined, opened: new Map(await Promise.all(files)) };
}

/** A token that is about to end is exchanged while nothing waits for it. */
export async function freshen(run: Run): Promise<void> {
  const { credentials, now } = run.session;
  const { expiresAt, refresh, secret } = credentials;
  if (!run.platform.refresh || !expiresAt || (refresh === undefined && secret === undefined)) return;
  const lastsMs = expiresAt.getTime() - now().getTime();
  if (lastsMs > delivery.TOKEN_LASTS_MS) return;
  try {
    await exchange(run, new PsnError("AUTH_EXPIRED", "the token is about to end"));
  } catch (error) {
    // One that still holds may do for this request; a platform that gives out short ones lets them rest between two
    // exchanges.
    if (lastsMs <= 0 || (error instanceof PsnError && delivery.needsUser(error))) throw error;
  }
}

/** What failed before anything was sent; or, of a repeat, what says nothing about the attempt before. */
function notReady(
  run: Run,
  { unit, said, prepareFailed }: { readonly unit: StoredUnit; readonly said: PsnError } & Tried,
): DeliveryChange {
  const { world, loaded } = run;
  if (run.purpose === "settle") {
    const age = ageMs(run, unit);
    const change = delivery.failedAgain(unit.position, { error: said, ageMs: age, random: world.random() });
    const { retries } = run.platform.capabilities;
    return retries ? unlessOver(change, said, { retries, ageMs: age }) : change;
  }
  // Nothing was sent yet, whatever it says.
  const failure = said.retry === "reconcile" ? unsent(said) : said;
  if (unit.handle !== null && !prepareFailed && failure.retry === "backoff")
    return delivery.stillPreparing(failure, loaded.attempt, world.random());
  return delivery.failed(unit.position, {
    error: failure,
    attempt: loaded.attempt,
    random: world.random(),
    earlier: run.earlier,
  });
}

const STATE = { publish: "claimed", poll: "pending", settle: "sending" } as const;

function bytesOf({ loaded }: Run, { unit, prepared }: StoredUnit): number {
  if (prepared !== null) return 0;
  return loaded.media.reduce((sum, { id, bytes }) => (unit.media.includes(id) ? sum + bytes : sum), 0);
}
