import { nameOf, namesOf } from "@psn/app/choose-accounts.ts";
import type { PsnError } from "@psn/core/errors.ts";
import type { Account, Disconnected } from "@psn/core/ports/accounts.ts";
import { z } from "zod";
import { AccountHealth, Count, type DocumentOf, DryRun, Id, Instant, instant } from "./values.ts";

/** An account at a platform. */
export const AccountDocument = z
  .strictObject({
    id: Id,
    name: z.string().describe("`platform:handle`: what `--to` takes."),
    platform: z.string(),
    handle: z.string(),
    subject: z.string().describe("The platform's own id of the account, which does not change."),
    url: z.string(),
    health: AccountHealth,
    reason: z.string().nullable().describe("Why it must be reconnected."),
    pausedUntil: Instant.nullable().describe("The platform takes nothing from this account before."),
    expires: Instant.nullable().describe("When its token ends."),
    renews: z.boolean().describe("psn renews the token by itself."),
    refreshed: Instant.nullable().describe("When the token was last renewed."),
    connected: Instant,
  })
  .meta({ id: "Account", description: "An account at a platform." });

export const AccountsDocument = z.strictObject({ accounts: z.array(AccountDocument) });

export function accountsDocument(accounts: readonly Account[]): DocumentOf<typeof AccountsDocument> {
  const names = namesOf(accounts);
  return { accounts: accounts.map((account) => accountDocument(account, names.get(account.id) ?? nameOf(account))) };
}

function accountDocument(account: Account, name: string): DocumentOf<typeof AccountDocument> {
  const { id, platform, profile, health, healthReason, pausedUntil, expiresAt, refreshedAt, createdAt, renews } =
    account;
  return {
    id,
    name,
    platform,
    handle: profile.handle,
    subject: profile.subject,
    url: profile.url,
    health,
    reason: healthReason,
    pausedUntil: instant(pausedUntil),
    expires: instant(expiresAt),
    renews,
    refreshed: instant(refreshedAt),
    connected: createdAt.toISOString(),
  };
}

const again = z.boolean().describe("The account was known before: its history and its scheduled posts stay.");
const sameSecret = z.array(z.string()).optional().describe("Other accounts that have this secret, and should not.");

export const ConnectDocument = z.union([
  z.strictObject({
    id: Id,
    platform: z.string(),
    handle: z.string(),
    subject: z.string(),
    url: z.string(),
    again,
    publicKey: z.string().optional().describe("For the receiver of a webhook."),
    bothSignUntil: Instant.optional().describe("Until then the earlier secret signs too."),
    sameSecret,
  }),
  z.strictObject({
    dryRun: z.literal(true),
    platform: z.string(),
    way: z.enum(["form", "oauth"]),
    form: z.record(z.string(), z.string()).describe("What would be sent, secrets masked."),
    handle: z.string().optional(),
    again: again.optional(),
    sameSecret,
  }),
]);

export const DisconnectDocument = z.strictObject({
  account: z.string(),
  cancelled: Count.describe("Deliveries that were still to come."),
  unconfirmed: Count.describe("Deliveries whose answer is missing."),
  revoked: z.boolean().describe("The platform was told to forget psn's access."),
  dryRun: DryRun,
});

/** What became of an account that was disconnected, or would become of it. */
export interface DisconnectFacts extends Disconnected {
  readonly account: Account;
  readonly revoked: boolean;
  /** Why the platform was not told, where it was not. */
  readonly trouble: PsnError | undefined;
  readonly dryRun: boolean;
}

export function disconnectDocument(facts: DisconnectFacts): DocumentOf<typeof DisconnectDocument> {
  const { account, cancelled, unconfirmed, revoked, dryRun } = facts;
  return { account: nameOf(account), cancelled, unconfirmed, revoked, dryRun };
}
