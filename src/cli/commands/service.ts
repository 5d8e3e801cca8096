import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  ServiceInstallDocument,
  ServiceLogsDocument,
  ServicePrintDocument,
  ServiceStatusDocument,
  ServiceUninstallDocument,
} from "@psn/app/documents/service.ts";
import { accountsOf } from "@psn/app/queries/accounts.ts";
import { type CommandGroup, defineCommand } from "@psn/cli/command.ts";
import { feedsOutside, managed, onlyHere, workerService } from "@psn/cli/worker-service.ts";
import { EXIT, PsnError } from "@psn/core/errors.ts";
import { serviceEnv, stateFolder } from "@psn/core/utils/env.ts";
import { containerfile, containerService } from "@psn/service/container.ts";
import { launchdAgent } from "@psn/service/launchd.ts";
import { lines as linesOf } from "@psn/service/run.ts";
import { systemdUnit } from "@psn/service/systemd.ts";
import { z } from "zod";

const install = defineCommand({
  name: "install",
  summary: "keep a worker running after you log out",
  details:
    "Writes a user unit of systemd on Linux, an agent of launchd on macOS, and starts it. No root is needed, and no " +
    "secret is in the file. The worker is started again when it ends, except after an error that only you can fix " +
    "(exit codes 2 and 3). Under systemd it can write to the hub, to feeds that are connected now, and to nothing " +
    "else. Run the command again after you moved the hub or connected a feed outside of it. It changes nothing when " +
    "nothing has changed.",
  examples: [{ line: "psn service install", does: "for the hub in this folder" }],
  document: ServiceInstallDocument,
  schema: z.object({}),
  run: async (_input, context) => {
    const { output } = context;
    const { hub, manager, named } = await managed(context);
    const accounts = await accountsOf(await context.hub("once", "refuse"));
    const service = workerService(hub, feedsOutside(accounts));
    context.noReturn();
    const state = stateFolder();
    if (state !== undefined) mkdirSync(state, { recursive: true, mode: 0o700 });
    const { changed, notes: said } = await manager.install(service);
    const absent = onlyHere(hub);
    const notes = [
      ...said,
      ...(absent.length === 0
        ? []
        : [`only this shell's environment has ${absent.join(", ")}; store each for the service: psn config set NAME`]),
    ];
    const { command, writes } = service;
    output.result({ ...named, hub, changed, command, writes, notes }, () =>
      changed ? `installed and started  ${named.service}` : `already installed  ${named.service}`,
    );
    output.note([...notes, "next: psn service status"]);
    return undefined;
  },
});

const status = defineCommand({
  name: "status",
  summary: "show whether the service's worker is running",
  details: "Exit code 0 if it is running, 1 if it is not.",
  examples: [{ line: "psn service status --json", does: "for a script" }],
  document: ServiceStatusDocument,
  schema: z.object({}),
  run: async (_input, context) => {
    const { name, manager, named } = await managed(context);
    const state = await manager.state(name);
    const { installed, running, enabled, pid, restarts, lastExit } = state;
    context.output.result({ ...named, ...state }, () => {
      if (!installed) return `not installed  ${name}`;
      return [
        `${running ? "running" : "not running"}  ${name}${pid === null ? "" : `  process ${pid}`}`,
        ...(restarts === null || restarts === 0 ? [] : [`started again ${restarts} times`]),
        ...(lastExit === null || lastExit === 0 ? [] : [`its last worker ended with exit code ${lastExit}`]),
        ...(enabled ? [] : ["does not start by itself"]),
      ];
    });
    if (!running) context.output.note(installed ? "next: psn service logs, psn doctor" : "next: psn service install");
    return running ? undefined : EXIT.failed;
  },
});

const logs = defineCommand({
  name: "logs",
  summary: "show what the service's worker wrote",
  examples: [
    { line: "psn service logs", does: "the last 100 lines" },
    { line: "psn service logs --follow", does: "and what follows, until Ctrl-C" },
  ],
  flags: [
    { flags: "--lines <n>", help: "how many lines; default: 100" },
    { flags: "--follow", help: "go on with new lines until you stop it" },
  ],
  document: ServiceLogsDocument,
  schema: z.object({
    lines: z.coerce.number({ error: "must be a number" }).int().min(1).max(100_000).default(100),
    follow: z.boolean().default(false),
  }),
  run: async ({ lines: most, follow }, context) => {
    const { output } = context;
    if (follow && output.json)
      throw new PsnError("USAGE", "use --follow or --json, not both: --json prints one document at the end", {
        hint: "psn service logs --json",
      });
    const { name, manager } = await managed(context);
    if (follow) context.endsBySignal();
    const kept: string[] = [];
    const onLine = (line: string) => {
      if (output.json) kept.push(line);
      else output.result({ service: name, lines: [] }, () => line);
    };
    const program = manager.logs(name, { lines: most, follow });
    if ((await linesOf(program, onLine, context.signal)) === undefined && !context.signal.aborted)
      throw new PsnError("SERVICE_FAILED", `${program[0]} is not installed here`, { hint: "psn service status" });
    if (output.json) output.result({ service: name, lines: kept }, () => "");
    return undefined;
  },
});

const uninstall = defineCommand({
  name: "uninstall",
  summary: "stop the service's worker and remove the service",
  details: "The worker finishes its requests first. The hub stays as it is.",
  examples: [{ line: "psn service uninstall", does: "for the hub in this folder" }],
  document: ServiceUninstallDocument,
  schema: z.object({}),
  run: async (_input, context) => {
    const { name, manager, named } = await managed(context);
    context.noReturn();
    const removed = await manager.uninstall(name);
    context.output.result({ ...named, removed }, () => (removed ? `removed  ${name}` : `not installed  ${name}`));
    return undefined;
  },
});

const KINDS = ["systemd", "launchd", "containerfile", "compose"] as const;

const print = defineCommand({
  name: "print",
  summary: "print a unit, an agent, a Containerfile or a compose file",
  details: "For systems that you set up yourself. Nothing is written, and no secret is printed.",
  examples: [
    { line: "psn service print systemd", does: "what psn service install writes on Linux" },
    { line: "psn service print containerfile > Containerfile", does: "then print compose > compose.yaml" },
  ],
  args: [{ name: "<what>", help: KINDS.join(", "), takes: KINDS }],
  document: ServicePrintDocument,
  schema: z.object({ what: z.enum(KINDS, { error: `must be one of ${KINDS.join(", ")}` }) }),
  run: async ({ what }, context) => {
    const text = await printed(what, context);
    context.output.result({ what, text }, () => text.trimEnd().split("\n"));
    return undefined;
  },
});

async function printed(what: (typeof KINDS)[number], context: Parameters<typeof managed>[0] & { version: string }) {
  if (what === "containerfile") return containerfile(context.version);
  const hub = await context.folder();
  const service = workerService(hub, []);
  if (what === "systemd") return systemdUnit(service);
  if (what === "launchd")
    return launchdAgent(service, join(serviceEnv().home, "Library", "Logs", `${service.name}.log`));
  const owner = `${process.getuid?.() ?? 1000}:${process.getgid?.() ?? 1000}`;
  return containerService({ name: service.name, hub, owner });
}

export default {
  name: "service",
  summary: "a worker that the system keeps running",
  commands: [install, status, logs, uninstall, print],
} satisfies CommandGroup;
