import { destroyHub, type PlannedRemoval, planDestruction, type Removal } from "@psn/app/destroy-hub.ts";
import { DestroyDocument } from "@psn/app/documents/hub.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { fitted } from "@psn/cli/list.ts";
import type { Lines, Output } from "@psn/cli/output.ts";
import { givenNeonKey, NEON_KEY_FLAGS, neonKey, neonKeySchema } from "@psn/cli/vendors.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export default defineCommand({
  name: "destroy",
  summary: "remove everything that psn init created (asks first)",
  details:
    "Removes only what psn created: a project on Neon, psn's schema and login in a database that stays, the " +
    "embedded database, the variables at Trigger.dev, and the files of this hub's users in its bucket. Public " +
    "posts stay public. The hub's key stays in hub.env, so that you can still open a backup. You can stop the " +
    "command at any time and run it again.",
  examples: [
    { line: "psn destroy --dry-run", does: "show what would be removed, and what would stay" },
    { line: "psn destroy --yes --neon-api-key-stdin < neon-key.txt", does: "in a script" },
  ],
  flags: [...NEON_KEY_FLAGS, { flags: "--dry-run", help: "show what would be removed, and remove nothing" }],
  document: DestroyDocument,
  schema: z.object({ ...neonKeySchema, dryRun: z.boolean().default(false) }),
  run: async (input, context) => {
    const { output, prompt } = context;
    const folder = await context.folder();
    const { countWaiting, groundOf } = await import("@psn/wiring/ground.ts");
    const plan = planDestruction(groundOf(folder, undefined));
    const waiting = await countWaiting(folder);
    const lines = (planned: readonly PlannedRemoval[], verb: "would" | "will") => [
      removalRows(output, planned, ({ how }) => `${verb} ${how}`),
      lost(waiting, verb),
    ];
    const number = typeof waiting === "number" ? waiting : null;
    if (input.dryRun) {
      output.result({ dryRun: true, hub: folder, waiting: number, removals: plan }, () => lines(plan, "would"));
      return undefined;
    }
    output.note(lines(plan, "will"));
    if (!(await prompt.confirm(`This cannot be undone. Destroy the hub in ${folder}?`)))
      throw new PsnError("INTERRUPTED", "nothing was removed");
    context.leaves("stopped; what was removed stays removed; psn destroy continues with the rest", "psn destroy");
    const needsNeon = plan.some(({ what }) => what === "neon project");
    const key = needsNeon ? await neonKey(input, context) : await givenNeonKey(input, context);
    const removals = await destroyHub(
      groundOf(folder, key),
      ({ how, what }) => output.interactive && output.note(`${how}  ${what}`),
    );
    output.result({ hub: folder, waiting: number, removals }, () => removalRows(output, removals, ({ how }) => how));
    return undefined;
  },
});

function removalRows<One extends PlannedRemoval | Removal>(
  output: Output,
  all: readonly One[],
  say: (one: One) => string,
): Lines {
  return fitted(output, all, [
    { head: "STEP", cell: say },
    { head: "WHAT", cell: ({ what }) => what, least: 12, folds: true },
    { head: "NAME", cell: ({ name }) => name, least: 20, folds: true },
    { head: "NOTE", cell: ({ note }) => note ?? "", least: 12, folds: true },
  ]);
}

/** What becomes of the posts that wait. */
function lost(waiting: number | PsnError, verb: "would" | "will"): readonly string[] {
  if (typeof waiting !== "number")
    return [`psn could not count the posts that are still scheduled: ${waiting.message} (${waiting.code})`];
  if (waiting === 0) return [];
  return [`${waiting === 1 ? "1 post is" : `${waiting} posts are`} still waiting and ${verb} not be sent`];
}
