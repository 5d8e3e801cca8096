import { dirname, join } from "node:path";
import {
  ConfigEditDocument,
  ConfigGetDocument,
  ConfigListDocument,
  ConfigPathDocument,
  ConfigSetDocument,
} from "@psn/app/documents/settings.ts";
import { type CommandGroup, type Context, defineCommand } from "@psn/cli/command.ts";
import { editText } from "@psn/cli/editor.ts";
import { type Column, type Field, list as listed } from "@psn/cli/list.ts";
import { givenSecret } from "@psn/cli/prompt.ts";
import { PsnError } from "@psn/core/errors.ts";
import {
  type ConfigFile,
  type ConfigRow,
  configPath,
  configText,
  getConfig,
  listConfig,
  replaceConfig,
  setConfig,
  unsetConfig,
} from "@psn/core/utils/config.ts";
import { checkEnvText, knownSetting, terminalEnv, writeEnvFile } from "@psn/core/utils/env.ts";
import { APP_KEYS, HUB_SETTINGS } from "@psn/core/utils/settings.ts";
import { z } from "zod";

const SETTINGS = [...HUB_SETTINGS, ...APP_KEYS].map(({ name }) => name);

const COLUMNS: readonly Column<ConfigRow>[] = [
  { head: "NAME", cell: ({ name }) => name },
  {
    head: "VALUE",
    cell: ({ shown }) => shown ?? "not set",
    style: ({ shown }) => (shown === undefined ? "dim" : undefined),
    least: 16,
  },
  { head: "FROM", cell: fromOf, style: () => "dim", least: 12, rank: 1 },
];

const FIELDS: readonly Field<ConfigRow>[] = [
  { name: "name", value: ({ name }) => name },
  { name: "file", value: ({ file }) => file },
  { name: "value", value: ({ shown }) => shown },
  { name: "origin", value: fromOf },
];

const list = defineCommand({
  name: "list",
  summary: "list every setting, its value and where it comes from; secrets are masked",
  examples: [{ line: "psn config list --json", does: "as JSON, for a script; secrets are masked" }],
  fields: FIELDS.map(({ name }) => name),
  document: ConfigListDocument,
  schema: z.object({}),
  run: async (_input, { folder, output }) => {
    const { rows, problems } = listConfig(await folder());
    output.result(
      { values: rows.map(document), problems: problems.map(({ message, hint = null }) => ({ message, hint })) },
      () => listed(output, rows, { columns: COLUMNS, fields: FIELDS }),
    );
    for (const { message } of problems) output.note(message);
    return problems.length > 0 ? problems[0]?.exit : undefined;
  },
});

const get = defineCommand({
  name: "get",
  summary: "show one setting and where it comes from",
  examples: [{ line: "psn config get DATABASE_URL", does: "secrets are masked" }],
  args: [{ name: "<name>", help: "as psn config list shows it", takes: SETTINGS }],
  document: ConfigGetDocument,
  schema: z.object({ name: z.string() }),
  run: async ({ name }, { folder, output }) => {
    const row = getConfig(await folder(), name);
    output.result(document(row), () => row.shown ?? "");
    if (row.shown === undefined)
      output.note(
        row.file === "keys"
          ? `${name} is not in keys.env; psn keys list shows what the hub has sealed`
          : `${name} is not set`,
      );
    return undefined;
  },
});

