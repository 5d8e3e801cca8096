import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/*
 * Hubs beside each other on one machine: two of them, a copy of the first, two checkouts of psn, and three processes
 * that are suspended. Many commands are run on them. None may hang, and none may touch what is not its own.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Longest that a command may take, in milliseconds: the limit on a suspended holder, and room for a busy machine. */
export const LIMIT_MS = 45_000;
/** How many commands run at a time. */
const AT_ONCE = 3;
/** How many of a hundred commands go to a hub that is suspended; each of those takes some seconds. */
const TO_SUSPENDED = 8;

export interface NeighboursOptions {
  readonly seed: number;
  readonly count: number;
  readonly onCommand?: (line: string) => void;
}

export interface Neighbours {
  readonly commands: number;
  readonly slowestMs: number;
  /** What was wrong; empty where all held. */
  readonly faults: readonly string[];
}

interface Ran {
  readonly code: number | null;
  readonly ms: number;
  readonly said: string;
}

export async function neighbours({ seed, count, onCommand = () => undefined }: NeighboursOptions): Promise<Neighbours> {
  const root = mkdtempSync(join(tmpdir(), "psn-neighbours-"));
  const children = new Set<ChildProcess>();
  const [faults, random] = [[] as string[], dice(seed)];
  const temporary = join(root, "tmp");
  mkdirSync(temporary);
  const environment = { PATH: process.env["PATH"] ?? "", HOME: root, TMPDIR: temporary };
  const checkouts = [ROOT, secondCheckout(join(root, "checkout"))];
  const start = (checkout: string, folder: string, argv: readonly string[]) => {
    const child = spawn(process.execPath, [join(checkout, "src/cli/main.ts"), ...argv], {
      cwd: folder,
      env: environment,
    });
    children.add(child);
    child.once("exit", () => children.delete(child));
    return child;
  };
  const run = (checkout: string, folder: string, argv: readonly string[], limit = LIMIT_MS): Promise<Ran> =>
    new Promise((resolve) => {
      const [child, began] = [start(checkout, folder, argv), performance.now()];
      let said = "";
      for (const stream of [child.stdout, child.stderr])
        stream?.on("data", (some) => {
          said += String(some);
        });
      const timer = setTimeout(() => child.kill("SIGKILL"), limit);
      child.once("close", (code) => {
        clearTimeout(timer);
        resolve({ code, ms: performance.now() - began, said });
      });
    });
  const worker = async (folder: string) => {
    const child = start(ROOT, folder, ["worker"]);
    await new Promise<void>((resolve, reject) => {
      child.stderr?.on("data", (some) => String(some).includes("Ctrl-C") && resolve());
      child.once("exit", (code) => reject(new Error(`a worker ended with ${code}`)));
    });
    return child;
  };

  try {
    const [first, second, copy] = ["first", "second", "copy"].map((name) => join(root, name)) as [
      string,
      string,
      string,
    ];
    for (const folder of [first, second]) {
      const made = await run(ROOT, root, ["init", folder, "--tz", "UTC"], 300_000);
      const fed = await run(ROOT, folder, ["connect", "feed", "./public"], 300_000);
      if (made.code !== 0 || fed.code !== 0) throw new Error(`the hubs were not made: ${made.said}${fed.said}`);
    }
    const running = await worker(first);
    spawnSync("cp", ["-r", first, copy]);
    const recovered = await run(ROOT, copy, ["recover", "--yes"], 300_000);
    if (recovered.code !== 0) throw new Error(`the copy does not go on: ${recovered.said}`);
    // By another path it is the same hub.
    const link = join(root, "link");
    symlinkSync(first, link);
    const suspended = [await worker(second), await worker(copy), await worker(link)];
    for (const child of suspended) child.kill("SIGSTOP");
    await sleep(200);
    const before = {
      socket: noteOf(first),
      second: stateOf(second),
      copy: stateOf(copy),
      first: stateOf(join(first, "config")),
    };

    let slowestMs = 0;
    const one = async (n: number) => {
      const isSuspended = random() * 100 < TO_SUSPENDED;
      const folder = pick(random, isSuspended ? [second, copy] : [first, link]);
      const [checkout, argv] = [pick(random, checkouts), pick(random, commandsOf(n))];
      const { code, ms, said } = await run(checkout, folder, argv);
      slowestMs = Math.max(slowestMs, ms);
      const line = `${n} ${folder.slice(root.length + 1)} ${argv.join(" ")}: ${code}, ${Math.round(ms)} ms`;
      onCommand(line);
      if (code === null) faults.push(`${line}: it hung`);
      else if (isSuspended ? code !== 6 || !/suspended \(pid \d+/.test(said) : code !== 0)
        faults.push(`${line}: ${said.trim()}`);
      if (noteOf(first) !== before.socket || !existsSync(before.socket))
        faults.push(`${line}: the running worker's socket was touched`);
    };
    let next = 0;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < count && faults.length === 0) await one(next++);
      }),
    );
    if (stateOf(second) !== before.second) faults.push("files of the second hub were changed");
    if (stateOf(copy) !== before.copy) faults.push("files of the copy were changed");
    if (stateOf(join(first, "config")) !== before.first) faults.push("settings of the first hub were changed");
    if (running.exitCode !== null) faults.push("the running worker ended");
    return { commands: next, slowestMs, faults };
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await sleep(100);
    rmSync(root, { recursive: true, force: true });
  }
}

const commandsOf = (n: number): readonly (readonly string[])[] => [
  ["queue"],
  ["accounts"],
  ["queue", "--json", "--all"],
  ["post", `post ${n}`, "--to", "feed", "--in", "9d"],
  ["post", `now ${n}`, "--to", "feed", "--no-wait"],
  ["db", "status"],
];

/** psn's code at another place, with the same packages. */
function secondCheckout(folder: string): string {
  mkdirSync(folder);
  for (const name of ["src", "drizzle", "package.json", "tsconfig.json"])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

const noteOf = (hub: string): string => readFileSync(join(hub, "data", "socket"), "utf8").split("\n", 1)[0] ?? "";

/** Every file below, by what changes with it; not how far a database was seen to come, which each command notes. */
function stateOf(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.includes("incarnation.seen"))
    .toSorted()
    .map((name) => {
      const { ino, size, mtimeMs, mode } = lstatSync(join(folder, name));
      return `${name} ${ino} ${size} ${mtimeMs} ${mode}`;
    })
    .join("\n");
}

/** mulberry32. */
function dice(seed: number): () => number {
  let at = seed >>> 0;
  return () => {
    at = (at + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pick<T>(random: () => number, some: readonly T[]): T {
  const one = some[Math.floor(random() * some.length)];
  if (one === undefined) throw new Error("nothing to pick from");
  return one;
}
