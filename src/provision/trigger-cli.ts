import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import { removedAtExit } from "@psn/core/utils/leftover.ts";
import { dashboardOf } from "./trigger.ts";

/** The one version whose deployments this psn knows; SDK and CLI must be the same. */
const CLI_VERSION = "4.8.3";
/** A first deployment builds an image; in milliseconds. */
const TIMEOUT_MS = 20 * 60_000;
/** How much of what it said last is repeated when it fails. */
const LAST_LINES = 6;

export interface TriggerCli {
  /** The tasks' project: trigger.config.ts, the tasks, the lockfile. */
  readonly root: string;
  readonly url: string;
  readonly token: string;
  readonly projectRef: string;
  readonly watchdogMinutes: string;
  /** Of this process, without the hub's secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** The running Bun. */
  readonly bun: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/**
 * Runs Trigger.dev's own CLI, which builds the tasks and deploys them. The token goes by a file for the user's eyes
 * alone, as `trigger login` leaves it, and neither by the command line nor by the environment. Throws DEPLOY_FAILED.
 */
export async function deployByCli(cli: TriggerCli): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "psn-deploy-"));
  const remove = removedAtExit(home);
  try {
    await mkdir(join(home, "trigger"), { mode: 0o700 });
    const profile = { accessToken: cli.token, apiUrl: cli.url };
    const config = { version: 2, currentProfile: "default", profiles: { default: profile } };
    await writeFile(join(home, "trigger", "config.json"), JSON.stringify(config), { mode: 0o600 });
    // The CLI starts Bun by this name from the folder it is told, and npm's Bun has another.
    await symlink(cli.bun, join(home, "bun"));
    await run(cli, home);
  } finally {
    remove();
  }
}

async function run(cli: TriggerCli, home: string): Promise<void> {
  const [command, ...first] = await commandOf(cli);
  const args = [
    ...first,
    "deploy",
    "--env",
    "prod",
    "--project-ref",
    cli.projectRef,
    "--api-url",
    cli.url,
    "--skip-update-check",
    "--skip-telemetry",
  ];
  const child = spawn(command ?? "node", [...args, ...(cli.dryRun ? ["--dry-run"] : [])], {
    cwd: cli.root,
    env: {
      ...quiet(cli.environment),
      XDG_CONFIG_HOME: home,
      BUN_INSTALL_BIN: home,
      // What runs here may be one program with Bun in it.
      BUN_BE_BUN: "1",
      TRIGGER_PROJECT_REF: cli.projectRef,
      PSN_WATCHDOG_MINUTES: cli.watchdogMinutes,
    },
    stdio: ["ignore", "pipe", "pipe"],
    signal: AbortSignal.any([cli.signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  const last: string[] = [];
  const hear = (chunk: string) => {
    for (const raw of chunk.split("\n")) {
      const line = plainLine(raw, cli.token);
      if (line === "" || line === last.at(-1)) continue;
      cli.onLine(line);
      last.push(line);
      if (last.length > LAST_LINES) last.shift();
    }
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", (error) => reject(notStarted(error, cli.signal)));
    child.on("close", resolve);
  });
  if (code !== 0)
    throw new PsnError("DEPLOY_FAILED", `Trigger.dev's CLI ended with ${code ?? "a signal"}: ${last.join(" / ")}`, {
      hint: `see the deployment at ${dashboardOf(cli.url)}, then psn doctor`,
    });
}

/** The CLI that lies beside psn, if it is the pinned one; else Bun fetches that. It runs under Node. */
async function commandOf({ root, bun }: TriggerCli): Promise<readonly string[]> {
  const folder = join(root, "node_modules", "trigger.dev");
  const found: unknown = await readFile(join(folder, "package.json"), "utf8").then(JSON.parse, () => undefined);
  const version: unknown = typeof found === "object" && found !== null ? Reflect.get(found, "version") : undefined;
  return version === CLI_VERSION
    ? ["node", join(folder, "dist", "esm", "index.js")]
    : [bun, "x", `trigger.dev@${CLI_VERSION}`];
}

/** Under CI the CLI wants its token in the environment, and would ask nobody anyway. */
function quiet({
  CI: _ci,
  GITHUB_ACTIONS: _actions,
  ...environment
}: Readonly<Record<string, string>>): Record<string, string> {
  return { ...environment, NO_COLOR: "1" };
}

function notStarted(error: Error, signal: AbortSignal): PsnError {
  if (signal.aborted) return new PsnError("INTERRUPTED", "stopped");
  return new PsnError("DEPLOY_FAILED", "Trigger.dev's CLI could not be run", { cause: error });
}

/** Without colours and cursor movements, and without the token, should the CLI ever print it. */
function plainLine(raw: string, token: string): string {
  return Bun.stripANSI(raw)
    .replaceAll(token, "•••")
    .replaceAll(/[│◇◆●■▲┌└◒◐◓◑]/g, " ")
    .replace(/(?<!\d)\.+\s*$/, "")
    .trim();
}
