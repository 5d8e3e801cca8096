import type { Check } from "@psn/app/doctor.ts";
import { doctor } from "@psn/app/verbs/doctor.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { type Column, type Field, list } from "@psn/cli/list.ts";
import type { Style } from "@psn/cli/output.ts";
import { EXIT } from "@psn/core/errors.ts";
import { z } from "zod";

const STYLES: Readonly<Record<Check["status"], Style>> = { ok: "green", warn: "yellow", fail: "red" };

const COLUMNS: readonly Column<Check>[] = [
  { head: "STATE", cell: ({ status }) => status, style: ({ status }) => STYLES[status] },
  { head: "CHECK", cell: ({ name }) => name, least: 12, folds: true },
  { head: "RESULT", cell: ({ said }) => said, least: 20, folds: true },
  { head: "FIX", cell: ({ fix }) => (fix === null ? "" : `→ ${fix}`), least: 16, folds: true },
];

const FIELDS: readonly Field<Check>[] = [
  { name: "state", value: ({ status }) => status },
  { name: "check", value: ({ name }) => name },
  { name: "result", value: ({ said }) => said },
  { name: "fix", value: ({ fix }) => fix },
];

export default defineCommand({
  name: "doctor",
  summary: doctor.summary,
  details: "Changes nothing. Exits with 1 if a check fails, otherwise with 0; a warning is not a failure.",
  examples: [
    { line: "psn doctor", does: "check everything, including the platforms and the vendors" },
    { line: "psn doctor --offline", does: "do not contact the platforms and the vendors" },
  ],
  flags: [{ flags: "--offline", help: "do not contact the platforms and the vendors" }],
  fields: FIELDS.map(({ name }) => name),
  document: doctor.output,
  schema: z.object({ offline: z.boolean().default(false) }),
  run: async ({ offline }, context) => {
    const { output, signal, version } = context;
    const folder = await context.folder();
    const { doctorGround } = await import("@psn/wiring/doctor.ts");
    const open = () => context.hub("once", "leave");
    const checks = await doctor.run({ doctor: doctorGround(folder, { open, version }) }, { offline }, { signal });
    const document = doctor.document(checks);
    output.result(document, () => list(output, checks, { columns: COLUMNS, fields: FIELDS }));
    return document.ok ? EXIT.ok : EXIT.failed;
  },
});
