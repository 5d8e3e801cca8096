import { UpgradeDocument } from "@psn/app/documents/service.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { EXIT } from "@psn/core/errors.ts";
import { updateEnv } from "@psn/core/utils/env.ts";
import { installed } from "@psn/service/installed.ts";
import { askNewest, isNewer, readKnown, writeKnown } from "@psn/service/newest.ts";
import { z } from "zod";

export default defineCommand({
  name: "upgrade",
  summary: "show the newest version, and the command that installs it",
  details:
    "Asks npm's registry, or the one that your .npmrc names, which version is the newest, and changes nothing. Exit " +
    "code 6 if the registry cannot be asked. On a terminal, other commands tell you once a day that there is a newer " +
    "version; a process of its own asks the registry for them. PSN_NO_UPDATE_CHECK=1 and CI switch that off.",
  examples: [{ line: "psn upgrade", does: "this version, the newest, and how this one was installed" }],
  flags: [{ flags: "--refresh", help: "ask the registry for the daily notice, and print nothing" }],
  document: UpgradeDocument,
  schema: z.object({ refresh: z.boolean().default(false) }),
  run: async ({ refresh }, { output, version, signal, now }) => {
    const { cache } = updateEnv();
    const newest = await askNewest(signal).catch(() => undefined);
    // A registry that is away takes nothing back that is known.
    if (cache !== undefined && newest !== undefined)
      writeKnown(cache, { ...readKnown(cache), newest, askedAt: now().getTime() });
    if (refresh) return undefined;
    const { by, path, upgrade } = installed();
    const newer = isNewer(newest ?? null, version);
    output.result({ version, newest: newest ?? null, newer, installedBy: by, path, upgrade }, () => [
      `psn ${version}  ${SAID[by]}  ${path}`,
      newer ? `psn ${newest} is available` : (UNKNOWN[String(newest)] ?? "this is the newest version"),
    ]);
    output.note([`${newer ? "next" : "to upgrade"}: ${upgrade}`, "after an upgrade: psn db migrate, psn doctor"]);
    return newest === undefined ? EXIT.later : undefined;
  },
});

/** Why the newest version is not known, by what the registry said. */
const UNKNOWN: Readonly<Record<string, string>> = {
  undefined: "the newest version is not known: the registry did not answer",
  null: "the newest version is not known: the registry has no psn",
};

const SAID = {
  homebrew: "installed by Homebrew",
  scoop: "installed by Scoop",
  binary: "a single program",
  npm: "installed by npm --global",
  bun: "installed by bun --global",
  package: "a package of a project",
  npx: "run by npx",
  bunx: "run by bunx",
  source: "run from its sources",
} as const;
