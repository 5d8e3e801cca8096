import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * A file system of its own in a file, which can be cut off as a power cut does: nothing that was not synced reaches the
 * file.
 */

export interface Image {
  /** Where it is mounted. */
  readonly folder: string;
  /** Cuts it off, and keeps what was on the disk. Processes that have files of it open get errors from here on. */
  cut(): void;
  /**
   * Mounts it again after a cut, as a machine that starts does: ext4 replays its journal. No process may have files of
   * it open.
   */
  again(): void;
  /** Unmounts and removes it. Twice is harmless. */
  remove(): Promise<void>;
}

/**
 * EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32), with EXT4_GOING_FLAGS_NOLOGFLUSH (2): fs/ext4/ext4.h of Linux 6. As
 * xfstests' godown.
 */
const CUT = "open(F, '<', $ARGV[0]) or die $!; my $flag = pack('L', 2); defined ioctl(F, 0x8004587d, $flag) or die $!";

/**
 * Ends the mount with this process, in whatever way it ends: the pipe is closed then. Lazily, since others may still be
 * in it.
 */
const GUARD = 'read -r _; umount -l "$1" 2>/dev/null; rm -rf "$2"';

/** What only root calls may lie where nobody else looks. */
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8", env: { PATH } });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

/** Undefined where an image can be mounted and cut, else why not. */
export async function whyNoCut(): Promise<string | undefined> {
  if (process.platform !== "linux") return "only Linux has ext4";
  if (process.getuid?.() !== 0) return "only root may mount";
  if (!existsSync("/dev/loop-control")) return "there are no loop devices";
  for (const program of ["mkfs.ext4", "mount", "perl"])
    if (!Bun.which(program, { PATH })) return `there is no ${program}`;
  try {
    const image = await newImage(16);
    try {
      image.cut();
    } finally {
      await image.remove();
    }
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** @param size in MB; the file takes what is written. */
export async function newImage(size: number): Promise<Image> {
  const root = await mkdtemp(join(tmpdir(), "psn-image-"));
  const folder = join(root, "mounted");
  let file = join(root, "ext4.0");
  let starts = 0;
  const guard = spawn("/bin/sh", ["-c", GUARD, "sh", folder, root], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  const gone = once(guard, "exit");
  guard.unref();
  // The loop device goes with the mount.
  const mount = () => run("mount", "-o", "loop", file, folder);
  let removed: Promise<void> | undefined;
  const image: Image = {
    folder,
    cut: () => run("perl", "-e", CUT, folder),
    again: () => {
      run("umount", folder);
      // Another process's mount namespace may keep the file system that was cut off, and a mount of the same file
      // would be that one again.
      starts += 1;
      const disk = join(root, `ext4.${starts}`);
      run("cp", "--sparse=always", file, disk);
      run("rm", file);
      file = disk;
      mount();
    },
    remove: () => {
      removed ??= (async () => {
        spawnSync("umount", [folder], { env: { PATH } });
        guard.stdin.end();
        await gone;
        await rm(root, { recursive: true, force: true });
      })();
      return removed;
    },
  };
  try {
    await mkdir(folder);
    run("truncate", "-s", `${size}M`, file);
    run("mkfs.ext4", "-q", "-F", file);
    mount();
    return image;
  } catch (error) {
    await image.remove();
    throw error;
  }
}
