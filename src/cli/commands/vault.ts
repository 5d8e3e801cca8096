import { VaultRotateDocument, VaultStatusDocument } from "@psn/app/documents/settings.ts";
import { vaultStatus } from "@psn/app/queries/vault-status.ts";
import { rotateVault } from "@psn/app/rotate-vault.ts";
import { type CommandGroup, type Context, defineCommand } from "@psn/cli/command.ts";
import { table } from "@psn/cli/output.ts";
import { TRIGGER_TOKEN_FLAGS, type TriggerTokenInput, triggerToken, triggerTokenSchema } from "@psn/cli/vendors.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

const status = defineCommand({
  name: "status",
  summary: "how many values each key has sealed",
  details:
    "A key id names a key without giving it away. While psn vault rotate is at work there is an old key too, until " +
    "nothing of it is left. Values of any other key do not open. Counts the values of all users of the hub, where " +
    "hub.env has the login that may.",
  examples: [
    { line: "psn vault status", does: "which keys are in use" },
    { line: "psn vault status --json", does: "the same, to watch a rotation by" },
  ],
  document: VaultStatusDocument,
  schema: z.object({}),
  run: async (_input, context) => {
    const { output } = context;
    const { world, user, keyIds, folder } = await context.hub();
    const { usersOfHub } = await import("@psn/wiring/users.ts");
    const users = await usersOfHub(folder).catch((error: unknown) => {
      if (error instanceof PsnError && error.code === "CONFIG_INVALID") return [user.id];
      throw error;
    });
    const keys = await vaultStatus(world, { keyIds, users });
    output.result({ rotating: keyIds.length > 1, users: users.length, keys }, () =>
      table(keys.map(({ id, role: is, sealed }) => [id, is, `${sealed} ${sealed === 1 ? "value" : "values"}`])),
    );
    if (keyIds.length > 1) output.note("a rotation is under way or was stopped: psn vault rotate goes on with it");
    if (keys.some(({ role: is }) => is === "unknown"))
      output.note(
        "values of an unknown key do not open: put that key into HUB_ENCRYPTION_KEY, or reconnect their accounts",
      );
    return undefined;
  },
});

const rotate = defineCommand({
  name: "rotate",
  summary: "seal everything anew, under a new key",
  details:
    "Makes a new key, keeps the old one beside it in hub.env until every value of every user is sealed under the " +
    "new one, then drops it. It may be stopped at any moment; run again it goes on and makes no third key. Workers " +
    "and tasks publish all the while. Tasks on Trigger.dev are given both keys first, and five minutes until those " +
    "that began before have ended. Where workers on other machines have a hub.env of their own, run it with " +
    "--prepare first and copy both keys there. Keep a copy of the new key; a backup of the database needs the key " +
    "of its time.",
  examples: [
    { line: "psn vault rotate", does: "a new key, and nothing left of the old one" },
    { line: "psn vault rotate --prepare", does: "make the key and hand it out; psn vault rotate then does the rest" },
  ],
  flags: [
    { flags: "--prepare", help: "make the new key and give it to the tasks; seal nothing anew yet" },
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
      users = await openUsers(folder);
      context.leaves(
        "stopped; a rotation that was begun stays, and psn vault rotate goes on with it",
        "psn vault rotate",
      );
      const tasks = await tasksOf(folder, input, context);
      const rotated = await rotateVault({
        world,
        keyring: keyring.keyringOf(folder),
        ...(tasks ? { tasks } : {}),
        users: users.list,
        isHere: keyring.isHere,
        prepareOnly: prepare,
        signal,
        onWait: (ms) =>
          output.note(
            `waiting ${Math.ceil(ms / 1000)} s for tasks that know the old key alone; Ctrl-C, and the same command ` +
              "later goes on",
          ),
      });
      const { keyId, oldKeyId, resumed, finished, rows, tasksReadyAt } = rotated;
      output.result(
        { key: keyId, old: oldKeyId, resumed, finished, rows, tasksReadyAt: tasksReadyAt?.toISOString() ?? null },
        () =>
          finished
            ? `${output.style("green", "rotated")}  key ${keyId} has sealed everything; ${oldKeyId} is gone`
            : `key ${keyId} is made; ${oldKeyId} is kept beside it`,
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
  return taskKeysOf(vendors.openTrigger(env, token), projectRef, secrets, context.now, plain);
}

export default { name: "vault", summary: "the sealed secrets", commands: [status, rotate] } satisfies CommandGroup;
