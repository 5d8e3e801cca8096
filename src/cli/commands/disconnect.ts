import { nameOf } from "@psn/app/choose-accounts.ts";
import { disconnect } from "@psn/app/verbs/disconnect.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export default defineCommand({
  name: "disconnect",
  summary: disconnect.summary,
  details:
    "Deletes the account's credentials, and revokes psn's access at the platform if the platform offers it. " +
    "Published posts stay in the history; scheduled deliveries of the account are cancelled.",
  examples: [{ line: "psn disconnect bluesky:ada.bsky.social --yes", does: "without asking" }],
  args: [
    {
      name: "<account>",
      help: "the account, as psn accounts shows it, or a platform with one account",
      takes: "account",
    },
  ],
  flags: [{ flags: "--dry-run", help: "show what would be cancelled" }],
  document: disconnect.output,
  schema: z.object({ account: z.string(), dryRun: z.boolean().default(false) }),
  run: async ({ account: named, dryRun }, context) => {
    const { output, prompt, signal, noReturn } = context;
    const hub = await context.hub();
    const plan = await disconnect.run(hub, { account: named, dryRun: true });
    const { account, cancelled: open } = plan;
    const name = nameOf(account);
    if (dryRun) {
      output.result(disconnect.document(plan), () => `would disconnect ${name} and cancel ${open} deliveries`);
      return undefined;
    }
    if (!(await prompt.confirm(`Disconnect ${name}${open > 0 ? ` and cancel its ${open} deliveries` : ""}?`)))
      throw new PsnError("INTERRUPTED", "nothing was changed");
    const done = await disconnect.run(hub, { account: named, dryRun }, { found: account, signal, noReturn });
    const { cancelled, unconfirmed, trouble } = done;
    output.result(
      disconnect.document(done),
      () => `disconnected  ${name}${cancelled > 0 ? `; ${cancelled} deliveries cancelled` : ""}`,
    );
    if (unconfirmed > 0)
      output.note(
        `${unconfirmed} deliveries without a clear answer are now unconfirmed; psn queue shows them, and psn ` +
          `resolve ID settles each`,
      );
    if (trouble)
      output.note(`could not notify the platform: ${trouble.message}; revoke psn's access in the platform's settings`);
    return undefined;
  },
});
