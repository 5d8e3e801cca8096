import { basename } from "node:path";
import { forgetKey, putKey, sealedKeys, unsealedOf } from "@psn/app/api-keys.ts";
import {
  KeysListDocument,
  KeysPushDocument,
  KeysRemoveDocument,
  KeysSetDocument,
} from "@psn/app/documents/settings.ts";
import { type CommandGroup, defineCommand } from "@psn/cli/command.ts";
import { table } from "@psn/cli/output.ts";
import { givenSecret } from "@psn/cli/prompt.ts";
import { PsnError } from "@psn/core/errors.ts";
import { APP_KEYS, appKeySetting, knownSetting, type Origin } from "@psn/core/utils/env.ts";
import { z } from "zod";

const NAME = /^[A-Z][A-Z0-9_]{0,63}$/;
const named = z.string().regex(NAME, { error: "must be like X_CLIENT_ID: capital letters, digits and underscores" });

const placeOf = (origin: Origin) =>
  typeof origin === "string" ? `the ${origin}` : `${basename(origin.file)}:${origin.line}`;

const list = defineCommand({
  name: "list",
  summary: "list the keys of your developer apps, without their values",
  details: "A value in keys.env or the environment overrides the value that is sealed in the hub.",
  examples: [{ line: "psn keys list", does: "which keys exist, and where" }],
  document: KeysListDocument,
  schema: z.object({}),
  run: async (_input, context) => {
    const { output } = context;
    const hub = await context.hub();
    const appKeys = hub.appKeys();
    const sealed = await sealedKeys(hub);
    const names = [...new Set([...appKeys.keys(), ...sealed.map(({ name }) => name)])].toSorted();
    const keys = names.map((name) => {
      const kept = sealed.find((key) => key.name === name);
      const given = appKeys.get(name);
      return { name, file: given ? placeOf(given.origin) : null, sealed: kept?.updatedAt.toISOString() ?? null };
    });
    output.result({ keys }, () =>
      table(
        keys.map(({ name, file, sealed: since }) => [
          name,
          file ?? "hub",
          since === null ? "not sealed in the hub" : "sealed in the hub",
        ]),
      ),
    );
    if (keys.length === 0) output.note("no key yet; psn connect PLATFORM asks for the keys that it needs");
    return undefined;
  },
});

const set = defineCommand({
  name: "set",
  summary: "store a key of your developer app, encrypted, in the hub",
  details: "psn reads the value from a prompt without echo, standard input or a file, never from the command line.",
  examples: [
    { line: "psn keys set X_CLIENT_SECRET", does: "asks for it" },
    { line: "psn keys set X_CLIENT_SECRET --stdin < secret.txt", does: "in a script" },
  ],
  args: [{ name: "<name>", help: "the key's name, as psn connect shows it" }],
  flags: [
    { flags: "--stdin", help: "the value, read from standard input" },
    { flags: "--file <file>", help: "the value, read from a file" },
  ],
  document: KeysSetDocument,
  schema: z.object({ name: named, stdin: z.boolean().default(false), file: z.string().optional() }),
  run: async ({ name, stdin, file }, context) => {
    const { output, prompt } = context;
    knownSetting(name, APP_KEYS);
    const hub = await context.hub();
    const { world, user } = hub;
    const appKeys = hub.appKeys();
    const value =
      (await givenSecret("", { fromStdin: stdin, file, stdin: context.stdin })) ??
      (await prompt.secret(name, "--stdin or --file"));
    if (value.trim() === "")
      throw new PsnError("INPUT_INVALID", "a key must not be empty", { hint: `psn keys rm ${name}` });
    context.noReturn();
    await putKey(world, { userId: user.id, name, value: value.trim() });
    output.result({ name, sealed: true }, () => `sealed  ${name}`);
    const above = appKeys.get(name);
    if (above) output.note(`${name} in ${placeOf(above.origin)} overrides it on this machine`);
    return undefined;
  },
});

const remove = defineCommand({
  name: "rm",
  summary: "delete a key that is sealed in the hub",
  examples: [
    {
      line: "psn keys rm X_CLIENT_SECRET",
      does: "the tokens of accounts connected with it can no longer be refreshed",
    },
  ],
  args: [{ name: "<name>", help: "the key's name, as psn keys list shows it" }],
  document: KeysRemoveDocument,
  schema: z.object({ name: named }),
  run: async ({ name }, context) => {
    const hub = await context.hub();
    const appKeys = hub.appKeys();
    context.noReturn();
    if (!(await forgetKey(hub, name)))
      throw new PsnError("NOT_FOUND", `no key called ${name} is sealed in the hub`, {
        hint: appKeys.has(name) ? "psn config edit keys" : "psn keys list",
      });
    context.output.result({ name, removed: true }, () => `forgotten  ${name}`);
    return undefined;
  },
});

const push = defineCommand({
  name: "push",
  summary: "store the keys of keys.env, encrypted, in the hub",
  details:
    "Tasks and other machines of this hub can then use the keys too. psn skips a name that it does not know, and " +
    "shows it. A key that is already sealed with the same value does not change. keys.env does not change.",
  examples: [{ line: "psn keys push", does: "after editing keys.env" }],
  flags: [{ flags: "--dry-run", help: "show which keys would be sealed" }],
  document: KeysPushDocument,
  schema: z.object({ dryRun: z.boolean().default(false) }),
  run: async ({ dryRun }, context) => {
    const { output } = context;
    const hub = await context.hub();
    const { world, user } = hub;
    const appKeys = hub.appKeys();
    const unknown = [...appKeys.keys()].filter((name) => !appKeySetting(name));
    const known = [...appKeys].filter(([name]) => !unknown.includes(name));
    const fresh = await unsealedOf(hub, new Map(known.map(([name, { value }]) => [name, value])));
    if (!dryRun) context.noReturn();
    if (!dryRun) for (const [name, value] of fresh) await putKey(world, { userId: user.id, name, value });
    const names = [...fresh.keys()];
    output.result({ sealed: names, same: appKeys.size - names.length - unknown.length, unknown, dryRun }, () =>
      names.length === 0 ? "nothing to do" : `${dryRun ? "would seal" : "sealed"}  ${names.join(", ")}`,
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
