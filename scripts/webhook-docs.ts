import { totalOf } from "@psn/domain/retry-schedule.ts";
import { EVENTS } from "@psn/platforms/webhook/event.ts";
import { INLINE_BYTES, INLINE_MOST_BYTES, LINK_SECONDS } from "@psn/platforms/webhook/media.ts";
import { RETRIES } from "@psn/platforms/webhook/schedule.ts";
import { z } from "zod";

/*
 * What docs/platforms/webhook.md has from the code: events, limits and schedule, between marks of their names. The rest
 * is written by hand.
 */

const SECTIONS: Readonly<Record<string, () => string>> = { events, media, schedule };

/** The page with its made sections again. */
export function renderWebhookPage(page: string): string {
  return Object.entries(SECTIONS).reduce((text, [name, make]) => {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [text.indexOf(open), text.indexOf(close)];
    if (from < 0 || to < from) throw new Error(`docs/platforms/webhook.md has no place for ${name}`);
    return `${text.slice(0, from + open.length)}\n${make()}\n${text.slice(to)}`;
  }, page);
}

const json = (value: unknown) => `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;

function events(): string {
  const one = ({ schema, example }: (typeof EVENTS)[number]) =>
    [
      `### ${example.type}`,
      json(example),
      `<details><summary>JSON Schema of ${example.type}</summary>`,
      json(z.toJSONSchema(schema)),
      "</details>",
    ].join("\n\n");
  return `\n${EVENTS.map(one).join("\n\n")}\n`;
}

function media(): string {
  const [inline, most] = [INLINE_BYTES, INLINE_MOST_BYTES].map((bytes) => bytes.toLocaleString("en"));
  const days = LINK_SECONDS / 86_400;
  return `
Up to 10 images, each up to 5 MB. Within the event they are \`data\`, in base64; as a link they are \`url\`, which \
anybody who has it can \`GET\` for ${days} days from the attempt on.

| \`psn connect webhook … --media\` | a hub with a bucket | a hub without one |
| --- | --- | --- |
| \`auto\`, which is what you get | within the event up to ${inline} bytes together (20 kB as base64), \
else links | within the event, up to ${most} bytes together (10 MB as base64); psn refuses a post with more |
| \`link\`   | links, whatever the size | psn refuses a post with media |
| \`inline\` | within the event, up to ${most} bytes together | the same |
`;
}

function schedule(): string {
  let at = 0;
  const rows = RETRIES.map((pause, n) => {
    at += pause;
    return `| ${n + 2} | ${lengthOf(pause)} | ${clockOf(at)} |`;
  });
  return `
| attempt | after the one before | since the first |
| --- | --- | --- |
| 1 | | 0:00:00 |
${rows.join("\n")}

In all ${RETRIES.length + 1} attempts within ${Math.floor(totalOf(RETRIES) / 86_400_000)} days.
`;
}

function lengthOf(ms: number): string {
  const [count, unit] =
    ms >= 3_600_000 ? [ms / 3_600_000, "hour"] : ms >= 60_000 ? [ms / 60_000, "minute"] : [ms / 1000, "second"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function clockOf(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
