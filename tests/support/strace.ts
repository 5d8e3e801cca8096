import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * A psn command under strace: what it writes, syncs and names, in order, as the kernel sees it.
 */

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const CALLS =
  "write,pwrite64,writev,pwritev,sendto,sendmsg,fsync,fdatasync," +
  "rename,renameat,renameat2,link,linkat,mkdir,mkdirat,unlink,unlinkat";

/** Undefined where a command can be traced, else why not. */
export function whyNoStrace(): string | undefined {
  const tried = spawnSync("strace", ["-f", "-y", "-o", "/dev/null", "true"], { encoding: "utf8" });
  if (tried.error) return "there is no strace";
  return tried.status === 0 ? undefined : `strace may not trace here: ${tried.stderr.trim()}`;
}

export interface Call {
  readonly what: "write" | "send" | "sync" | "name" | "make" | "remove";
  /** The file or folder; of a rename or a link the new name. Of `send` the socket. */
  readonly path: string;
  /** The line of strace, with the process id. */
  readonly line: string;
}

export interface Traced {
  readonly code: number;
  readonly output: string;
  readonly calls: readonly Call[];
}

/** Runs `psn ARGV` to its end. Throws when strace cannot trace it. */
export async function traced(
  argv: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Traced> {
  const folder = await mkdtemp(join(tmpdir(), "psn-strace-"));
  try {
    const log = join(folder, "log");
    const words = ["-f", "-y", "-s", "0", "-o", log, "-e", `trace=${CALLS}`, process.execPath, MAIN, ...argv];
    const child = spawn("strace", words, {
      cwd,
      env: { PATH: process.env["PATH"] ?? "", HOME: cwd, BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const [code] = await once(child, "close");
    return { code, output, calls: callsOf(await readFile(log, "utf8")) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A call that another thread's interrupts stands where it ends, with the arguments of where it began. */
function callsOf(log: string): Call[] {
  const begun = new Map<string, string>();
  const calls: Call[] = [];
  for (const line of log.split("\n")) {
    const [, pid = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      begun.set(pid, rest.slice(0, -"<unfinished ...>".length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const call = callOf(resumed ? `${begun.get(pid) ?? ""}${resumed[1]}` : rest);
    if (call) calls.push({ ...call, line: `${pid} ${call.line}` });
  }
  return calls;
}

function callOf(line: string): Call | undefined {
  const [, name = "", args = "", result = "-1"] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(line) ?? [];
  if (name === "" || result.startsWith("-")) return undefined;
  const open = /^\d+<([^>]*)>/.exec(args)?.[1] ?? "";
  // `AT_FDCWD</folder>, "name"`; the last name is the new one.
  const names = [...args.matchAll(/"([^"]*)"/g)].map(([, path = ""]) => path);
  const named = names.at(-1) ?? "";
  if (/^(sendto|sendmsg)$/.test(name) || (/write/.test(name) && /^(socket|UNIX)/.test(open)))
    return { what: "send", path: open, line };
  if (/write/.test(name)) return { what: "write", path: open, line };
  if (/sync/.test(name)) return { what: "sync", path: open, line };
  if (/^(rename|link)/.test(name)) return { what: "name", path: named, line };
  if (/^mkdir/.test(name)) return { what: "make", path: named, line };
  return { what: "remove", path: named, line };
}

/**
 * What a power cut after the last of these calls could take away below `folder`: files that were written and not
 * synced, and new names whose folder was not synced. What was removed again does not count.
 */
export function unsafe(calls: readonly Call[], folder: string): string[] {
  const lost = new Set<string>();
  for (const { what, path, line } of calls) {
    if (what === "sync") {
      lost.delete(`write ${path}`);
      for (const each of lost) if (each.startsWith("name ") && dirname(each.slice(5)) === path) lost.delete(each);
    } else if (what === "remove") for (const kind of ["name", "write"]) lost.delete(`${kind} ${path}`);
    else if (what === "write") lost.add(`write ${path}`);
    else if (what === "name" || what === "make") {
      lost.add(`name ${path}`);
      // A file that is renamed takes its unsynced bytes along.
      const old = /"([^"]*)"/.exec(line)?.[1] ?? "";
      if (what === "name" && lost.delete(`write ${old}`)) lost.add(`write ${path}`);
      if (line.includes("rename")) lost.delete(`name ${old}`);
    }
  }
  return [...lost].filter((each) => each.slice(5).trim().startsWith(folder)).toSorted();
}

/** A segment of the embedded database's log. */
export const isLogCall = ({ path }: Call): boolean => basename(dirname(path)) === "pg_wal";
