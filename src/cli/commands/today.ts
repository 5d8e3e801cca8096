import { advice, reconnecting } from "@psn/app/advice.ts";
import { nameOf } from "@psn/app/choose-accounts.ts";
import { NoHubDocument } from "@psn/app/documents/today.ts";
import { needReconnect } from "@psn/app/queries/accounts.ts";
import { today as todayVerb } from "@psn/app/verbs/today.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { type Lines, paragraphs } from "@psn/cli/output.ts";
import { deliveryTable } from "@psn/cli/render.ts";
import { EXIT, PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import { z } from "zod";

export default defineCommand({
  name: "psn",
  summary: "show what needs you and what is scheduled, or how to begin",
  examples: [],
  document: z.union([todayVerb.output, NoHubDocument]),
  schema: z.object({}),
  run: async (_input, context) => {
    const { output } = context;
    try {
      await context.folder();
    } catch (error) {
      if (!(error instanceof PsnError) || error.code !== "HUB_MISSING") throw error;
      output.result({ hub: null, next: "psn init" }, () => [
        "psn publishes what you write to your networks, now or at the time you say.",
        "",
        "  psn init                   create a hub in this folder",
        "  psn connect feed ./public  connect an account",
        '  psn post "hello"           publish',
        "",
        "psn --help shows every command.",
      ]);
      return EXIT.ok;
    }
    const hub = await context.hub();
    const { user } = hub;
    const today = await todayVerb.run(hub, {});
    const { next: open, late, failed, unconfirmed: unsure, accounts, reconnect: sick } = today;
    output.result(todayVerb.document(today), () => {
      const parts: Lines[] = [open.length === 0 ? "nothing is waiting" : deliveryTable(output, open, user.timeZone)];
      if (failed.length > 0) parts.push(["failed lately:", deliveryTable(output, failed, user.timeZone)]);
      if (late.length > 0)
        parts.push([
          "more than a day late: publish it with psn retry ID, or cancel it with psn cancel ID",
          deliveryTable(output, late, user.timeZone),
        ]);
      if (unsure.length > 0)
        parts.push(["could not be confirmed; check on the platform:", deliveryTable(output, unsure, user.timeZone)]);
      if (sick.length > 0) parts.push(`needs reconnecting: ${sick.map(nameOf).join(", ")}`);
      return paragraphs(parts);
    });
    if (today.more) output.note("there are more: psn queue");
    output.note(`next: ${nextStep(accounts, unsure)}`);
    return EXIT.ok;
  },
});

/** The one thing that helps most now. */
function nextStep(accounts: readonly Account[], [unsure]: readonly DeliverySummary[]): string {
  const [sick] = needReconnect(accounts);
  if (sick) return reconnecting(sick.platform, sick.profile.handle);
  if (unsure) return advice(unsure).join(", or ");
  return accounts.length === 0 ? "psn connect feed ./public" : 'psn post "…" --to ACCOUNT, psn queue, psn --help';
}
