import { connectAccount } from "@psn/app/connect-account.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { givenSecret } from "@psn/cli/prompt.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { FormField, Platform } from "@psn/core/types/platform.ts";
import { z } from "zod";

/** Every field some platform's form has: as a flag where it is no secret, as `-stdin` and `-file` where it is one. */
export const PLAIN_FIELDS = {
  identifier: "bluesky: your handle",
  server: "bluesky, mastodon: the account's server",
  folder: "feed: the folder to publish into",
  url: "feed: where the folder is served; webhook: the address",
  title: "feed: its title",
} as const;
export const SECRET_FIELDS = ["password", "token", "secret"] as const;

const flagsOf = (name: string) => ({ stdin: `${name}Stdin`, file: `${name}File` });

export default defineCommand({
  name: "connect",
  summary: "connect an account",
  details:
    "Connecting the same account again keeps its history and its scheduled posts. Secrets are asked for without echo, or read from standard input or a file; never from the command line.",
  examples: [
    { line: "psn connect feed ./public --url https://example.com", does: "a feed in a folder you serve" },
    { line: "psn connect bluesky ada.bsky.social", does: "asks for an app password" },
    { line: "psn connect mastodon fosstodon.org --token-stdin < token.txt", does: "for scripts" },
    { line: "psn connect webhook https://example.com/hook --secret-file secret.txt", does: "signed JSON to an address of yours" },
  ],
  args: [
    { name: "<platform>", help: "bluesky, mastodon, feed or webhook" },
    { name: "[what]", help: "the first thing the platform asks for: a handle, a server, a folder, an address" },
  ],
  flags: [
    ...Object.entries(PLAIN_FIELDS).map(([name, help]) => ({ flags: `--${name} <${name}>`, help })),
    ...SECRET_FIELDS.flatMap((name) => [
      { flags: `--${name}-stdin`, help: `the ${name}, read from standard input` },
      { flags: `--${name}-file <file>`, help: `the ${name}, read from a file` },
    ]),
    { flags: "--dry-run", help: "take the values, ask nobody, write nothing" },
  ],
  schema: z
    .object({ platform: z.string(), what: z.string().optional(), dryRun: z.boolean().default(false) })
    .catchall(z.union([z.string(), z.boolean()])),
  run: async ({ platform: id, what, dryRun, ...given }, context) => {
    const { output, signal } = context;
    const hub = await context.hub();
    const platform = await hub.world.platforms.load(id);
    const form = await fill(platform, what, given, context);
    if (dryRun) {
      const secrets = new Set<string>(platform.auth.fields.filter(({ secret }) => secret).map(({ name }) => name));
      const shown = Object.entries(form).map(([name, value]) => [name, secrets.has(name) ? "••••••••" : value] as const);
      output.result(
        { dryRun, platform: id, form: Object.fromEntries(shown) },
        () => `would connect ${id} with ${shown.map((pair) => pair.join(" ")).join(", ")}`,
      );
      return undefined;
    }
    const account = await connectAccount(hub.world, hub.user.id, id, form, signal);
    const document = {
      id: account.id,
      platform: id,
      handle: account.profile.handle,
      subject: account.profile.subject,
      url: account.profile.url,
      again: account.again,
    };
    output.result(
      document,
      () =>
        `${output.style("green", account.again ? "reconnected" : "connected")}  ${id}:${account.profile.handle}  ${account.profile.url}`,
    );
    output.note(`next: psn post "hello" --to ${id} --dry-run`);
    return undefined;
  },
});

type Given = Readonly<Record<string, string | boolean>>;

async function fill(platform: Platform, what: string | undefined, given: Given, context: Context): Promise<Record<string, string>> {
  const { fields } = platform.auth;
  const first = fields.find(({ secret }) => !secret);
  const form: Record<string, string> = {};
  refuseForeign(platform, given);
  for (const field of fields) {
    const named = given[field.name];
    if (field === first && what !== undefined && named !== undefined)
      throw new PsnError("USAGE", `${field.name} is given twice: "${what}" and --${field.name}`);
    const value = field.secret
      ? await secretOf(field, given, context)
      : field === first && what !== undefined
        ? what
        : typeof named === "string"
          ? named
          : await plainOf(field, context);
    form[field.name] = value;
  }
  return form;
}

/** A flag of another platform is a misunderstanding, and not to be passed over. */
function refuseForeign(platform: Platform, given: Given): void {
  const known = platform.auth.fields.flatMap(({ name }) => [name, flagsOf(name).stdin, flagsOf(name).file]);
  const foreign = Object.keys(given).find((name) => !known.includes(name));
  if (foreign !== undefined)
    throw new PsnError(
      "USAGE",
      `${platform.id} does not ask for ${foreign}; it asks for ${platform.auth.fields.map(({ name }) => name).join(", ")}`,
    );
}

async function plainOf(field: FormField, { prompt }: Context): Promise<string> {
  return field.fallback ?? prompt.text(field.help, `--${field.name}`);
}

async function secretOf(field: FormField, given: Given, { prompt, stdin }: Context): Promise<string> {
  const { stdin: stdinName, file } = flagsOf(field.name);
  const path = given[file];
  const value = await givenSecret(field.name, given[stdinName] === true, typeof path === "string" ? path : undefined, stdin);
  return value ?? field.fallback ?? prompt.secret(field.help, `--${field.name}-stdin or --${field.name}-file`);
}
