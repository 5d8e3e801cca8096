import { endsSoon } from "@psn/app/account-health.ts";
import { reconnecting } from "@psn/app/advice.ts";
import { nameOf, namesOf } from "@psn/app/choose-accounts.ts";
import { needReconnect } from "@psn/app/queries/accounts.ts";
import { accounts as accountsVerb } from "@psn/app/verbs/accounts.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { type Output, table } from "@psn/cli/output.ts";
import { when } from "@psn/cli/render.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import { z } from "zod";

export default defineCommand({
  name: "accounts",
  summary: accountsVerb.summary,
  examples: [
    { line: "psn accounts", does: "which accounts are connected, and which need your attention" },
    { line: "psn accounts --json", does: "the same as JSON, for a script" },
  ],
  flags: [{ flags: "--all", help: "also list disconnected accounts" }],
  document: accountsVerb.output,
  schema: z.object({ all: z.boolean().default(false) }),
  run: async ({ all }, context) => {
    const { output } = context;
    const hub = await context.hub();
    const { user } = hub;
    const accounts = await accountsVerb.run(hub, { all });
    const names = namesOf(accounts);
    const named = (account: Account) => names.get(account.id) ?? nameOf(account);
    output.result(accountsVerb.document(accounts), () =>
      accounts.length === 0
        ? ""
        : table(
            accounts.map((account) => [
              named(account),
              health(output, account, user.timeZone),
              renewal(account, user.timeZone),
              account.profile.url,
            ]),
          ),
    );
    const [sick] = needReconnect(accounts);
    if (accounts.length === 0) output.note("no account yet; to begin: psn connect feed ./public");
    else if (sick) output.note(`next: ${reconnecting(sick.platform, sick.profile.handle)}`);
    return undefined;
  },
});

function renewal({ expiresAt, refreshedAt, renews }: Account, zone: string): string {
  if (!expiresAt) return "";
  return renews ? `renewed ${refreshedAt ? when(refreshedAt, zone) : "never"}` : `until ${when(expiresAt, zone)}`;
}

function health(output: Output, account: Account, zone: string): string {
  const { health: state, healthReason, pausedUntil, expiresAt } = account;
  if (state === "disconnected") return output.style("dim", state);
  if (state === "needs-reconnect")
    return output.style("yellow", `needs reconnecting: ${healthReason ?? "the platform refused it"}`);
  if (pausedUntil && pausedUntil.getTime() > Date.now())
    return output.style("yellow", `paused by the platform until ${when(pausedUntil, zone)}`);
  if (expiresAt && endsSoon(account, new Date()))
    return output.style(
      "yellow",
      `ends ${when(expiresAt, zone)}: ${reconnecting(account.platform, account.profile.handle)}`,
    );
  return output.style("green", "ok");
}
