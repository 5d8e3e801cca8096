import { type CommandGroup, defineCommand } from "@psn/cli/command.ts";
import { table } from "@psn/cli/output.ts";
import { z } from "zod";

const status = defineCommand({
  name: "status",
  summary: "how many values each key has sealed",
  details: "A key id names a key without giving it away. Values of another key than the current one do not open.",
  examples: [{ line: "psn vault status", does: "which keys are in use" }],
  schema: z.object({}),
  run: async (_input, context) => {
    const { output } = context;
    const { inspection, user, keyIds } = await context.hub();
    const counts = await inspection.sealedByKey(user.id);
    const keys = [...new Set([...keyIds, ...Object.keys(counts)])].map((id) => ({ id, role: role(id, keyIds), sealed: counts[id] ?? 0 }));
    output.result({ keys }, () =>
      table(keys.map(({ id, role: is, sealed }) => [id, is, `${sealed} ${sealed === 1 ? "value" : "values"}`])),
    );
    if (keys.some(({ role: is }) => is === "unknown"))
      output.note("values of an unknown key do not open: put that key into HUB_ENCRYPTION_KEY, or reconnect their accounts");
    return undefined;
  },
});

function role(id: string, keyIds: readonly string[]): "current" | "old" | "unknown" {
  if (id === keyIds[0]) return "current";
  return keyIds.includes(id) ? "old" : "unknown";
}

export default { name: "vault", summary: "the sealed secrets", commands: [status] } satisfies CommandGroup;
