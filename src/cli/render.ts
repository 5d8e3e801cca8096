import { shortId } from "@psn/app/find-deliveries.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { formatInstant } from "@psn/domain/schedule.ts";
import { clip, type Lines, type Output, type Style, table } from "./output.ts";

const STYLES: Readonly<Partial<Record<DeliveryState, Style>>> = {
  published: "green",
  failed: "red",
  unconfirmed: "red",
  held: "yellow",
  cancelled: "dim",
  removed: "dim",
};

/** A word and never only a colour. */
export function stateWord(
  output: Output,
  { state, operation, health, code }: Pick<DeliverySummary, "state" | "operation" | "health" | "code">,
): string {
  const word = publishWord({ state, health, code });
  const waits = operation === "remove" && state !== "removed" ? `removal: ${word}` : word;
  const style = STYLES[state];
  return style ? output.style(style, waits) : waits;
}

function publishWord({ state, health, code }: Pick<DeliverySummary, "state" | "health" | "code">): string {
  const waits =
    state === "scheduled" && health === "needs-reconnect"
      ? "waits for reconnect"
      : state === "scheduled" && code !== null
        ? "retrying"
        : state;
  return waits;
}

export function when(at: Date, zone: string): string {
  return formatInstant(Temporal.Instant.fromEpochMilliseconds(at.getTime()), zone);
}

/** What comes next, where something is planned or under way: "tried again at …". */
export function nextWords(
  { state, code, atWork, nextAt, dueAt, health }: DeliverySummary,
  zone: string,
): string | undefined {
  if (atWork) return "psn is processing it now";
  if (!nextAt) return health !== "ok" && state === "scheduled" ? "on hold until its account is reconnected" : undefined;
  const at = when(nextAt, zone);
  if (state === "sending") return `psn asks the platform again at ${at}`;
  if (state === "pending") return `psn checks again at ${at}`;
  if (state === "claimed") return `a worker stopped before it finished; another one can continue from ${at}`;
  return code !== null || nextAt.getTime() !== dueAt.getTime() ? `tried again at ${at}` : undefined;
}

/** Says on stderr what the id means too and was left alone. */
export function noteLeft(output: Output, left: readonly DeliverySummary[]): void {
  if (left.length > 0)
    output.note(
      `not changed: ${left.map((one) => `${one.platform}:${one.handle}, ${stateWord(output, one)}`).join("; ")}`,
    );
}

export function deliveryTable(output: Output, deliveries: readonly DeliverySummary[], zone: string): Lines {
  return table(
    deliveries.map((delivery) => [
      shortId(delivery.id),
      stateWord(output, delivery),
      `${delivery.platform}:${delivery.handle}`,
      delivery.state === "published" ? (delivery.url ?? "") : when(delivery.nextAt ?? delivery.dueAt, zone),
      delivery.units > 1 ? `${delivery.unitsPublished}/${delivery.units}` : "",
      delivery.message && delivery.state !== "published" ? clip(delivery.message, 60) : clip(delivery.text, 40),
    ]),
  );
}
