import { PsnError } from "@psn/core/errors.ts";
import { pass } from "@psn/core/ports/fault-points.ts";
import type { Outcome, Session } from "@psn/core/types/platform.ts";
import * as delivery from "@psn/domain/delivery.ts";
import { ageMs, out, type Run, requestOf, withRefresh, written } from "./delivery-run.ts";
import { assertHeld } from "./held-claim.ts";
import type { Ready } from "./make-ready.ts";
import { onSchedule } from "./on-schedule.ts";

/** Sends one unit that is ready, and writes what became of it. True when the thread goes on under this claim. */
export async function sendUnit({ run, unit, opened }: Ready): Promise<boolean> {
  let outcome: Outcome;
  try {
    const request = requestOf(run, unit, opened);
    outcome = await withRefresh(run, async (session) => {
      // The account may have been disconnected while psn looked for the post.
      await assertHeld(run, run.purpose === "settle");
      await pass(run.world, "sending, not sent");
      return run.platform.publish(request, watched(run, session));
    });
    if (run.purpose === "settle") await assertOwn(run, outcome);
  } catch (error) {
    if (error instanceof PsnError && error.code === "LEASE_LOST") return false;
    // The bytes may have left: what psn did not foresee is an unknown outcome and not a refusal.
    const failure =
      error instanceof PsnError
        ? error
        : new PsnError("OUTCOME_UNKNOWN", "sending failed with an unexpected error", { cause: error });
    const change =
      run.purpose === "settle"
        ? delivery.failedAgain(unit.position, { error: failure, ageMs: ageMs(run, unit), random: run.world.random() })
        : delivery.failed(unit.position, {
            error: failure,
            attempt: run.loaded.attempt,
            random: run.world.random(),
            earlier: run.earlier,
          });
    return written(run, await onSchedule(run, { unit, error: failure, change }), false);
  }
  await pass(run.world, "answered, not settled");
  return out(run, unit, outcome);
}

/**
 * A repeat that a platform refuses as said already may be told of another delivery's post with the same words. Throws
 * UNCONFIRMED.
 */
async function assertOwn({ world, claim, loaded, platform }: Run, outcome: Outcome): Promise<void> {
  if (outcome.status !== "published") return;
  const known = await world.stores.deliveries.knownRefs(claim.userId, loaded.id, loaded.account.id);
  if (!known.has(outcome.ref.id)) return;
  throw new PsnError(
    "UNCONFIRMED",
    `${platform.name} already has a post with this text, which belongs to another delivery: ${outcome.ref.url}`,
  );
}

/** A read changes nothing, even if another worker acts on the unit. */
const READS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/**
 * The session for `publish` and `remove`; `onRequest` is told of every request. The claim is looked at in the last
 * await before each request that can change something.
 */
export function watched(run: Run, session: Session, onRequest?: (changes: boolean) => void): Session {
  const held = () => assertHeld(run);
  const fetch: Session["fetch"] = async (input, init) => {
    const changes = !READS.has((init?.method ?? "GET").toUpperCase());
    onRequest?.(changes);
    if (changes) await held();
    const response = await session.fetch(input, init);
    await pass(run.world, "answered, not read");
    return response;
  };
  return { ...session, fetch, assertHeld: held };
}
