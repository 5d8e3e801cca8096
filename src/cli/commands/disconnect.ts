import { chooseAccounts, nameOf } from "@psn/app/choose-accounts.ts";
import { disconnectAccount, planDisconnect } from "@psn/app/connect-account.ts";
import { DisconnectDocument } from "@psn/app/documents/account.ts";
import { accountsOf } from "@psn/app/queries/accounts.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export default defineCommand({
  name: "disconnect",
  summary: "disconnect an account and delete its credentials",
  details:
    "Deletes the account's credentials, and revokes psn's access at the platform if the platform offers it. " +
    "Published posts stay in the history; scheduled deliveries of the account are cancelled.",
  examples: [{ line: "psn disconnect bluesky:ada.bsky.social --yes", does: "without asking" }],
  args: [{ name: "<account>", help: "the account, as psn accounts shows it, or a platform with one account" }],
  flags: [{ flags: "--dry-run", help: "show what would be cancelled" }],
  document: DisconnectDocument,
  schema: z.object({ account: z.string(), dryRun: z.boolean().default(false) }),
  run: async ({ account: name, dryRun }, context) => {
    const { output, prompt } = context;
    const hub = await context.hub();
    const { world, user } = hub;
    const [account, ...others] = chooseAccounts(await accountsOf(hub), [name], world.platforms.ids);
    if (!account || others.length > 0) throw new PsnError("AMBIGUOUS", "name one account", { hint: "psn accounts" });
    const plan = await planDisconnect(hub, account);
    const open = plan.cancelled;
    if (dryRun) {
      output.result(
        { account: nameOf(account), ...plan, revoked: false, dryRun: true },
        () => `would disconnect ${nameOf(account)} and cancel ${open} deliveries`,
      );
      return undefined;
    }
    if (
      !(await prompt.confirm(`Disconnect ${nameOf(account)}${open > 0 ? ` and cancel its ${open} deliveries` : ""}?`))
    )
      throw new PsnError("INTERRUPTED", "nothing was changed");
    const { cancelled, unconfirmed, revoked, trouble } = await disconnectAccount(world, {
      userId: user.id,
      account,
      signal: context.signal,
      noReturn: context.noReturn,
    });
    output.result(
      { account: nameOf(account), cancelled, unconfirmed, revoked, dryRun: false },
      () => `disconnected  ${nameOf(account)}${cancelled > 0 ? `; ${cancelled} deliveries cancelled` : ""}`,
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