const set = defineCommand({
  name: "set",
  summary: "change a setting; secrets are read from a prompt or standard input",
  details:
    "psn checks the name and the value first. The file's comments and order do not change. psn never accepts a " +
    "secret on the command line.",
  examples: [
    { line: "psn config set PSN_TIME_ZONE Europe/Berlin", does: "a value that is not a secret" },
    {
      line: "psn config set X_CLIENT_SECRET --stdin < secret.txt",
      does: "a secret; without --stdin psn prompts for it",
    },
  ],
  args: [
    { name: "<name>", help: "as psn config list shows it", takes: SETTINGS },
    { name: "[value]", help: "not for secrets" },
  ],
  flags: [
    { flags: "--stdin", help: "read the value from standard input" },
    { flags: "--unset", help: "remove the setting from the file" },
    { flags: "--dry-run", help: "check the name, and change nothing" },
  ],
  document: ConfigSetDocument,
  schema: z.object({
    name: z.string(),
    value: z.string().optional(),
    stdin: z.boolean().default(false),
    unset: z.boolean().default(false),
    dryRun: z.boolean().default(false),
  }),
  run: async ({ name, value, stdin, unset, dryRun }, context) => {
    const { output } = context;
    const hub = await context.folder();
    if (unset) {
      if (dryRun) getConfig(hub, name);
      if (!dryRun) context.noReturn();
      if (!dryRun) unsetConfig(hub, name);
      output.result({ name, unset: true, dryRun }, () => `${dryRun ? "would unset" : "unset"} ${name}`);
      return undefined;
    }
    const { secret } = knownSetting(name);
    if (value !== undefined && secret)
      throw new PsnError("SECRET_IN_ARGUMENTS", `${name} is a secret, and other users can read a command line`, {
        hint: `psn config set ${name} --stdin`,
      });
    const given = value ?? (await askFor(name, { secret, fromStdin: stdin, ...context }));
    if (!dryRun) context.noReturn();
    const file = dryRun ? getConfig(hub, name).file : setConfig(hub, name, given);
    output.result(
      { name, file: configPath(hub, file), dryRun },
      () => `${dryRun ? "would set" : "set"} ${name} in ${configPath(hub, file)}`,
    );
    return undefined;
  },
});

const edit = defineCommand({
  name: "edit",
  summary: "edit hub.env or keys.env; psn checks the new text before it replaces the file",
  examples: [{ line: "EDITOR=nano psn config edit keys", does: "opens keys.env" }],
  args: [{ name: "[file]", help: "hub or keys; default: hub", takes: ["hub", "keys"] }],
  document: ConfigEditDocument,
  schema: z.object({ file: z.enum(["hub", "keys"], { error: "must be hub or keys" }).default("hub") }),
  run: async ({ file }, context) => {
    const { folder, output } = context;
    const hub = await folder();
    const changed = await editFile(hub, file, context);
    output.result({ file: configPath(hub, file), changed }, () =>
      changed ? `saved ${configPath(hub, file)}` : "nothing was changed",
    );
    return undefined;
  },
});

const path = defineCommand({
  name: "path",
  summary: "print the paths of hub.env and keys.env",
  examples: [{ line: "psn config path", does: "hub.env, then keys.env" }],
  document: ConfigPathDocument,
  schema: z.object({}),
  run: async (_input, { folder, output }) => {
    const hub = await folder();
    const paths = { hub: configPath(hub, "hub"), keys: configPath(hub, "keys") };
    output.result(paths, () => [paths.hub, paths.keys]);
    return undefined;
  },
});

function document({ name, file, secret, shown, origin }: ConfigRow) {
  return { name, file, secret, value: shown ?? null, origin: origin ?? null };
}

function fromOf(row: ConfigRow): string {
  return row.shown === undefined ? "" : originOf(row);
}

function originOf({ origin }: ConfigRow): string {
  return typeof origin === "object" ? `${origin.file}:${origin.line}` : (origin ?? "");
}

async function askFor(
  name: string,
  { secret, fromStdin, prompt, stdin }: { readonly secret: boolean; readonly fromStdin: boolean } & Context,
): Promise<string> {
  const given = await givenSecret(name, { fromStdin, file: undefined, stdin });
  return given ?? (secret ? prompt.secret(name, "--stdin") : prompt.text(name, "the value as an argument, or --stdin"));
}

/** A copy is edited, checked, and only then put in the file's place. */
async function editFile(hub: string, file: ConfigFile, context: Context): Promise<boolean> {
  const before = configText(hub, file);
  // From here on a copy with secrets lies about, which is removed whatever happens.
  if (terminalEnv().editor !== undefined) context.noReturn();
  const after = await editText({ text: before, name: `${file}.env`, command: "psn config edit" }, context);
  if (after === before) return false;
  keepingRefused(join(dirname(configPath(hub, file)), `refused.${file}.env`), after, () => {
    checkEnvText(after, configPath(hub, file));
    replaceConfig(hub, { file, before, after });
  });
  return true;
}

/** What was typed is not lost when it cannot be used. */
function keepingRefused(path: string, text: string, replace: () => void): void {
  try {
    replace();
  } catch (error) {
    if (!(error instanceof PsnError)) throw error;
    writeEnvFile(path, text);
    throw new PsnError(error.code, error.message, {
      cause: error,
      hint: `fix it and edit again; your text is kept in ${path}`,
    });
  }
}

export default {
  name: "config",
  summary: "hub.env and keys.env",
  commands: [list, get, set, edit, path],
} satisfies CommandGroup;
