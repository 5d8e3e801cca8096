import { RecoverDocument, type RecoverFacts, recoverDocument } from "@psn/app/documents/recover.ts";
import { partedAt, planRecovery, recoverHub, type Step, wakeRecovered } from "@psn/app/recover-hub.ts";
import type { Scope } from "@psn/app/scope.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { NoteFiles } from "@psn/core/ports/incarnation.ts";
import type { Parting } from "@psn/core/types/index.ts";
import { z } from "zod";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb, neverAborted } from "./verb.ts";

export interface RecoverScope extends Scope {
  /** Why nothing is published from here; undefined where there is nothing to recover. */
  readonly parted: Parting | undefined;
  readonly notes: NoteFiles;
  /** Ids of every user of the hub. Throws DB_…. */
  readonly users: () => Promise<readonly string[]>;
}

export interface RecoverControl extends Control {
  /** What the same input answered with `dryRun`, where the caller has asked its user about it. */
  readonly plan?: RecoverFacts;
  /** Asks a person about a delivery that no platform could tell about. Answers what became of it. */
  readonly ask?: (step: Step) => Promise<Step>;
}

export const recover = defineVerb({
  name: "recover",
  summary: "publish again after the hub was copied or restored",
  effect: "publish",
  idempotent: true,
  input: z.strictObject({
    alone: z
      .boolean()
      .default(false)
      .describe("All other copies of this hub have stopped, here and on other machines. Required without `dryRun`."),
    dryRun: inputs.dryRun,
  }),
  output: RecoverDocument,
  run: async (scope: RecoverScope, { alone, dryRun }, control: RecoverControl = {}): Promise<RecoverFacts> => {
    const { world, notes, parted: found } = scope;
    if (found === undefined) return { found, since: null, dryRun, users: [], steps: [] };
    const { signal = neverAborted(), noReturn, ask = async (step) => step } = control;
    const { since, users } = control.plan ?? { since: await partedAt(world), users: await scope.users() };
    const facts = { found, since, dryRun, users };
    if (dryRun) return { ...facts, steps: await planRecovery({ world, users }) };
    if (!alone)
      throw new PsnError("INPUT_REQUIRED", "another copy of this hub may publish: alone must say that none runs");
    noReturn?.();
    const steps: Step[] = [];
    const onStep = async (step: Step) => void steps.push(step.becomes === "unconfirmed" ? await ask(step) : step);
    await recoverHub({ world, notes, users, signal, onStep });
    await wakeRecovered(world, users);
    return { ...facts, steps };
  },
  document: recoverDocument,
});
