import { toPsnError } from "@psn/core/errors.ts";
import type { Claim, LoadedDelivery } from "@psn/core/ports/deliveries.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { Platform, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { askedForMs, settlement, stillUnknown, unconfirmed } from "@psn/domain/delivery.ts";

/** The unit's ref, what to write instead, or word that it is safe to send again. */
export type Verdict = { readonly ref: Ref } | { readonly change: DeliveryChange } | { readonly again: true };

export interface Question {
  readonly world: World;
  readonly claim: Claim;
  readonly platform: Platform;
  readonly loaded: LoadedDelivery;
  readonly request: PublishRequest;
  /** How long ago the unit was first about to be sent, in milliseconds. */
  readonly ageMs: number;
  /** Works with the account's session, exchanging its token where it must. */
  readonly ask: <T>(work: (session: Session) => Promise<T>) => Promise<T>;
}

/** Settles a lost answer with the platform, by what the adapter declares in `capabilities.duplicates`. Read-only. */
export async function findLost({
  world,
  claim,
  platform,
  loaded,
  request,
  ageMs: sentMs,
  ask,
}: Question): Promise<Verdict> {
  const { duplicates, retries } = platform.capabilities;
  const { pausedUntil } = loaded.account;
  const ageMs = askedForMs(sentMs, pausedUntil ? loaded.readAt.getTime() - pausedUntil.getTime() : undefined);
  const judged = (found: boolean | undefined) =>
    settlement(duplicates, { ageMs, found, scheduled: retries !== undefined });
  let ref: Ref | undefined;
  let found: boolean | undefined;
  try {
    if (platform.lookup) {
      const known = await world.stores.deliveries.knownRefs(claim.userId, loaded.id, loaded.account.id);
      ref = await ask(async (session) => platform.lookup?.(request, session, known));
      found = ref !== undefined;
    }
  } catch (error) {
    // A question without an answer: ask again, but not forever.
    if (judged(undefined) !== "unconfirmed") return { change: stillUnknown(ageMs, toPsnError(error), world.random()) };
  }
  if (ref) return { ref };
  switch (judged(found)) {
    case "send again":
      return { again: true };
    case "unconfirmed":
      return { change: unconfirmed() };
    default:
      return { change: stillUnknown(ageMs, undefined, world.random()) };
  }
}
