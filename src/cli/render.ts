import { shortId } from "@psn/app/find-deliveries.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { formatInstant } from "@psn/domain/schedule.ts";
import { briefly } from "./briefly.ts";
import { type Column, type Field, fitted, list } from "./list.ts";
import { clip, type Lines, type Output, type Style } from "./output.ts";

const STYLES: Readonly<Partial<Record<DeliveryState, Style>>> = {
  published: "green",
  failed: "red",
  unconfirmed: "red",
  held: "yellow",
  cancelled: "dim",
  removed: "dim",
};

type Standing = Pick<DeliverySummary, "state" | "operation" | "health" | "code">;

/** A word and never only a colour. */
export function stateWord(output: Output, delivery: Standing): string {
  const style = STYLES[delivery.state];
  return style ? output.style(style, stateOf(delivery)) : stateOf(delivery);
}

export function stateOf({ state, operation, health, code }: Standing): string {
  const word = publishWord({ state, health, code });
  return operation === "remove" && state !== "removed" ? `removal: ${word}` : word;
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
  if (state === "pending")
    return code === null ? `the platform is processing it; psn checks again at ${at}` : `psn checks again at ${at}`;
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

/** What became of it, or what comes next, and when. */
const timeOf = ({ state, publishedAt, nextAt, dueAt }: DeliverySummary): Date =>
  (state === "published" ? publishedAt : undefined) ?? nextAt ?? dueAt;

const reasonOf = ({ state, code, message }: DeliverySummary): string =>
  code === null || state === "published" ? "" : (message ?? code);

const nameOf = ({ platform, handle }: DeliverySummary): string => `${platform}:${handle}`;

/** A file or a pipe may be read at any time: there the instant is written out. */
export const timeIn = ({ screen }: Output, at: Date, zone: string): string =>
  screen === undefined ? when(at, zone) : briefly(at, { zone, now: new Date() });

const deliveryColumns = (output: Output, zone: string): readonly Column<DeliverySummary>[] => [
  { head: "ID", cell: ({ id }) => shortId(id) },
  { head: "STATE", cell: stateOf, style: ({ state }) => STYLES[state], least: 9 },
  { head: "WHEN", cell: (one) => timeIn(output, timeOf(one), zone) },
  { head: "ACCOUNT", cell: nameOf, least: 8, rank: 4 },
  { head: "PARTS", cell: ({ units, unitsPublished: done }) => (units > 1 ? `${done}/${units}` : ""), rank: 2 },
  { head: "TEXT", cell: ({ text }) => clip(text, MOST_TEXT), least: LEAST_TEXT },
  { head: "REASON", cell: reasonOf, least: 14, rank: 3 },
  { head: "ADDRESS", cell: ({ url }) => url ?? "", least: 24, rank: 1 },
];

/** So that 60 columns hold an account beside it, whatever is in the others. */
const LEAST_TEXT = 10;

/** More of a text than this says nothing to who looks for a post. */
const MOST_TEXT = 60;

export const DELIVERY_FIELDS: readonly Field<DeliverySummary>[] = [
  { name: "id", value: ({ id }) => id },
  { name: "post", value: ({ postId }) => postId },
  { name: "account", value: nameOf },
  { name: "state", value: ({ state }) => state },
  { name: "operation", value: ({ operation }) => operation },
  { name: "due", value: ({ dueAt }) => dueAt.toISOString() },
  { name: "next", value: ({ nextAt }) => nextAt?.toISOString() },
  { name: "published", value: ({ publishedAt }) => publishedAt?.toISOString() },
  { name: "units", value: ({ unitsPublished, units }) => `${unitsPublished}/${units}` },
  { name: "attempt", value: ({ attempt }) => attempt },
  { name: "code", value: ({ code }) => code },
  { name: "reason", value: ({ message }) => message },
  { name: "url", value: ({ url }) => url },
  { name: "text", value: ({ text }) => text },
];

/** Deliveries as what a command did to them: for a person, wherever it is printed. */
export function deliveryTable(output: Output, deliveries: readonly DeliverySummary[], zone: string): Lines {
  return fitted(output, deliveries, deliveryColumns(output, zone));
}

/** Deliveries as a list that was asked for: for a program too. */
export function deliveryList(output: Output, deliveries: readonly DeliverySummary[], zone: string): Lines {
  return list(output, deliveries, { columns: deliveryColumns(output, zone), fields: DELIVERY_FIELDS });
}
