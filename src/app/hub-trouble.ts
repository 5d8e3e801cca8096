import { ERRORS, type ErrorCode } from "@psn/core/errors.ts";
import type { LoadedDelivery } from "@psn/core/ports/deliveries.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import { isHubs } from "@psn/domain/delivery.ts";

/*
 * What is wrong with the hub holds up posts and ends none. Its user is told once, however many posts wait for it and
 * however often they are tried; when the first of them goes on, all do.
 */

/** What passes by itself is told when it has not passed after so many attempts, which take some minutes. */
const PASSING_ATTEMPTS = 6;
/** The same trouble has the same words, whatever figures are in them; of the longest so many characters count. */
const MOST_CHARS = 300;

const nameOf = (code: string, message: string | null) =>
  `${code}: ${(message ?? "").replace(/\d+/g, "#")}`.slice(0, MOST_CHARS).toWellFormed();

/**
 * What to tell the user of a delivery that waits for the hub; undefined where that was told already, or may pass.
 * Throws DB_….
 */
export async function troubleToTell(
  { stores }: World,
  {
    userId,
    loaded: { attempt },
    change: { state, code, message, mends = null },
  }: { readonly userId: string; readonly loaded: Pick<LoadedDelivery, "attempt">; readonly change: DeliveryChange },
): Promise<string | undefined> {
  // What is `sending` waits for its answer, and psn cannot ask.
  if ((state !== "scheduled" && state !== "sending") || code === null || !isHubs(code)) return undefined;
  if (retryOf(code) === "backoff" && attempt < PASSING_ATTEMPTS) return undefined;
  if (!(await stores.upkeep.noteTrouble(userId, nameOf(code, message)))) return undefined;
  return (
    `posts are on hold because of a problem with the hub: ` +
    `${message}${mends === null ? "" : `; to fix it: ${mends}`}`
  );
}

/** Once a delivery that waited for the hub has gone on, the others that wait for the same go on too. Never throws. */
export async function mendAfter(
  { stores }: World,
  {
    userId,
    before,
    last,
  }: {
    readonly userId: string;
    readonly before: Pick<LoadedDelivery, "code" | "message">;
    readonly last: DeliveryChange | undefined;
  },
): Promise<void> {
  if (!last || before.code === null || !isHubs(before.code) || last.state === "claimed") return;
  const was = nameOf(before.code, before.message);
  const waits = (last.state === "scheduled" || last.state === "sending") && last.code !== null && isHubs(last.code);
  if (waits && nameOf(last.code, last.message) === was) return;
  // They go on by themselves as well, only later. Where another trouble has taken its place they are left to that.
  await stores.upkeep.mendTrouble(userId, was, waits ? NONE : before.code).catch(() => undefined);
}

/** No delivery waits with this code. */
const NONE = "";

const retryOf = (code: ErrorCode) => ERRORS[code].retry;
