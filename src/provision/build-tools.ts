import { execFile } from "node:child_process";
import { PsnError } from "@psn/core/errors.ts";

/*
 * The programs that a deployment needs on this machine. Looked for before anything is changed at the server:
 * Trigger.dev's CLI finds out only after it has begun a deployment there, which then stays BUILDING (commands/deploy.js
 * of 4.8.3).
 */

export interface BuildTools {
  /** Of the Trigger.dev server. */
  readonly url: string;
  /** Of the process that will deploy. */
  readonly environment: Readonly<Record<string, string>>;
  /** The tasks are bundled and nothing is deployed: no image is built. */
  readonly dryRun: boolean;
}

const NEEDS_DOCKER = "with this Trigger.dev server, this machine builds the tasks' image";
/** Oldest major version of Node with which psn is tested; the CLI's own least is 18.20 (engines of 4.8.3). */
const LEAST_NODE = 20;
const INSTALL_NODE = `install Node ${LEAST_NODE} or newer: https://nodejs.org/en/download`;
/** Docker asks nobody outside for any of this; in milliseconds. */
const TIMEOUT_MS = 30_000;

/** Throws DEPLOY_FAILED for what is missing, with where to get it. */
export async function assertBuildTools({ url, environment, dryRun }: BuildTools): Promise<void> {
  const run = (command: string, ...args: readonly string[]) => ran(environment, command, args);
  const node = await run("node", "--version");
  if (node.isMissing) throw missing("Trigger.dev's CLI needs Node, which is not installed here", INSTALL_NODE);
  const [, major] = /^v(\d+)\./.exec(node.printed) ?? [];
  if (major !== undefined && Number(major) < LEAST_NODE)
    throw missing(`Trigger.dev's CLI needs Node ${LEAST_NODE}, and here is Node ${major}`, INSTALL_NODE);
  // In its cloud Trigger.dev builds the image.
  if (dryRun || new URL(url).hostname === "api.trigger.dev") return;
  const buildx = await run("docker", "buildx", "version");
  if (buildx.isMissing)
    throw missing(
      `${NEEDS_DOCKER}, and Docker is not installed here`,
      "install Docker: https://docs.docker.com/engine/install/",
    );
  if (buildx.code !== 0)
    throw missing(
      `${NEEDS_DOCKER}, and Docker has no buildx here`,
      "install buildx: https://github.com/docker/buildx#installing",
    );
  // The builder may be elsewhere, so only the two clear answers stop here.
  const { said } = await run("docker", "version");
  if (/permission denied/i.test(said))
    throw missing(
      `${NEEDS_DOCKER}, and this user has no permission to use Docker`,
      "give this user the permission: https://docs.docker.com/engine/install/linux-postinstall/",
    );
  if (/cannot connect to the docker daemon|docker daemon is not running/i.test(said))
    throw missing(
      `${NEEDS_DOCKER}, and Docker is not running`,
      "start Docker: sudo systemctl start docker, or open Docker Desktop",
    );
}

const missing = (message: string, hint: string) => new PsnError("DEPLOY_FAILED", message, { hint });

interface Ran {
  /** There is no such program. */
  readonly isMissing: boolean;
  readonly code: number;
  /** What it wrote to stdout. */
  readonly printed: string;
  /** What it wrote to stderr. */
  readonly said: string;
}

function ran(env: Readonly<Record<string, string>>, command: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, args, { env, timeout: TIMEOUT_MS }, (error, printed, said) => {
      const isMissing = error?.code === "ENOENT";
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ isMissing, code, printed, said });
    });
  });
}
