import { ExportDocument, type ExportFacts, exportDocument } from "@psn/app/documents/hub.ts";
import type { Scope } from "@psn/app/scope.ts";
import { exportHub, type TransferScope } from "@psn/app/transfer-hub.ts";
import { defined } from "@psn/core/types/defined.ts";
import { z } from "zod";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb } from "./verb.ts";

export const exporting = defineVerb({
  name: "export",
  summary: "export the whole hub to one encrypted file",
  effect: "admin",
  idempotent: false,
  input: z.strictObject({
    file: inputs.file.describe("The new file, counted from the hub's folder; it must not exist yet."),
    passphrase: inputs.passphrase,
    move: z
      .boolean()
      .default(false)
      .describe("Put scheduled posts on hold here, because the other hub will publish them."),
  }),
  output: ExportDocument,
  run: async (
    { world, user, transfer }: Scope & TransferScope,
    { file, passphrase, move },
    { onProgress, ...control }: Control = {},
  ): Promise<ExportFacts> => {
    const ground = await transfer();
    const path = ground.path(file);
    const wish = { file: path, passphrase, moving: move, user, now: world.now };
    return {
      file: path,
      moved: move,
      ...(await exportHub(ground, { ...wish, ...control, ...defined({ onRow: onProgress }) })),
    };
  },
  document: exportDocument,
});
