import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/* A small disk in memory, which can be filled and made read-only. */

export interface Disk {
  readonly folder: string;
  /** Leaves no byte free. */
  fill(): void;
  empty(): void;
  readOnly(): void;
  remove(): void;
}

/** Why there can be none; undefined where there can. */
export function whyNoDisk(): string | undefined {
  if (process.platform !== "linux") return "only Linux has a tmpfs";
  if (process.getuid?.() !== 0) return "only root may mount";
  try {
    newDisk(1).remove();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** @param size in MB. */
export function newDisk(size: number): Disk {
  const root = mkdtempSync(join(tmpdir(), "psn-disk-"));
  const folder = join(root, "mounted");
  mkdirSync(folder);
  const run = (...argv: readonly string[]) => {
    const [program = "", ...args] = argv;
    const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${argv.join(" ")}: ${error?.message ?? stderr}`);
  };
  run("mount", "-t", "tmpfs", "-o", `size=${size}m,mode=0700`, "tmpfs", folder);
  const fat = join(folder, "fat");
  return {
    folder,
    fill: () => {
      for (let n = 0; statfsSync(folder).bavail > 0; n += 1) {
        const { bavail, bsize } = statfsSync(folder);
        writeFileSync(`${fat}${n}`, new Uint8Array(bavail * bsize));
      }
    },
    empty: () => {
      for (let n = 0; n < 9; n += 1) rmSync(`${fat}${n}`, { force: true });
    },
    readOnly: () => run("mount", "-o", "remount,ro", folder),
    remove: () => {
      spawnSync("umount", ["-l", folder]);
      rmSync(root, { recursive: true, force: true });
    },
  };
}
