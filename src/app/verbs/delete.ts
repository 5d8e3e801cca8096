import { assertPossible, deletePost, type Planned, planDeletion } from "@psn/app/delete-post.ts";
import { DeletionDocument, deletionDocument } from "@psn/app/documents/deletion.ts";
import { NOBODY_WOKEN } from "@psn/app/wake-up.ts";
import { z } from "zod";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb } from "./verb.ts";

export interface DeletionControl extends Control {
  /** What the same input answered with `dryRun`, where the caller has asked its user about it. */
  readonly plan?: readonly Planned[];
}

export const deletion = defineVerb({
  name: "delete",
  summary: "delete a published post from its platforms",
  effect: "publish",
  idempotent: true,
  input: z.strictObject({ id: inputs.id, dryRun: inputs.dryRun }),
  output: DeletionDocument,
  run: async ({ world, user }, { id, dryRun }, { noReturn, plan: known }: DeletionControl = {}) => {
    const plan = known ?? (await planDeletion(world, user.id, id));
    assertPossible(plan);
    if (dryRun) return { dryRun, deliveries: plan, woken: NOBODY_WOKEN };
    return { dryRun, ...(await deletePost(world, { userId: user.id, plan, noReturn })) };
  },
  document: deletionDocument,
});
