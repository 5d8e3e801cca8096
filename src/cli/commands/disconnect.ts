import { chooseAccounts, nameOf } from "@psn/app/choose-accounts.ts";
import { disconnectAccount, planDisconnect } from "@psn/app/connect-account.ts";
import { DisconnectDocument } from "@psn/app/documents/account.ts";
import { accountsOf } from "@psn/app/queries/accounts.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export default defineCommand({
  name: "disconnect",
  summary: "forget an account's credentials",
  details:
    "The platform is told to forget psn's access, where it offers that. What the account published stays in the " +
    "history; what it had still to publish is cancelled.",
  examples: [{ line: "psn disconnect bluesky:ada.bsky.social --yes", does: "without a question" }],
  args: [{ name: "<account>", help: "as psn accounts shows it, or a platform with one account" }],
  flags: [{ flags: "--dry-run", help: "say what would be cancelled" }],
  document: DisconnectDocument,
  schema: z.object({ account: z.string(), dryRun: z.boolean().default(false) }),
  run: async ({ account: name, dryRun }, context) => {
    const { output, prompt } = context;
    const hub = await context.hub();
    const { world, user } = hub;
    const [account, ...others] = chooseAccounts(await accountsOf(hub), [name], world.platforms.ids);
    if (!account || others.length > 0)
      throw new PsnError("INPUT_INVALID", "name one account", { hint: "psn accounts" });
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
    const { cancelled, unconfirmed, revoked, trouble } = await disconnectAccount(
      world,
      user.id,
      account,
      context.signal,
      context.noReturn,
    );
    output.result(
      { account: nameOf(account), cancelled, unconfirmed, revoked, dryRun: false },
      () => `disconnected  ${nameOf(account)}${cancelled > 0 ? `; ${cancelled} deliveries cancelled` : ""}`,
    );
    if (unconfirmed > 0)
      output.note(
        `${unconfirmed} deliveries whose answer is missing are unconfirmed now; psn queue shows them, psn resolve ` +
          "settles them",
      );
    if (trouble)
      output.note(`the platform could not be told: ${trouble.message}; take psn's access away in its settings`);
    return undefined;
  },
});
