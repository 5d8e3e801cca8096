import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Platform, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { type DeliveryChange, settlement, stillUnknown, unconfirmed } from "@psn/domain/delivery.ts";
import type { Claim, LoadedDelivery, World } from "./ports.ts";

/** The unit's ref, what to write instead, or word that it is safe to send again. */
export type Verdict = { readonly ref: Ref } | { readonly change: DeliveryChange } | { readonly again: true };

/** Settles a lost answer with the platform, by what the adapter declares in `capabilities.duplicates`. Read-only. */
export async function findLost(
  world: World,
  claim: Claim,
  platform: Platform,
  session: Session,
  loaded: LoadedDelivery,
  request: PublishRequest,
  sentAt: Date | null,
): Promise<Verdict> {
  const ageMs = sentAt ? world.now().getTime() - sentAt.getTime() : 0;
  let ref: Ref | undefined;
  let found: boolean | undefined;
  try {
    if (platform.lookup) {
      const known = await world.stores.deliveries.knownRefs(claim.userId, loaded.id, loaded.account.id);
      ref = await platform.lookup(request, session, known);
      found = ref !== undefined;
    }
  } catch (error) {
    // An expired token is for the send to exchange; everything else is a question without an answer.
    const failure = error instanceof PsnError ? error : toPsnError(error);
    if (failure.retry !== "refresh" || platform.capabilities.duplicates !== "client-id") return { change: stillUnknown(ageMs, failure) };
  }
  switch (settlement(platform.capabilities.duplicates, ageMs, found)) {
    case "published":
      return ref ? { ref } : { change: stillUnknown(ageMs, undefined) };
    case "send again":
      return { again: true };
    case "wait":
      return { change: stillUnknown(ageMs, undefined) };
    case "unconfirmed":
      return { change: unconfirmed() };
  }
}
