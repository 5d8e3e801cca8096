import type { Account } from "@psn/core/ports/accounts.ts";
import type { LoadedDelivery } from "@psn/core/ports/deliveries.ts";
import type { EndingToken } from "@psn/core/ports/upkeep.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import { reconnecting } from "./advice.ts";
import { nameOf } from "./choose-accounts.ts";
import { shortId } from "./find-deliveries.ts";
import { troubleToTell } from "./hub-trouble.ts";

/*
 * Notifies the user (`PSN_NOTIFY_URL`) of what only they can fix: one line without text of any post. Best
 * effort: the hub's rows say it too.
 */

/** Tells of a change that leaves something to the user; of any other nothing. Never throws. */
export async function tellOfChange(
  world: World,
  {
    userId,
    loaded,
    change,
  }: { readonly userId: string; readonly loaded: LoadedDelivery; readonly change: DeliveryChange },
): Promise<void> {
  if (!world.notify) return;
  const { id, account } = loaded;
  const name = nameOf(account);
  const { account: on, state, event, message } = change;
  if (on && "health" in on && on.health === "needs-reconnect") return tellOfAccount(world, account, on.reason);
  const said = message === null ? "" : ` (${message})`;
  const short = shortId(id);
  if (loaded.operation === "remove" && (state === "unconfirmed" || event === "not removed"))
    await tell(world, `a post at ${name} could not be deleted${said}: psn show ${short}`);
  else if (state === "unconfirmed")
    await tell(world, `psn could not confirm whether a post is published at ${name}: psn resolve ${short}`);
  else if (state === "failed") await tell(world, `a post to ${name} failed${said}: psn show ${short}`);
  else if (state === "scheduled" || state === "sending") {
    const trouble = await troubleToTell(world, { userId, loaded, change }).catch(() => undefined);
    if (trouble !== undefined) await tell(world, trouble);
  } else if (state === "held") await tell(world, `a post to ${name} needs your decision${said}: psn show ${short}`);
}

/** Tells that an account must be connected again. Never throws. */
export async function tellOfAccount(
  world: World,
  account: Pick<Account, "platform" | "profile">,
  reason: string,
): Promise<void> {
  const how = reconnecting(account.platform, account.profile.handle);
  await tell(world, `${nameOf(account)} must be reconnected (${reason}); its posts are on hold until then: ${how}`);
}

/** Tells that a token ends and only its user can get another. Never throws. */
export async function tellOfEnding(world: World, { platform, handle, endsAt }: EndingToken): Promise<void> {
  await tell(
    world,
    `${platform}:${handle} must be reconnected by ${endsAt.toISOString().slice(0, 10)}, or its posts will be on ` +
      `hold: psn connect ${platform}`,
  );
}

async function tell(world: World, line: string): Promise<void> {
  await world.notify?.(line).catch(() => undefined);
}
