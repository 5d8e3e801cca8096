import { ImportDocument, type ImportFacts, importDocument } from "@psn/app/documents/hub.ts";
import { importHub, startHeld, type TransferScope } from "@psn/app/transfer-hub.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { World } from "@psn/core/ports/world.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { MovedSettings } from "@psn/core/types/index.ts";
import { z } from "zod";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb } from "./verb.ts";

/** There may be no hub yet. */
export interface ImportScope extends TransferScope {
  /** Where the hub is, or is to be. */
  readonly folder: string;
  readonly world: Pick<World, "now">;
}

export interface ImportControl extends Control {
  /** Asks whether to take what the file would set; in place of `settings`. Throws to leave all as it was. */
  readonly takeSettings?: (settings: MovedSettings) => Promise<boolean>;
  /**
   * Asks whether no other hub publishes these posts: those that are held here, or those of a file that is a copy; in
   * place of `alone`. Throws to leave all as it was.
   */
  readonly confirmAlone?: (posts: "held" | "copy") => Promise<void>;
}

export const importing = defineVerb({
  name: "import",
  summary: "create a hub from a file of psn export",
  effect: "admin",
  idempotent: false,
  input: z.strictObject({
    file: inputs.file
      .optional()
      .describe("The file that export made, counted from the hub's folder; absent: start what is held."),
    passphrase: inputs.passphrase.optional(),
    start: z.boolean().default(false).describe("Publish the scheduled posts from this hub; else they are held."),
    alone: z
      .boolean()
      .default(false)
      .describe("No other hub publishes these posts. Required with `start`, but for a file that was moved."),
    settings: z.boolean().default(false).describe("Use the settings and the app keys in the file."),
  }),
  output: ImportDocument,
  run: async (
    { folder, world, transfer }: ImportScope,
    { file, passphrase, start, alone, settings },
    control: ImportControl = {},
  ): Promise<ImportFacts> => {
    const { signal, noReturn, onProgress } = control;
    const confirmAlone = control.confirmAlone ?? (() => assertAlone(alone));
    const ground = await transfer();
    if (file === undefined) {
      if (!start) throw new PsnError("INPUT_REQUIRED", "a file is required, or start");
      await confirmAlone("held");
      return { what: "held", started: await startHeld(ground, noReturn) };
    }
    if (passphrase === undefined) throw new PsnError("INPUT_REQUIRED", "the file's passphrase is required");
    const imported = await importHub(ground, {
      file: ground.path(file),
      passphrase,
      start,
      now: world.now,
      takeSettings: control.takeSettings ?? (() => Promise.resolve(settings)),
      confirmCopy: () => confirmAlone("copy"),
      ...defined({ signal, noReturn, onRow: onProgress }),
    });
    return { what: "file", hub: folder, ...imported };
  },
  document: importDocument,
});

async function assertAlone(alone: boolean): Promise<void> {
  if (alone) return;
  throw new PsnError("INPUT_REQUIRED", "another hub may publish these posts too: alone must say that none does");
}
