import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import { removedAtExit } from "@psn/core/utils/leftover.ts";
import { markUsed, PACKAGES, PREFIX, sweep } from "./tasks-sweep.ts";

/** Some 380 packages over a slow line; in milliseconds. */
const TIMEOUT_MS = 10 * 60_000;

export interface TasksFolder {
  /** The project's texts by their paths in it. */
  readonly project: Readonly<Record<string, string>>;
  /** Of psn. */
  readonly version: string;
  /** Where psn keeps what it can make again; undefined where this user has no such folder. */
  readonly cache: string | undefined;
  /** Of this process, without the hub's secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** The running Bun, or a program that has Bun in it. */
  readonly bun: string;
  readonly signal: AbortSignal;
  /** How long fetching the packages may take, in milliseconds. Default ten minutes. */
  readonly timeoutMs?: number;
  readonly onLine: (line: string) => void;
}

/**
 * A folder with the tasks' project and its packages, exactly as its lockfile has them. It is made once for a state of
 * the project and gets its name when it is complete; then those of older versions are removed. No package's install
 * script runs.
 *
 * @returns its path.
 * @throws PsnError DEPLOY_FAILED where it cannot be written or the packages cannot be fetched; INTERRUPTED.
 */
export async function tasksFolder(making: TasksFolder): Promise<string> {
  const { project, version, cache } = making;
  if (cache === undefined)
    throw new PsnError("DEPLOY_FAILED", "this user has no folder in which psn could build the tasks", {
      hint: "set XDG_CACHE_HOME to the path of a folder of yours, then psn deploy",
    });
  const digest = createHash("sha256").update(JSON.stringify(project)).digest("hex").slice(0, 16);
  const name = `${PREFIX}${version}-${digest}`;
  const folder = join(cache, name);
  try {
    if (existsSync(folder)) markUsed(folder);
    if (!isWhole(folder)) await make(making, folder);
    markUsed(folder);
    const now = new Date();
    await utimes(folder, now, now);
    await sweep({ cache, name, version, lock: project["bun.lock"] ?? "" });
  } catch (error) {
    if (error instanceof PsnError) throw error;
    throw new PsnError("DEPLOY_FAILED", `the tasks' project could not be written to ${folder}`, {
      cause: error,
      hint: `check the space and the permissions of ${cache}, then psn deploy`,
    });
  }
  return folder;
}

/** Programs that clean caches remove files and leave folders. */
const isWhole = (folder: string): boolean =>
  ["trigger.config.ts", "bun.lock", "node_modules/trigger.dev/package.json"].every((path) =>
    existsSync(join(folder, path)),
  );

async function make(making: TasksFolder, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const draft = await mkdtemp(`${folder}.`);
  const remove = removedAtExit(draft);
  try {
    for (const [path, text] of Object.entries(making.project)) {
      await mkdir(dirname(join(draft, path)), { recursive: true });
      await writeFile(join(draft, path), text);
    }
    making.onLine("installing the packages of the tasks, once for this version of psn");
    await install(making, draft);
    if (!isWhole(folder)) await rm(folder, { recursive: true, force: true });
    // Another psn deploy may have been faster; then its folder is the same.
    await rename(draft, folder).catch((error: unknown) => {
      if (!isWhole(folder)) throw error;
    });
  } finally {
    remove();
  }
}

/** By the registry that the user's .npmrc or environment names. A program that has Bun in it is Bun with BUN_BE_BUN. */
async function install({ bun, environment, signal, timeoutMs = TIMEOUT_MS }: TasksFolder, cwd: string): Promise<void> {
  const kept = join(dirname(cwd), PACKAGES);
  const args = ["install", "--frozen-lockfile", "--ignore-scripts", "--linker", "hoisted", "--cache-dir", kept];
  const child = spawn(bun, args, {
    cwd,
    env: { ...environment, NO_COLOR: "1", BUN_BE_BUN: "1" },
    stdio: ["ignore", "ignore", "pipe"],
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", (error) => {
      if (signal.aborted) reject(new PsnError("INTERRUPTED", "stopped"));
      else reject(error.name === "AbortError" ? uninstalled(`${timeoutMs / 1000} seconds are over`) : error);
    });
    child.on("close", resolve);
  });
  if (code === 0) return;
  throw uninstalled(reasonIn(said));
}

const uninstalled = (reason: string) =>
  new PsnError("DEPLOY_FAILED", `the packages of the tasks could not be installed: ${reason}`, {
    hint: "check the network and the registry in .npmrc, then psn deploy",
  });

/** Bun's own errors, without what a registry's address may have of a login. */
function reasonIn(said: string): string {
  const lines = said.split("\n").filter((line) => /^(error|warn)\b/i.test(line));
  return (lines.length > 0 ? lines : said.split("\n").filter((line) => line.trim() !== ""))
    .slice(0, 3)
    .join(" / ")
    .replaceAll(/\/\/[^/\s@]*@/g, "//•••@");
}
