import { type KeyFacts, placeOf } from "@psn/app/documents/keys.ts";
import { keyName, listKeys, pushKeys, removeKey, setKey } from "@psn/app/verbs/keys.ts";
import { type CommandGroup, defineCommand } from "@psn/cli/command.ts";
import { type Column, type Field, list as listed } from "@psn/cli/list.ts";
import { givenSecret } from "@psn/cli/prompt.ts";
import { APP_KEYS, knownSetting } from "@psn/core/utils/env.ts";
import { z } from "zod";

const COLUMNS: readonly Column<KeyFacts>[] = [
  { head: "NAME", cell: ({ name }) => name },
  { head: "VALUE FROM", cell: ({ origin }) => (origin === undefined ? "hub" : placeOf(origin)), least: 12 },
  {
    head: "IN THE HUB",
    cell: ({ sealedAt }) => (sealedAt === undefined ? "not sealed" : "sealed"),
  },
];

const FIELDS: readonly Field<KeyFacts>[] = [
  { name: "name", value: ({ name }) => name },
  { name: "file", value: ({ origin }) => (origin === undefined ? null : placeOf(origin)) },
  { name: "sealed", value: ({ sealedAt }) => sealedAt?.toISOString() },
];

const list = defineCommand({
  name: "list",
  summary: listKeys.summary,
  details: "A value in keys.env or the environment overrides the value that is sealed in the hub.",
  examples: [{ line: "psn keys list", does: "which keys exist, and where" }],
  fields: FIELDS.map(({ name }) => name),
  document: listKeys.output,
  schema: z.object({}),
  run: async (_input, context) => {
    const { output } = context;
    const keys = await listKeys.run(await context.hub(), {});
    output.result(listKeys.document(keys), () => listed(output, keys, { columns: COLUMNS, fields: FIELDS }));
    if (keys.length === 0) output.note("no key yet; psn connect PLATFORM asks for the keys that it needs");
    return undefined;
  },
});

const NAMES = APP_KEYS.map(({ name }) => name);

const set = defineCommand({
  name: "set",
  summary: setKey.summary,
  details: "psn reads the value from a prompt without echo, standard input or a file, never from the command line.",
  examples: [
    { line: "psn keys set X_CLIENT_SECRET", does: "asks for it" },
    { line: "psn keys set X_CLIENT_SECRET --stdin < secret.txt", does: "in a script" },
  ],
  args: [{ name: "<name>", help: "the key's name, as psn connect shows it", takes: NAMES }],
  flags: [
    { flags: "--stdin", help: "the value, read from standard input" },
    { flags: "--file <file>", help: "the value, read from a file" },
  ],
  document: setKey.output,
  schema: z.object({ name: keyName, stdin: z.boolean().default(false), file: z.string().optional() }),
  run: async ({ name, stdin, file }, context) => {
    const { output, prompt } = context;
    knownSetting(name, APP_KEYS);
    const hub = await context.hub();
    // A keys.env that cannot be read is said before anybody is asked.
    hub.appKeys();
    const value =
      (await givenSecret("", { fromStdin: stdin, file, stdin: context.stdin })) ??
      (await prompt.secret(name, "--stdin or --file"));
    const done = await setKey.run(hub, { name, value }, { noReturn: context.noReturn });
    output.result(setKey.document(done), () => `sealed  ${name}`);
    if (done.above !== undefined) output.note(`${name} in ${placeOf(done.above)} overrides it on this machine`);
    return undefined;
  },
});

const remove = defineCommand({
  name: "rm",
  summary: removeKey.summary,
  examples: [
    {
      line: "psn keys rm X_CLIENT_SECRET",
      does: "the tokens of accounts connected with it can no longer be refreshed",
    },
  ],
  args: [{ name: "<name>", help: "the key's name, as psn keys list shows it", takes: NAMES }],
  document: removeKey.output,
  schema: z.object({ name: keyName }),
  run: async ({ name }, context) => {
    const removed = await removeKey.run(await context.hub(), { name }, { noReturn: context.noReturn });
    context.output.result(removeKey.document(removed), () => `forgotten  ${name}`);
    return undefined;
  },
});

const push = defineCommand({
  name: "push",
  summary: pushKeys.summary,
  details:
    "Tasks and other machines of this hub can then use the keys too. psn skips a name that it does not know, and " +
    "shows it. A key that is already sealed with the same value does not change. keys.env does not change.",
  examples: [{ line: "psn keys push", does: "after editing keys.env" }],
  flags: [{ flags: "--dry-run", help: "show which keys would be sealed" }],
  document: pushKeys.output,
  schema: z.object({ dryRun: z.boolean().default(false) }),
  run: async ({ dryRun }, context) => {
    const { output, noReturn } = context;
    const pushed = await pushKeys.run(await context.hub(), { dryRun }, { noReturn });
    const { sealed, unknown } = pushed;
    output.result(pushKeys.document(pushed), () =>
      sealed.length === 0 ? "nothing to do" : `${dryRun ? "would seal" : "sealed"}  ${sealed.join(", ")}`,
    );
    if (unknown.length > 0)
      output.note(`not sealed, because psn does not know these names: ${unknown.join(", ")}; psn config edit keys`);
    return undefined;
  },
});

export default {
  name: "keys",
  summary: "manage the keys of your developer apps at the platforms",
  commands: [list, set, remove, push],
} satisfies CommandGroup;
