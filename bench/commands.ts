import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Figure, median, pairwise } from "./report.ts";

/*
 * What a person waits for on the embedded database, as whole processes from the sources: psn's first command, one that
 * opens the database itself, one beside a worker; and the memory of the worker meanwhile.
 */

const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const ROUNDS = 9;
const INITS = 3;
const MB = 1024 * 1024;
/** How long a worker may take to say that it runs, and then is left alone before it is looked at, in milliseconds. */
const SETTLE_MS = 5_000;

export default async function commands(): Promise<readonly Figure[]> {
  const root = await mkdtemp(join(tmpdir(), "psn-bench-"));
  try {
    const inits: { ms: number; peak: number }[] = [];
    for (let n = 0; n < INITS; n += 1) inits.push(await ran(join(root, `${n}`), ["init", "--tz", "UTC"]));
    const hub = join(root, "0");
    const queue = (ms: number, name: string, aim: number, ratio: number): Figure => ({
      name,
      value: `${ms.toFixed(0)} ms`,
      ratio,
      against: "psn --version",
      aim: `≤ ${aim} ms`,
      met: ms <= aim,
    });
    const turns = () =>
      pairwise(
        ROUNDS,
        async () => (await ran(hub, ["queue"])).ms,
        async () => (await ran(hub, ["--version"])).ms,
      );
    const alone = await turns();
    const worker = Bun.spawn([process.execPath, main, "worker"], { cwd: hub, stdio: ["ignore", "ignore", "ignore"] });
    await Bun.sleep(SETTLE_MS);
    const served = await turns();
    const resident = process.platform === "linux" ? residentBytes(worker.pid) / MB : Number.NaN;
    worker.kill("SIGINT");
    await worker.exited;
    const ms = median(inits.map((init) => init.ms));
    const peak = Math.max(...inits.map((init) => init.peak)) / MB;
    return [
      { name: "psn init", value: `${ms.toFixed(0)} ms`, aim: "≤ 2000 ms", met: ms <= 2_000 },
      { name: "its most memory", value: `${peak.toFixed(0)} MB`, aim: "≤ 350 MB", met: peak <= 350 },
      queue(alone.a, "psn queue", 300, alone.ratio),
      queue(served.a, "psn queue beside a worker", 120, served.ratio),
      { name: "memory of the idle worker", value: `${resident.toFixed(0)} MB`, aim: "≤ 160 MB", met: resident <= 160 },
    ];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Throws when the command fails. `peak` is in bytes. */
async function ran(folder: string, argv: readonly string[]): Promise<{ ms: number; peak: number }> {
  const began = performance.now();
  const child = Bun.spawn([process.execPath, main, "--hub", folder, ...argv], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [code, said] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  if (code !== 0) throw new Error(`psn ${argv.join(" ")} ended with ${code}: ${said}`);
  return { ms: performance.now() - began, peak: child.resourceUsage()?.maxRSS ?? Number.NaN };
}

/** https://man7.org/linux/man-pages/man5/proc_pid_status.5.html (2026-11). */
function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
