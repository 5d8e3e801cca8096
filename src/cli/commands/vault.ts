import { VaultRotateDocument, VaultStatusDocument } from "@psn/app/documents/settings.ts";
import { type KeyUse, vaultStatus } from "@psn/app/queries/vault-status.ts";
import { rotateVault } from "@psn/app/rotate-vault.ts";
import { type CommandGroup, type Context, defineCommand } from "@psn/cli/command.ts";
import { type Column, type Field, list } from "@psn/cli/list.ts";
import { showing } from "@psn/cli/progress.ts";
import { TRIGGER_TOKEN_FLAGS, type TriggerTokenInput, triggerToken, triggerTokenSchema } from "@psn/cli/vendors.ts";
import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { z } from "zod";

const COLUMNS: readonly Column<KeyUse>[] = [
  { head: "KEY", cell: ({ id }) => id, least: 12 },
  { head: "ROLE", cell: ({ role }) => role },
  { head: "SEALED", cell: ({ sealed }) => `${sealed} ${sealed === 1 ? "value" : "values"}` },
];

const FIELDS: readonly Field<KeyUse>[] = [
  { name: "id", value: ({ id }) => id },
  { name: "role", value: ({ role }) => role },
  { name: "sealed", value: ({ sealed }) => sealed },
];

const status = defineCommand({
  name: "status",
  summary: "show how many values each key has sealed",
  details:
    "A key id identifies a key without revealing it. While psn vault rotate runs there is also an old key, until " +
    "no value uses it. psn cannot decrypt values of any other key. Counts the values of all users of the hub, if " +
    "hub.env has a login with this right.",
  examples: [
    { line: "psn vault status", does: "show which keys are in use" },
    { line: "psn vault status --json", does: "the same as JSON, to watch a rotation" },
  ],
  fields: FIELDS.map(({ name }) => name),
  document: VaultStatusDocument,
  schema: z.object({}),
  run: async (_input, context) => {
    const { output } = context;
    const { world, user, keyIds, folder } = await context.hub();
    const { usersOfHub } = await import("@psn/wiring/users.ts");
    const users = await usersOfHub(folder).catch((error: unknown) => {
      if (error instanceof PsnError && error.code === "DB_OWNER_REQUIRED") return [user.id];
      throw error;
    });
    const keys = await vaultStatus(world, { keyIds, users });
    output.result({ rotating: keyIds.length > 1, users: users.length, keys }, () =>
      list(output, keys, { columns: COLUMNS, fields: FIELDS }),
    );
    if (keyIds.length > 1) output.note("a rotation is running or was stopped: psn vault rotate continues it");
    if (keys.some(({ role: is }) => is === "unknown"))
      output.note(
        "psn cannot decrypt values of an unknown key: put that key into HUB_ENCRYPTION_KEY, or reconnect their " +
          "accounts",
      );
    return undefined;
  },
});

const rotate = defineCommand({
  name: "rotate",
  summary: "create a new key and seal everything with it",
  details:
    "Creates a new key, and keeps the old key in hub.env until every value of every user is sealed with the new " +
    "one; then removes the old key. You can stop the command at any time: when you run it again it continues, " +
    "and creates no third key. Workers and tasks keep publishing. Tasks on Trigger.dev get both keys first, " +
    "and psn waits five minutes for tasks that started earlier. If workers on other machines have their own " +
    "hub.env, run the command with --prepare first and copy both keys there. Keep a copy of the new key; " +
    "to use a backup of the database you need the key from the time of the backup.",
  examples: [
    { line: "psn vault rotate", does: "create a new key, and stop using the old one" },
    {
      line: "psn vault rotate --prepare",
      does: "create the key and distribute it; psn vault rotate then does the rest",
    },
  ],
  flags: [
    { flags: "--prepare", help: "create the new key and give it to the tasks; seal no value with it yet" },
    ...TRIGGER_TOKEN_FLAGS,
  ],
  document: VaultRotateDocument,
  schema: z.object({ prepare: z.boolean().default(false), ...triggerTokenSchema }),
  run: async ({ prepare, ...input }, context) => {
    const { output, signal } = context;
    const { world, folder } = await context.hub("session");
    const [keyring, { openUsers }] = await Promise.all([
      import("@psn/wiring/keyring.ts"),
      import("@psn/wiring/users.ts"),
    ]);
    const unlock = keyring.lockRotation(folder);
    let users: Awaited<ReturnType<typeof openUsers>> | undefined;
    try {
      const opened = await openUsers(folder);
      users = opened;
      context.leaves("stopped; psn vault rotate continues a rotation that was started", "psn vault rotate");
      const tasks = await tasksOf(folder, input, context);
      const rotated = await showing(output, { what: "sealing again", parts: "values" }, (shown) =>
        rotateVault({
          world,
          keyring: keyring.keyringOf(folder),
          ...defined({ tasks }),
          users: opened.list,
          isHere: keyring.isHere,
          prepareOnly: prepare,
          signal,
          onSealed: shown.at,
          onWait: (ms) =>
            output.note(
              `waiting ${Math.ceil(ms / 1000)} s for tasks that know only the old key; after Ctrl-C the same command ` +
                `continues later`,
            ),
        }),
      );
      const { keyId, oldKeyId, resumed, finished, rows, tasksReadyAt } = rotated;
      output.result(
        { key: keyId, old: oldKeyId, resumed, finished, rows, tasksReadyAt: tasksReadyAt?.toISOString() ?? null },
        () =>
          finished
            ? `${output.style("green", "rotated")}  everything is sealed with key ${keyId}; ${oldKeyId} is removed`
            : `key ${keyId} is created; ${oldKeyId} is kept too`,
      );
      if (finished) output.note("keep a copy of HUB_ENCRYPTION_KEY of config/hub.env elsewhere; members need new keys");
      else output.note("next: copy both keys to every other hub.env of this hub, then psn vault rotate");
      return undefined;
    } finally {
      await users?.close();
      unlock();
    }
  },
});

/** The keys of the tasks on Trigger.dev, where the hub has a project there. */
async function tasksOf(folder: string, input: TriggerTokenInput, context: Context) {
  const vendors = await import("@psn/wiring/vendors.ts");
  const env = vendors.settingsOf(folder);
  const projectRef = env.get("TRIGGER_PROJECT_REF");
  if (projectRef === undefined) return undefined;
  const token = await triggerToken(input, env, context);
  const { taskKeysOf } = await import("@psn/app/task-keys.ts");
  const some = (which: "secrets" | "plain", begins: string) =>
    Object.fromEntries(Object.entries(vendors.variablesOf(folder)[which]).filter(([name]) => name.startsWith(begins)));
  const secrets = () => some("secrets", "HUB_ENCRYPTION_KEY");
  const plain = () => some("plain", "PSN_OBJECT_MARKS");
  return taskKeysOf(vendors.openTrigger(env, token), { projectRef, secrets, now: context.now, plain });
}

export default { name: "vault", summary: "the sealed secrets", commands: [status, rotate] } satisfies CommandGroup;
