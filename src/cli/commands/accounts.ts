import { endsSoon } from "@psn/app/account-health.ts";
import { reconnecting } from "@psn/app/advice.ts";
import { nameOf, namesOf } from "@psn/app/choose-accounts.ts";
import { needReconnect } from "@psn/app/queries/accounts.ts";
import { accounts as accountsVerb } from "@psn/app/verbs/accounts.ts";
import { briefly } from "@psn/cli/briefly.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { type Column, type Field, list } from "@psn/cli/list.ts";
import type { Style } from "@psn/cli/output.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import { z } from "zod";

const FIELDS = (named: (account: Account) => string): readonly Field<Account>[] => [
  { name: "account", value: named },
  { name: "id", value: ({ id }) => id },
  { name: "health", value: ({ health }) => health },
  { name: "reason", value: ({ healthReason }) => healthReason },
  { name: "pausedUntil", value: ({ pausedUntil }) => pausedUntil?.toISOString() },
  { name: "expires", value: ({ expiresAt }) => expiresAt?.toISOString() },
  { name: "renews", value: ({ renews }) => renews },
  { name: "refreshed", value: ({ refreshedAt }) => refreshedAt?.toISOString() },
  { name: "connected", value: ({ createdAt }) => createdAt.toISOString() },
  { name: "url", value: ({ profile }) => profile.url },
];

export default defineCommand({
  name: "accounts",
  summary: accountsVerb.summary,
  examples: [
    { line: "psn accounts", does: "which accounts are connected, and which need your attention" },
    { line: "psn accounts --json", does: "the same as JSON, for a script" },
  ],
  flags: [{ flags: "--all", help: "also list disconnected accounts" }],
  fields: FIELDS(nameOf).map(({ name }) => name),
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
        : list(output, accounts, {
            columns: columns(named, { zone: user.timeZone, now: context.now() }),
            fields: FIELDS(named),
          }),
    );
    const [sick] = needReconnect(accounts);
    if (accounts.length === 0) output.note("no account yet; to begin: psn connect feed ./public");
    else if (sick) output.note(`next: ${reconnecting(sick.platform, sick.profile.handle)}`);
    return undefined;
  },
});

interface Moment {
  readonly zone: string;
  readonly now: Date;
}

const columns = (named: (account: Account) => string, moment: Moment): readonly Column<Account>[] => [
  { head: "ACCOUNT", cell: named, least: 24 },
  { head: "STATE", cell: (account) => standing(account, moment).word, style: (one) => standing(one, moment).style },
  { head: "TOKEN", cell: (account) => renewal(account, moment), rank: 2 },
  { head: "REASON", cell: (account) => standing(account, moment).reason ?? "", least: 16, rank: 3 },
  { head: "ADDRESS", cell: ({ profile }) => profile.url, least: 24, rank: 1 },
];

function renewal({ expiresAt, refreshedAt, renews }: Account, moment: Moment): string {
  if (!expiresAt) return "";
  return renews
    ? `renewed ${refreshedAt ? briefly(refreshedAt, moment) : "never"}`
    : `until ${briefly(expiresAt, moment)}`;
}

interface Standing {
  readonly word: string;
  readonly style: Style;
  readonly reason?: string;
}

function standing(account: Account, moment: Moment): Standing {
  const { health, healthReason, pausedUntil, expiresAt, platform, profile } = account;
  if (health === "disconnected") return { word: health, style: "dim" };
  if (health === "needs-reconnect")
    return { word: "needs reconnecting", style: "yellow", reason: healthReason ?? "the platform refused the token" };
  if (pausedUntil && pausedUntil.getTime() > moment.now.getTime())
    return { word: "paused", style: "yellow", reason: `by the platform until ${briefly(pausedUntil, moment)}` };
  if (expiresAt && endsSoon(account, moment.now))
    return {
      word: "ends soon",
      style: "yellow",
      reason: `${briefly(expiresAt, moment)}: ${reconnecting(platform, profile.handle)}`,
    };
  return { word: "ok", style: "green" };
}
