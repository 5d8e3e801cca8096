import { existsSync, writeFileSync } from "node:fs";
import { lstat, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { removedAtExit } from "@psn/core/utils/leftover.ts";

/*
 * What psn deploy no longer needs in its cache folder: projects of older versions, and packages that the present one
 * does not have. Nothing goes that another psn deploy is using.
 */

export const PREFIX = "tasks-";
export const PACKAGES = "packages";

/** tasks-VERSION-DIGEST, and behind a dot what a folder has that is being made or removed. */
const NAME = /^tasks-(?<version>\d+\.\d+\.\d+.*)-[0-9a-f]{16}(?<unfinished>\..+)?$/;
/** A newer version's project is removed after so long without a deployment from it; in milliseconds. */
const KEPT_MS = 30 * 86_400_000;
/** Longer than it takes to make a project, in milliseconds: what is unfinished for longer was left by a killed psn. */
const MAKING_MS = 3_600_000;
/** Longer than a deployment takes, in milliseconds: by then the process id in a mark may be another program's. */
const DEPLOYING_MS = 86_400_000;
const MARK = /^\.used-by-(\d+)$/;

/** Says that this process is using the folder. Throws where the folder is not there. */
export function markUsed(folder: string): void {
  const mark = join(folder, `.used-by-${process.pid}`);
  const isNew = !existsSync(mark);
  writeFileSync(mark, "psn deploy\n");
  if (isNew) removedAtExit(mark);
}

export interface Complete {
  readonly cache: string;
  /** The folder of the complete project, which this process is using. */
  readonly name: string;
  /** Of psn. */
  readonly version: string;
  /** The project's bun.lock. */
  readonly lock: string;
}

/** Called when this version's project is complete. */
export async function sweep({ cache, name, version, lock }: Complete): Promise<void> {
  let isMaking = false;
  for (const other of await readdir(cache)) {
    if (!other.startsWith(PREFIX) || other === name) continue;
    const { unfinished, version: its = "0.0.0" } = NAME.exec(other)?.groups ?? {};
    const ageMs = await ageOf(join(cache, other));
    if (unfinished !== undefined && ageMs < MAKING_MS) isMaking = true;
    else if (unfinished !== undefined) await rm(join(cache, other), { recursive: true, force: true });
    else if (Bun.semver.order(its, version) <= 0 || ageMs > KEPT_MS) await removeUnused(join(cache, other));
  }
  if (!isMaking) await sweepPackages(join(cache, PACKAGES), lock);
}

/** It is moved away first, so that who marks it now either finds it whole or makes another. */
async function removeUnused(folder: string): Promise<void> {
  if (await isUsed(folder)) return;
  const leaving = `${folder}.leaving-${process.pid}`;
  await rename(folder, leaving).catch(() => undefined);
  if (await isUsed(leaving)) await rename(leaving, folder).catch(() => undefined);
  await rm(leaving, { recursive: true, force: true });
}

async function isUsed(folder: string): Promise<boolean> {
  for (const name of await readdir(folder).catch(() => [])) {
    const [, pid] = MARK.exec(name) ?? [];
    if (pid !== undefined && isAlive(Number(pid)) && (await ageOf(join(folder, name))) < DEPLOYING_MS) return true;
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

const ageOf = async (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );

/**
 * Bun's cache has a folder NAME@VERSION@@@1 for each package, links in a folder NAME, and scopes around both. A
 * prerelease's tag is a hash there, and a registry of one's own is behind @@ (Bun 1.4, seen in its cache).
 */
async function sweepPackages(folder: string, lock: string): Promise<void> {
  const isKept = (name: string, version: string): boolean => {
    const [number = "", ...tag] = (version.split("@@")[0] ?? "").split(/[-+]/);
    return lock.includes(tag.length === 0 ? `"${name}@${number}"` : `"${name}@${number}-`);
  };
  const below = async (scope: string): Promise<void> => {
    for (const entry of await readdir(join(folder, scope)).catch(() => [])) {
      const path = join(folder, scope, entry);
      if (scope === "" && entry.startsWith("@")) await below(entry);
      else if (entry.includes("@@@")) {
        const at = entry.indexOf("@");
        const name = scope === "" ? entry.slice(0, at) : `${scope}/${entry.slice(0, at)}`;
        if (!isKept(name, entry.slice(at + 1))) await rm(path, { recursive: true, force: true });
      } else if (await isFolder(path)) {
        const name = scope === "" ? entry : `${scope}/${entry}`;
        for (const version of await readdir(path)) if (!isKept(name, version)) await rm(join(path, version));
        await rmdir(path).catch(() => undefined);
      }
    }
    if (scope !== "") await rmdir(join(folder, scope)).catch(() => undefined);
  };
  await below("");
}

const isFolder = async (path: string): Promise<boolean> =>
  lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
