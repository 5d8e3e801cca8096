import { PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Auth, FormField, HubPlace } from "@psn/core/types/account.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { accountNamed } from "./choose-accounts.ts";
import { plainHandle } from "./own-name.ts";
import { accountsOf, needReconnect } from "./queries/accounts.ts";
import type { Scope } from "./scope.ts";

/*
 * What is known of an account before it is connected: its platform, the way there, and the form.
 */

export interface Target {
  readonly platform: Platform;
  /** The account that is to be reconnected, where it was named. */
  readonly account: Account | undefined;
}

/** What its owner is connecting to. */
export interface Reaching {
  /** The world in which the addresses that were entered may be private. */
  readonly world: World;
  /**
   * Allows the origin of this address from now on, if it is private and was entered, or was named by a private server
   * that was entered. Returns it when it was not allowed before.
   */
  readonly keep: (home: string) => Promise<string | undefined>;
}

/** What a form's values are taken from where they are not given. */
export interface Reconnected {
  readonly account: Account;
  readonly hub: HubPlace | undefined;
}

/** A platform by its id, or an account of one that is to be reconnected, by its name. Throws NOT_FOUND. */
export async function targetOf(scope: Scope, named: string): Promise<Target> {
  const { platforms } = scope.world;
  if (!named.includes(":")) return { platform: await platforms.load(named), account: undefined };
  const account = accountNamed(await accountsOf(scope, { all: true }), named);
  if (!account) throw new PsnError("NOT_FOUND", `no account is called "${named}"`, { hint: { run: "accounts" } });
  return { platform: await platforms.load(account.platform), account };
}

/**
 * The account that is meant where none is named: the one of this platform that waits to be reconnected, if it is the
 * only one.
 */
export async function onlyNeedy(scope: Scope, platformId: string): Promise<Account | undefined> {
  const needy = needReconnect(await accountsOf(scope)).filter(({ platform }) => platform === platformId);
  return needy.length === 1 ? needy[0] : undefined;
}

/** The first field of a form that is no secret: it names the account, or where it is. */
export function namingField({ fields }: Auth): FormField | undefined {
  return fields.find(({ secret }) => !secret);
}

/**
 * What the account that is reconnected has in this field, else what the platform has; undefined: somebody must say it.
 */
export function presetOf(field: FormField, again: Reconnected | undefined): string | undefined {
  if (!again) return field.fallback;
  const { account, hub } = again;
  return field.known?.({ ...account.profile, handle: plainHandle(account.profile) }, hub) ?? field.fallback;
}

/**
 * The form, what is missing in it being filled in as far as it is known. `unsaid`: fields that stay out of it. Throws
 * INPUT_INVALID for a field that the platform does not ask for, INPUT_REQUIRED for one that is missing.
 */
export async function filledForm(
  scope: Scope,
  {
    target: { platform, account },
    way,
    form,
    another,
    unsaid,
  }: {
    readonly target: Target;
    readonly way: Auth;
    readonly form: Readonly<Record<string, string>>;
    readonly another: boolean;
    readonly unsaid: readonly string[];
  },
): Promise<Readonly<Record<string, string>>> {
  const names = way.fields.map(({ name }) => name);
  const foreign = Object.keys(form).find((name) => !names.includes(name));
  if (foreign !== undefined)
    throw new PsnError("INPUT_INVALID", `${platform.id} does not ask for ${foreign}, but for ${listed(names)}`);
  const missing = way.fields.filter(({ name }) => form[name] === undefined && !unsaid.includes(name));
  if (missing.length === 0) return form;
  const first = namingField(way);
  const isNamed = first !== undefined && form[first.name] !== undefined;
  const known = account ?? (isNamed || another ? undefined : await onlyNeedy(scope, platform.id));
  const again = known && !isNamed ? { account: known, hub: scope.world.hub } : undefined;
  const rest = missing.map((field): readonly [string, string] => {
    const value = presetOf(field, again) ?? (field.keeps && again ? "" : undefined);
    if (value !== undefined) return [field.name, value];
    throw new PsnError("INPUT_REQUIRED", `${platform.id} asks for ${field.name}: ${field.help}`);
  });
  return { ...form, ...Object.fromEntries(rest) };
}

const listed = (names: readonly string[]) => names.join(", ") || "consent in a browser only";
