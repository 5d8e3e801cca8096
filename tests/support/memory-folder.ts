import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/*
 * Where tests keep what they make: hundreds of data folders of a thousand files each, which take a quarter of all the
 * processor's time on a disk's file system, and a third of that in memory. No test here loses power: those that do
 * bring an image of a disk of their own.
 */

const MEMORY = "/dev/shm";
const PREFIX = "psn-tests-";
/** A run of `check` had 1.3 GB there at most (2026-11). */
const LEAST_BYTES = 6 * 1024 ** 3;

/** A folder in memory that is this process's own, or undefined where there is no room or programs cannot run there. */
export function memoryFolder(): string | undefined {
  if (process.platform !== "linux" || !hasRoom()) return undefined;
  removeLeft();
  const folder = join(MEMORY, `${PREFIX}${process.pid}`);
  try {
    mkdirSync(folder);
    // As /tmp: servers run as another user where the tests are root, and remove their own folders.
    chmodSync(folder, 0o1777);
    if (runsPrograms(folder)) return folder;
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // A folder that cannot be made there is made on the disk.
  }
  return undefined;
}

/** Vitest calls it after the last test. */
export function teardown(): void {
  rmSync(join(MEMORY, `${PREFIX}${process.pid}`), { recursive: true, force: true });
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    const [, free = "0"] = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8")) ?? [];
    return Math.min(bavail * bsize, Number(free) * 1024) >= LEAST_BYTES;
  } catch {
    return false;
  }
}

/** What a run left that was killed: memory stays taken else. */
function removeLeft(): void {
  for (const name of readdirSync(MEMORY))
    if (name.startsWith(PREFIX) && !isAlive(Number(name.slice(PREFIX.length))))
      rmSync(join(MEMORY, name), { recursive: true, force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function runsPrograms(folder: string): boolean {
  const program = join(folder, "runs");
  writeFileSync(program, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  const { status } = spawnSync(program);
  rmSync(program);
  return status === 0;
}
