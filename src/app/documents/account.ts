import { nameOf, namesOf } from "@psn/app/choose-accounts.ts";
import type { ConnectedAccount } from "@psn/app/connect-account.ts";
import type { PsnError } from "@psn/core/errors.ts";
import type { Account, Disconnected } from "@psn/core/ports/accounts.ts";
import type { Auth } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
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

/** What a person would be asked for. */
const ASKED = "(asked for)";

/** The form as it may be shown: secrets masked. */
export function maskedForm({ fields }: Auth, form: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const shown = (value: string | undefined, secret: boolean) => {
    if (value === undefined) return ASKED;
    return secret && value !== "" ? "••••••••" : value;
  };
  return Object.fromEntries(fields.map(({ name, secret }) => [name, shown(form[name], secret)]));
}

export type ConnectFacts =
  | {
      readonly dryRun: false;
      readonly connected: ConnectedAccount;
      /** The origin to which psn may send from now on, though it is not public; undefined where nothing was allowed. */
      readonly allowed: string | undefined;
    }
  | {
      readonly dryRun: true;
      readonly platform: string;
      readonly way: Auth["kind"];
      /** Secrets are masked. */
      readonly form: Readonly<Record<string, string>>;
      /** The account that was named to be reconnected. */
      readonly account: Account | undefined;
      /** Undefined where the platform was not asked: a person must say more, or consent. */
      readonly found: ConnectedAccount | undefined;
    };

export function connectDocument(facts: ConnectFacts): DocumentOf<typeof ConnectDocument> {
  const shared = (some: readonly string[] = []) => (some.length === 0 ? undefined : some);
  if (facts.dryRun) {
    const { platform, way, form, found } = facts;
    return {
      dryRun: true,
      platform,
      way,
      form,
      ...defined({ handle: found?.profile.handle, again: found?.again, sameSecret: shared(found?.shared) }),
    };
  }
  const { id, platform, profile, again: known, publicKey, formerUntil, shared: others } = facts.connected;
  const { handle, subject, url } = profile;
  return {
    id,
    platform,
    handle,
    subject,
    url,
    again: known,
    ...defined({ publicKey, bothSignUntil: formerUntil?.toISOString(), sameSecret: shared(others) }),
  };
}

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
