import { namingField, presetOf, type Reconnected } from "@psn/app/prepare-connection.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Auth, FormField } from "@psn/core/types/account.ts";
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
  media: "webhook: how media are sent: link, inline, or auto (by their size)",
  "secret-overlap": "webhook: how long the current secret also signs, next to the new one, for example 24h",
} as const;
export const SECRET_FIELDS = ["password", "token", "secret"] as const;
/** Secrets that psn can make (`FormField.make`): with `-new`. */
export const MADE_FIELDS = {
  secret: "webhook: psn creates an ed25519 key pair and prints the public key for the receiver",
} as const;

/** A field's name, or its flag's, as the parser of the command line gives it: in camelCase. */
const parsedName = (flag: string): string => flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** What the command line gave, by names in camelCase. */
export type Given = Readonly<Record<string, unknown>>;

/** The flags by which a secret comes, in camelCase. */
export const secretFlags = (name: string) => [`${name}Stdin`, `${name}File`, `${name}New`] as const;

/** In place of an answer in a dry run, which asks nobody. */
export const ASKED = "(asked for)";
/** How often a person may mistype one field. */
const TRIES = 3;

export interface Filling {
  readonly way: Auth;
  readonly what: string | undefined;
  readonly given: Given;
  readonly context: Context;
  readonly reconnected?: Reconnected;
}

/**
 * The form's values, from the arguments and flags, else from the account that is reconnected, else by asking. Throws
 * USAGE, INPUT_REQUIRED, INPUT_INVALID, FILE_UNREADABLE.
 */
export async function fillForm(
  platform: Platform,
  { way, what, given, context, reconnected }: Filling,
): Promise<Readonly<Record<string, string>>> {
  const { fields } = way;
  const first = namingField(way);
  if (what !== undefined && !first)
    throw new PsnError("USAGE", `${platform.id} takes no value here, but "${what}" was given`);
  refuseForeign(platform, fields, given);
  const form: Record<string, string> = {};
  for (const field of fields) {
    const named = given[parsedName(field.name)];
    if (!field.secret && typeof named === "string" && named.trim() === "")
      throw new PsnError("USAGE", `--${field.name} is empty`, { hint: `write a value, or omit --${field.name}` });
    if (field === first && what !== undefined && named !== undefined)
      throw new PsnError("USAGE", `${field.name} is given twice: "${what}" and --${field.name}`);
    form[field.name] = field.secret
      ? await secretOf(field, { given, context, again: reconnected !== undefined })
      : field === first && what !== undefined
        ? what
        : typeof named === "string"
          ? named
          : (presetOf(field, reconnected) ??
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
  const known = fields.flatMap(({ name, secret }) => (secret ? secretFlags(name) : [parsedName(name)]));
  const foreign = Object.keys(given).find((name) => !known.includes(name));
  if (foreign === undefined) return;
  const asked = fields.map(({ name }) => name).join(", ");
  const flag = `--${foreign.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new PsnError(
    "USAGE",
    `${platform.id} does not accept ${flag}; it asks for ${asked || "your consent in the browser only"}`,
  );
}

/** `again`: the account has one, which it may keep. */
async function secretOf(
  field: FormField,
  { given, context, again }: { readonly given: Given; readonly context: Context; readonly again: boolean },
): Promise<string> {
  const { name, make, keeps, help } = field;
  const [fromStdin, file, fresh] = secretFlags(name);
  const path = given[file];
  const value = await givenSecret(name, {
    fromStdin: given[fromStdin] === true,
    file: typeof path === "string" ? path : undefined,
    stdin: context.stdin,
  });
  if (make && given[fresh] === true) {
    if (value === undefined) return make();
    throw new PsnError("USAGE", `--${name}-new makes one, and another is given`);
  }
  const kept = keeps === true && again;
  if (value === undefined && kept && !context.prompt.interactive) return "";
  const flags = `--${name}-stdin or --${name}-file`;
  const ask = () => context.prompt.secret(kept ? `${help} (empty: keep the current one)` : help, flags);
  return (
    value ??
    field.fallback ??
    asked(kept ? { ...field, check: (entered) => entered === "" || field.check?.(entered) } : field, context, ask)
  );
}
