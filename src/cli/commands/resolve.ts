import { resolve } from "@psn/app/verbs/change.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryTable } from "@psn/cli/render.ts";
import { notePublisher } from "@psn/cli/wake.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export default defineCommand({
  name: "resolve",
  summary: resolve.summary,
  details:
    "For an unconfirmed delivery: the platform's answer was lost, and psn could not ask again. Check on the " +
    "platform, then tell psn whether the post is public.",
  examples: [
    { line: "psn resolve 9f2c11aa --live https://example.social/@ada/1", does: "the post is public, at this address" },
    { line: "psn resolve 9f2c11aa --not-live", does: "the post is not public; send it now" },
  ],
  args: [{ name: "<id>", help: "the id of a delivery, or the end of the id", takes: { ids: ["unconfirmed"] } }],
  flags: [
    { flags: "--live <url>", help: "the post is public, at this address" },
    { flags: "--not-live", help: "the post is not public; send it again" },
    { flags: "--dry-run", help: "show which delivery would be resolved, and change nothing" },
  ],
  document: resolve.output,
  schema: z.object({
    id: z.string(),
    live: z.url({ protocol: /^https?$/, error: "must be the post's address, https://…" }).optional(),
    notLive: z.boolean().default(false),
    dryRun: z.boolean().default(false),
  }),
  run: async ({ id, live, notLive, dryRun }, context) => {
    const { output } = context;
    if ((live !== undefined) === notLive)
      throw new PsnError("USAGE", "use --live URL or --not-live", { hint: "psn show ID shows where to look" });
    const hub = await context.hub();
    const { world, user } = hub;
    const { signal, noReturn } = context;
    const changed = await resolve.run(hub, { id, live: live ?? null, dryRun }, { signal, noReturn });
    output.result(resolve.document(changed), () => deliveryTable(output, changed.deliveries, user.timeZone));
    if (!dryRun) await notePublisher(output, { world, deliveries: changed.deliveries, woken: changed.woken });
    return undefined;
  },
});
