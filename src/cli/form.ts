import { PsnError } from "@psn/core/errors.ts";
import type { Auth, FormField, HubPlace, Profile } from "@psn/core/types/account.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import type { Context } from "./command.ts";
import { givenSecret } from "./prompt.ts";

/** Every field some platform's form has: as a flag where it is no secret, as `-stdin` and `-file` where it is one. */
export const PLAIN_FIELDS = {
  identifier: "bluesky: your handle",
  server: "bluesky, mastodon: the account's server",
  folder: "feed: the folder to publish into",
  url: "feed: where the folder is served; webhook: the address",
  title: "feed: its title",
} as const;
export const SECRET_FIELDS = ["password", "token", "secret"] as const;

/** What the command line gave, by names in camelCase. */
export type Given = Readonly<Record<string, unknown>>;

/** The flags by which a secret comes, in camelCase. */
export const secretFlags = (name: string) => [`${name}Stdin`, `${name}File`] as const;

/** In place of an answer in a dry run, which asks nobody. */
export const ASKED = "(asked for)";
/** How often a person may mistype one field. */
const TRIES = 3;

/**
 * The form's values, from the arguments and flags, else from the account that is reconnected, else by asking. Throws USAGE,
 * INPUT_REQUIRED, INPUT_INVALID, FILE_UNREADABLE.
 */
export async function fillForm(
  platform: Platform,
  { fields }: Auth,
  what: string | undefined,
  given: Given,
  context: Context,
  reconnected?: { readonly profile: Profile; readonly hub?: HubPlace | undefined },
): Promise<Readonly<Record<string, string>>> {
  const first = fields.find(({ secret }) => !secret);
  if (what !== undefined && !first) throw new PsnError("USAGE", `${platform.id} asks for nothing here, and "${what}" was given`);
  refuseForeign(platform, fields, given);
  const form: Record<string, string> = {};
  for (const field of fields) {
    const named = given[field.name];
    if (field === first && what !== undefined && named !== undefined)
      throw new PsnError("USAGE", `${field.name} is given twice: "${what}" and --${field.name}`);
    form[field.name] = field.secret
      ? await secretOf(field, given, context)
      : field === first && what !== undefined
        ? what
        : typeof named === "string"
          ? named
          : ((reconnected && field.known?.(reconnected.profile, reconnected.hub)) ??
            field.fallback ??
            (await asked(field, context, () => context.prompt.text(field.help, `--${field.name}`))));
  }
  return form;
}

/** Asks again for what cannot be right, and for nothing else. */
async function asked({ check }: FormField, { output }: Context, ask: () => Promise<string>): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const value = await ask();
    if (value === ASKED) return value;
    try {
      check?.(value);
      return value;
    } catch (error) {
      if (!(error instanceof PsnError) || tries === TRIES) throw error;
      output.note([error.message, ...(error.hint === undefined ? [] : [`  → ${error.hint}`])]);
    }
  }
}

/** A flag of another platform is a misunderstanding, and not to be passed over. */
function refuseForeign(platform: Platform, fields: readonly FormField[], given: Given): void {
  const known = fields.flatMap(({ name, secret }) => (secret ? secretFlags(name) : [name]));
  const foreign = Object.keys(given).find((name) => !known.includes(name));
  if (foreign === undefined) return;
  const asked = fields.map(({ name }) => name).join(", ");
  const flag = `--${foreign.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new PsnError("USAGE", `${platform.id} has no use for ${flag}; it asks for ${asked || "your consent in the browser alone"}`);
}

async function secretOf(field: FormField, given: Given, context: Context): Promise<string> {
  const [fromStdin, file] = secretFlags(field.name);
  const path = given[file];
  const value = await givenSecret(field.name, given[fromStdin] === true, typeof path === "string" ? path : undefined, context.stdin);
  const ask = () => context.prompt.secret(field.help, `--${field.name}-stdin or --${field.name}-file`);
  return value ?? field.fallback ?? asked(field, context, ask);
}
