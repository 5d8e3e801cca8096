import { advice } from "@psn/app/advice.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import { show } from "@psn/app/verbs/show.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { type Column, type Field, list } from "@psn/cli/list.ts";
import { type Lines, type Output, paragraphs, textLines } from "@psn/cli/output.ts";
import { nextWords, stateWord, when } from "@psn/cli/render.ts";
import type { DeliveryDetail, DeliveryEvent } from "@psn/core/ports/posts.ts";
import { DELIVERY_STATES } from "@psn/core/types/index.ts";
import { z } from "zod";

const FIELDS: readonly Field<DeliveryEvent>[] = [
  { name: "at", value: ({ at }) => at.toISOString() },
  { name: "event", value: ({ event }) => event },
  { name: "attempt", value: ({ attempt }) => attempt },
  { name: "unit", value: ({ unit }) => unit },
  { name: "code", value: ({ code }) => code },
  { name: "note", value: ({ note }) => note },
  { name: "actor", value: ({ actor }) => actor },
];

export default defineCommand({
  name: "show",
  summary: show.summary,
  examples: [{ line: "psn show 9f2c11aa", does: "its units, their addresses, and its history in order" }],
  args: [
    { name: "<id>", help: "the id of a delivery or a post, or the end of the id", takes: { ids: DELIVERY_STATES } },
  ],
  document: show.output,
  schema: z.object({ id: z.string() }),
  run: async ({ id }, context) => {
    const { output } = context;
    const hub = await context.hub();
    const { user } = hub;
    const details = await show.run(hub, { id });
    output.result(show.document(details), () =>
      paragraphs(details.map((detail) => page(output, detail, user.timeZone))),
    );
    for (const detail of details) {
      const commands = advice(detail);
      const look = commands.some((command) => command.startsWith("psn resolve")) ? "look there, then: " : "next: ";
      const whose = details.length > 1 ? `${detail.platform}:${detail.handle}: ` : "";
      if (commands.length > 0) output.note(`${whose}${look}${commands.join(", or ")}`);
    }
    return undefined;
  },
});

function page(output: Output, detail: DeliveryDetail, zone: string): Lines {
  const account = output.style("bold", `${detail.platform}:${detail.handle}`);
  const head = `${account}  ${stateWord(output, detail)}  ${shortId(detail.id)} of post ${shortId(detail.postId)}`;
  const next = nextWords(detail, zone);
  const lines = [head, `due ${when(detail.dueAt, zone)}${next === undefined ? "" : `; ${next}`}`];
  if (detail.code !== null) lines.push(`${detail.code}: ${detail.message}`);
  for (const { position, state, unit, ref } of detail.unitList) {
    const files = unit.media.length > 0 ? `, ${unit.media.length} media` : "";
    lines.push("", `unit ${position + 1}, ${state}, ${unit.length} long${files}${ref ? `  ${ref.url}` : ""}`);
    lines.push(...textLines(unit.text).map((line) => `  ${line}`));
  }
  return [lines, "", list(output, detail.events, { columns: eventColumns(zone), fields: FIELDS })];
}

const partOf = ({ unit }: DeliveryEvent) => (unit === null ? "" : String(unit + 1));
const tryOf = ({ attempt }: DeliveryEvent) => (attempt === 0 ? "" : String(attempt));
const noteOf = ({ code, note }: DeliveryEvent) => [code, note].filter((word) => word !== null).join(": ");

/** To the second, by the user's clocks: a history is read line by line. */
const clockOf = (at: Date, zone: string) =>
  Temporal.Instant.fromEpochMilliseconds(at.getTime())
    .toZonedDateTimeISO(zone)
    .toPlainDateTime()
    .toString({ smallestUnit: "second" })
    .replace("T", " ");

const eventColumns = (zone: string): readonly Column<DeliveryEvent>[] => [
  { head: "TIME", cell: ({ at }) => clockOf(at, zone) },
  { head: "EVENT", cell: ({ event }) => event },
  { head: "UNIT", cell: partOf, rank: 3 },
  { head: "ATTEMPT", cell: tryOf, rank: 2 },
  { head: "BY", cell: ({ actor }) => actor, least: 6, rank: 1 },
  { head: "NOTE", cell: noteOf, least: 16 },
];
