import { spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Removes the folder when the pipe ends: with the process that holds the other end, however that ends. */
const REMOVER = `trap '' HUP INT TERM PIPE; while read -r word; do :; done; rm -rf "$1"`;

/** A new folder that stays from one test file to the next, and is gone after the process. */
export async function lastingFolder(prefix: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  const child = spawn("/bin/sh", ["-c", REMOVER, "sh", folder], {
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    // Its own session: an interrupt typed at the terminal must not end it before it has cleaned up.
    detached: true,
  });
  child.stdin.on("error", () => {});
  child.unref();
  return folder;
}
