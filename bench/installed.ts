import { mkdir, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isPlatform, writeProgram } from "../scripts/build/binaries.ts";
import { BUNDLING } from "../scripts/build/bundle.ts";

/*
 * psn as its users have it, built for the bench: the compiled program of a release, and the bundle that the npm package
 * starts by Bun.
 */

/** What psn is started by: a program and what comes in front of its arguments. */
export type Started = readonly [program: string, ...before: string[]];

/** The name of the psn that `--beside=PROGRAM` names. */
export const BESIDE = "the other program";
const FLAG = "--beside=";
const PROGRAM = "program";
const BUNDLE = "bundle";

/**
 * Builds both into this folder, and returns them by name; behind them comes the psn that `args` name, an earlier one
 * for instance. Throws where this platform has no compiled program.
 */
export async function buildInstalled(folder: string, args: readonly string[]): Promise<ReadonlyMap<string, Started>> {
  // In a process of its own: on Linux the most memory of a child counts from what its parent has when it starts it.
  await take([process.execPath, import.meta.path, folder], { cwd: folder });
  const [program = ""] = await readdir(join(folder, PROGRAM));
  const installed = new Map<string, Started>();
  installed.set("compiled program", [join(folder, PROGRAM, program)]);
  installed.set("bundle", [process.execPath, join(folder, BUNDLE, "main.js")]);
  const beside = args.find((arg) => arg.startsWith(FLAG));
  if (beside !== undefined) installed.set(BESIDE, [resolve(beside.slice(FLAG.length))]);
  return installed;
}

async function build(folder: string): Promise<void> {
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  if (!isPlatform(platform)) throw new Error(`psn is not compiled for ${platform}`);
  const built = await Bun.build({ ...BUNDLING, outdir: join(folder, BUNDLE) });
  if (!built.success) throw new Error(`psn was not bundled: ${built.logs.join("\n")}`);
  await mkdir(join(folder, PROGRAM));
  await writeProgram(platform, join(folder, PROGRAM));
}

/** What one process took. */
export interface Took {
  /** Milliseconds from its start to its end. */
  readonly ms: number;
  /** Most resident memory, in bytes. */
  readonly peak: number;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
}

/** Runs a command to its end. Throws an Error when it fails. */
export async function take(command: readonly string[], { cwd, env, stdin }: RunOptions): Promise<Took> {
  const began = performance.now();
  const child = Bun.spawn([...command], {
    cwd,
    env: env ?? process.env,
    stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, ...said] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const ms = performance.now() - began;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${said.join("")}`);
  return { ms, peak: child.resourceUsage()?.maxRSS ?? Number.NaN };
}

/** An empty Bun, which everything is quoted with. */
export const EMPTY = "bun -e 0";

export async function emptyBun(): Promise<number> {
  return (await take([process.execPath, "-e", "0"], { cwd: tmpdir() })).ms;
}

if (import.meta.main) await build(process.argv[2] ?? "");
