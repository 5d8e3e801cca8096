import { MOST, queue, USUAL } from "@psn/app/verbs/queue.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { DELIVERY_FIELDS, deliveryList } from "@psn/cli/render.ts";
import { shellWord } from "@psn/cli/shell-word.ts";
import { DELIVERY_STATES } from "@psn/core/types/index.ts";
import { parseSince } from "@psn/domain/schedule/since.ts";
import { z } from "zod";

const LIMIT = `must be a whole number from 1 to ${MOST}`;
const STATE = `must be one or more of ${DELIVERY_STATES.join(", ")}, separated by commas`;

const filled = (error: string) => z.string().regex(/\S/, { error });

export default defineCommand({
  name: "queue",
  summary: queue.summary,
  details:
    "Without flags: what is still to come, the next first. With --all, or a --state that is an end, the latest " +
    "change comes first. A delivery that does not change while you read page after page is on exactly one page.",
  examples: [
    { line: "psn queue", does: "scheduled deliveries, the next one first" },
    { line: "psn queue --all", does: "also finished deliveries, the latest first" },
    { line: "psn queue --state failed,unconfirmed --since 7d", does: "what went wrong within the last week" },
    { line: "psn queue --account bluesky --search picnic", does: "the posts about the picnic on Bluesky" },
    { line: "psn queue --all --json | jq -r .nextCursor", does: "in a script: what --cursor takes for the next page" },
  ],
  flags: [
    { flags: "--all", help: "also list deliveries that are published, failed, cancelled or removed" },
    {
      flags: "--state <states>",
      help: `only these states, separated by commas: ${DELIVERY_STATES.join(", ")}`,
      takes: { list: DELIVERY_STATES },
    },
    { flags: "--account <account>", help: "only this account, or all accounts of a platform", takes: "account" },
    { flags: "--since <time>", help: "only what is due at this time or later: 2026-11-01, yesterday, 7d (ago)" },
    { flags: "--search <words>", help: "only what has these words in its text, in upper or lower case" },
    { flags: "--limit <n>", help: `maximum number of deliveries; default: ${USUAL}` },
    { flags: "--cursor <cursor>", help: "the next page, as the page before names it; the other flags stay the same" },
  ],
  fields: DELIVERY_FIELDS.map(({ name }) => name),
  document: queue.output,
  schema: z.object({
    all: z.boolean().default(false),
    state: z
      .string()
      .transform((words) => words.split(",").map((word) => word.trim().toLowerCase()))
      .pipe(z.array(z.enum(DELIVERY_STATES, { error: STATE })))
      .optional(),
    account: filled("must name an account or a platform").optional(),
    since: filled("must be a time, such as 2026-11-01, yesterday or 7d").optional(),
    search: filled("must be words of a text").optional(),
    limit: z.coerce
      .number({ error: LIMIT })
      .refine((n) => Number.isInteger(n) && n >= 1 && n <= MOST, { error: LIMIT })
      .default(USUAL),
    cursor: z.string().optional(),
  }),
  run: async ({ since, ...input }, context) => {
    const { output } = context;
    const hub = await context.hub();
    const { timeZone: zone } = hub.user;
    const from = since === undefined ? undefined : parseSince(since, { now: context.now(), zone }).toISOString();
    const page = await queue.run(hub, { ...input, since: from });
    const { deliveries, nextCursor } = page;
    output.result(queue.document(page), () => deliveryList(output, deliveries, zone));
    if (nextCursor !== null) output.note(`there are more: ${nextPage({ ...input, since: from }, nextCursor)}`);
    if (deliveries.length === 0) output.note(isNarrow(input, since) ? "no delivery fits" : nothing(input.all));
    return undefined;
  },
});

const nothing = (all: boolean) => (all ? "nothing yet" : "nothing is waiting");

interface Narrowing {
  readonly all: boolean;
  readonly limit: number;
  readonly state?: readonly string[] | undefined;
  readonly account?: string | undefined;
  readonly search?: string | undefined;
  readonly cursor?: string | undefined;
  readonly since?: string | undefined;
}

const isNarrow = ({ state, account, search, cursor }: Narrowing, since: string | undefined): boolean =>
  [state, account, search, cursor, since].some((one) => one !== undefined);

/** The command for the next page: the same flags, and where this page ended. */
function nextPage({ all, state, account, since, search, limit }: Narrowing, cursor: string): string {
  const flags = { state: state?.join(","), account, since, search, limit: String(limit), cursor };
  const words = Object.entries(flags).flatMap(([name, value]) =>
    value === undefined || (name === "limit" && limit === USUAL) ? [] : [`--${name}`, shellWord(value)],
  );
  return ["psn queue", ...(all ? ["--all"] : []), ...words].join(" ");
}
