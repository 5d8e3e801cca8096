import { advice } from "@psn/app/advice.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import { show } from "@psn/app/verbs/show.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { type Lines, type Output, paragraphs, table, textLines } from "@psn/cli/output.ts";
import { nextWords, stateWord, when } from "@psn/cli/render.ts";
import type { DeliveryDetail } from "@psn/core/ports/posts.ts";
import { z } from "zod";

export default defineCommand({
  name: "show",
  summary: show.summary,
  examples: [{ line: "psn show 9f2c11aa", does: "its units, their addresses, and its history in order" }],
  args: [{ name: "<id>", help: "the id of a delivery or a post, or the end of the id" }],
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
  const rows = detail.events.map(({ at, event, attempt, unit, code, note, actor }) => [
    at.toISOString(),
    event,
    unit === null ? "" : `unit ${unit + 1}`,
    attempt === 0 ? "" : `attempt ${attempt}`,
    actor,
    [code, note].filter((word) => word !== null).join(": "),
  ]);
  return [lines, "", table(rows)];
}
