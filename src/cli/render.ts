import { nameOf } from "@psn/app/choose-accounts.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import type { Account } from "@psn/app/ports/accounts.ts";
import type { DeliverySummary } from "@psn/app/ports/posts.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { formatInstant } from "@psn/domain/schedule.ts";
import { clip, type Output, type Style, table } from "./output.ts";

const STYLES: Readonly<Partial<Record<DeliveryState, Style>>> = {
  published: "green",
  failed: "red",
  unconfirmed: "red",
  held: "yellow",
  cancelled: "dim",
};

/** A word and never only a colour. */
export function stateWord(output: Output, { state, health, code }: Pick<DeliverySummary, "state" | "health" | "code">): string {
  const waits =
    state === "scheduled" && health === "needs-reconnect"
      ? "waits for reconnect"
      : state === "scheduled" && code !== null
        ? "retrying"
        : state;
  const style = STYLES[state];
  return style ? output.style(style, waits) : waits;
}

export function when(at: Date, zone: string): string {
  return formatInstant(Temporal.Instant.fromEpochMilliseconds(at.getTime()), zone);
}

/** When it is tried next; undefined where nothing is planned. */
export function nextOf({ state, wakeAt }: DeliverySummary): Date | undefined {
  return state === "scheduled" || state === "pending" ? wakeAt : undefined;
}

/** One delivery in every `--json`. */
export function deliveryDocument(delivery: DeliverySummary) {
  const { id, postId, accountId, platform, handle, state, dueAt, attempt, code, message, publishedAt, text, url, units, unitsPublished } =
    delivery;
  return {
    id,
    post: postId,
    account: { id: accountId, platform, handle },
    state,
    due: dueAt.toISOString(),
    next: nextOf(delivery)?.toISOString() ?? null,
    published: publishedAt?.toISOString() ?? null,
    url,
    units: { all: units, published: unitsPublished },
    attempt,
    reason: code === null ? null : { code, message },
    text,
  };
}

export function deliveryTable(output: Output, deliveries: readonly DeliverySummary[], zone: string): string {
  return table(
    deliveries.map((delivery) => [
      shortId(delivery.id),
      stateWord(output, delivery),
      `${delivery.platform}:${delivery.handle}`,
      delivery.state === "published" ? (delivery.url ?? "") : when(nextOf(delivery) ?? delivery.dueAt, zone),
      delivery.units > 1 ? `${delivery.unitsPublished}/${delivery.units}` : "",
      delivery.message && delivery.state !== "published" ? clip(delivery.message, 60) : clip(delivery.text, 40),
    ]),
  );
}

export function accountDocument(account: Account) {
  const { id, platform, profile, health, healthReason, pausedUntil, expiresAt, refreshedAt, createdAt, renews } = account;
  return {
    id,
    name: nameOf(account),
    platform,
    handle: profile.handle,
    subject: profile.subject,
    url: profile.url,
    health,
    reason: healthReason,
    pausedUntil: pausedUntil?.toISOString() ?? null,
    expires: expiresAt?.toISOString() ?? null,
    renews,
    refreshed: refreshedAt?.toISOString() ?? null,
    connected: createdAt.toISOString(),
  };
}
