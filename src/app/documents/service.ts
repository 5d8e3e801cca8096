import { z } from "zod";
import { Count } from "./values.ts";

/*
 * Documents about a worker that the system keeps running.
 */

const named = {
  service: z.string().describe("The name that the service manager has for it."),
  manager: z.enum(["systemd", "launchd"]),
  file: z.string().describe("The file that describes it."),
};

export const ServiceInstallDocument = z.strictObject({
  ...named,
  hub: z.string(),
  changed: z.boolean().describe("False: it was installed like this already."),
  command: z.array(z.string()).describe("What the service starts."),
  writes: z.array(z.string()).describe("Folders that the worker may write to, where this system can tell."),
  notes: z.array(z.string()).describe("What else is needed, or could not be had."),
});
export const ServiceStatusDocument = z.strictObject({
  ...named,
  installed: z.boolean(),
  running: z.boolean(),
  enabled: z.boolean().describe("It starts by itself."),
  pid: Count.nullable(),
  restarts: Count.nullable().describe("How often the service manager started it again."),
  lastExit: z.int().nullable().describe("The exit code of the last worker that ended (psn help exit-codes)."),
});
export const ServiceLogsDocument = z.strictObject({ service: z.string(), lines: z.array(z.string()) });
export const ServiceUninstallDocument = z.strictObject({ ...named, removed: z.boolean().describe("It was there.") });
export const ServicePrintDocument = z.strictObject({ what: z.string(), text: z.string() });

export const UpgradeDocument = z.strictObject({
  version: z.string(),
  newest: z.string().nullable().describe("Null where the registry did not say."),
  newer: z.boolean().describe("`newest` comes after `version`."),
  installedBy: z.enum(["homebrew", "scoop", "binary", "npm", "bun", "package", "npx", "bunx", "source"]),
  path: z.string().describe("Where this psn lies."),
  upgrade: z.string().describe("The command that installs the newest version."),
});
