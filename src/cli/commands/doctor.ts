import type { Check } from "@psn/app/doctor.ts";
import { doctor } from "@psn/app/verbs/doctor.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { type Style, table } from "@psn/cli/output.ts";
import { EXIT } from "@psn/core/errors.ts";
import { z } from "zod";

const STYLES: Readonly<Record<Check["status"], Style>> = { ok: "green", warn: "yellow", fail: "red" };

export default defineCommand({
  name: "doctor",
  summary: doctor.summary,
  details: "Changes nothing. Exits with 1 if a check fails, otherwise with 0; a warning is not a failure.",
  examples: [
    { line: "psn doctor", does: "check everything, including the platforms and the vendors" },
    { line: "psn doctor --offline", does: "do not contact the platforms and the vendors" },
  ],
  flags: [{ flags: "--offline", help: "do not contact the platforms and the vendors" }],
  document: doctor.output,
  schema: z.object({ offline: z.boolean().default(false) }),
  run: async ({ offline }, context) => {
    const { output, signal, version } = context;
    const folder = await context.folder();
    const { doctorGround } = await import("@psn/wiring/doctor.ts");
    const open = () => context.hub("once", "leave");
    const checks = await doctor.run({ doctor: doctorGround(folder, { open, version }) }, { offline }, { signal });
    const document = doctor.document(checks);
    output.result(document, () =>
      table(
        checks.map(({ name, status, said, fix }) => [
          output.style(STYLES[status], status),
          name,
          said,
          fix === null ? "" : `→ ${fix}`,
        ]),
      ),
    );
    return document.ok ? EXIT.ok : EXIT.failed;
  },
});
