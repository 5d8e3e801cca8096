import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { StoredUnit } from "@psn/core/ports/deliveries.ts";
import { pass } from "@psn/core/ports/fault-points.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { Platform, Ref, Session } from "@psn/core/types/platform.ts";
import * as removal from "@psn/domain/removal.ts";
import { ageMs, type Run, withRefresh, written } from "./delivery-run.ts";
import { assertHeld, keepingLease, write } from "./held-claim.ts";
import { freshen } from "./make-ready.ts";
import { watched } from "./send-unit.ts";

/**
 * Takes one unit back from its platform, and writes what became of it. True when another unit of the thread follows
 * under this claim. A lost answer is settled by the same request: what is gone already is success.
 */
export async function removeUnit(run: Run, unit: StoredUnit): Promise<boolean> {
  const again = run.purpose === "settle";
  if (again) await pass(run.world, "before asking");
  else if (!(await ready(run, unit))) return false;
  const requests: boolean[] = [];
  try {
    await withRefresh(run, async (session) => {
      requests.length = 0;
      await assertHeld(run, again);
      await pass(run.world, "removing, not asked");
      await remove(
        run.platform,
        unit,
        watched(run, session, (changes) => requests.push(changes)),
      );
    });
  } catch (error) {
    if (error instanceof PsnError && error.code === "LEASE_LOST") return false;
    return written(run, failure(run, { unit, error, answer: isAnswer(requests) }), false);
  }
  await pass(run.world, again ? "asked, not settled" : "removed, not settled");
  const before = removal.lastOut(run.loaded.units.slice(0, unit.position));
  return written(run, removal.removed(unit.position, before?.position, run.leaseMs), before !== undefined);
}

/** The token is made fresh under the lease, and then `sending` is written, where the claim has not done both. */
async function ready(run: Run, unit: StoredUnit): Promise<boolean> {
  if (unit.state === "sending") return true;
  const { position } = unit;
  try {
    await keepingLease(run, "claimed", () => freshen(run));
  } catch (error) {
    const { attempt } = run.loaded;
    const refusal = { position, error: toPsnError(error), attempt, random: run.world.random(), earlier: run.earlier };
    await written(run, removal.notBegun(refusal), false);
    return false;
  }
  await pass(run.world, "prepared, not written");
  return write(run, removal.removing(position, run.leaseMs));
}

async function remove(platform: Platform, { ref }: StoredUnit, session: Session): Promise<void> {
  if (!ref) throw new PsnError("BUG", "psn cannot remove a unit that has no ref");
  // An adapter that writes without `fetch` asks this itself; none does so before it has looked.
  await session.assertHeld?.();
  await platform.remove(await named(platform, ref, session), session);
}

/**
 * A person who resolved a delivery gave an address, which is not the platform's name of the post: asked for as a name,
 * a post that is out would count as gone.
 */
async function named(platform: Platform, ref: Ref, session: Session): Promise<Ref> {
  if (ref.id !== ref.url) return ref;
  const found = await platform.locate?.(ref.url, session);
  if (found) return found;
  throw new PsnError("PLATFORM_REJECTED", `psn knows only the address of this post, and does not find it there`, {
    hint: `open it, and delete it there: ${ref.url}`,
  });
}

/** Nothing was read after the request that changes something: what was thrown is the answer to it. */
const isAnswer = (requests: readonly boolean[]) => requests.filter(Boolean).length <= 1 && requests.at(-1) !== false;

function failure(
  run: Run,
  { unit, error, answer }: { readonly unit: StoredUnit; readonly error: unknown; readonly answer: boolean },
): DeliveryChange {
  const said =
    error instanceof PsnError
      ? error
      : new PsnError("OUTCOME_UNKNOWN", "removing failed with an unexpected error", { cause: error });
  return removal.notRemoved({
    position: unit.position,
    error: said,
    again: run.purpose === "settle",
    isAnswer: answer,
    ageMs: ageMs(run, unit),
    attempt: run.loaded.attempt,
    random: run.world.random(),
    earlier: run.earlier,
  });
}
