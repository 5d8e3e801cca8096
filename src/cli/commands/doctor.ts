import { type Check, examineHub } from "@psn/app/doctor.ts";
import { examineVendors } from "@psn/app/doctor-vendors.ts";
import { DoctorDocument } from "@psn/app/documents/hub.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { type Style, table } from "@psn/cli/output.ts";
import { EXIT, toPsnError } from "@psn/core/errors.ts";
import { FOUND } from "@psn/domain/incarnation.ts";
import { z } from "zod";

const STYLES: Readonly<Record<Check["status"], Style>> = { ok: "green", warn: "yellow", fail: "red" };

export default defineCommand({
  name: "doctor",
  summary: "check the hub, and show how to fix problems",
  details: "Changes nothing. Exits with 1 if a check fails, otherwise with 0; a warning is not a failure.",
  examples: [
    { line: "psn doctor", does: "check everything, including the platforms and the vendors" },
    { line: "psn doctor --offline", does: "do not contact the platforms and the vendors" },
  ],
  flags: [{ flags: "--offline", help: "do not contact the platforms and the vendors" }],
  document: DoctorDocument,
  schema: z.object({ offline: z.boolean().default(false) }),
  run: async ({ offline }, context) => {
    const { output } = context;
    const checks = await examine(context, offline);
    output.result({ ok: checks.every(({ status }) => status !== "fail"), checks }, () =>
      table(
        checks.map(({ name, status, said, fix }) => [
          output.style(STYLES[status], status),
          name,
          said,
          fix === null ? "" : `→ ${fix}`,
        ]),
      ),
    );
    return checks.some(({ status }) => status === "fail") ? EXIT.failed : EXIT.ok;
  },
});

/** A hub or a database that cannot be asked anything. */
const UNASKED: readonly string[] = ["HUB_MISSING", "DB_UNREACHABLE", "DB_TLS", "DB_BUSY"];

async function examine(context: Context, offline: boolean): Promise<readonly Check[]> {
  const { examineDatabase } = await import("@psn/wiring/database.ts");
  const { examineGround } = await import("@psn/wiring/examine-settings.ts");
  const folder = await context.folder();
  const ground = examineGround(folder);
  try {
    const { world, user, driver, watchdogMinutes, hears, parted } = await context.hub("once", "leave");
    const opened: Check = parted
      ? {
          name: "hub",
          status: "fail",
          said: `can be opened, but psn publishes nothing from it: ${FOUND[parted]}`,
          fix: "psn recover",
        }
      : { name: "hub", status: "ok", said: `can be opened; ${driver} database`, fix: null };
    const hub = await examineHub(world, user, { network: !offline, signal: context.signal, watchdogMinutes, hears });
    return [...ground, opened, ...hub, ...(offline ? [] : await vendors(folder, context))];
  } catch (error) {
    const { message, hint, code } = toPsnError(error);
    const closed: Check = { name: "hub", status: "fail", said: `${message} (${code})`, fix: hint ?? null };
    // It may not open because somebody has changed the database.
    return [...ground, closed, ...(UNASKED.includes(code) ? [] : await examineDatabase(folder))];
  }
}

async function vendors(folder: string, { version }: Context): Promise<readonly Check[]> {
  const { vendorGround } = await import("@psn/wiring/vendor-ground.ts");
  return examineVendors(vendorGround(folder, version));
}
