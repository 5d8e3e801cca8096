import { execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { PsnError } from "@psn/core/errors.ts";
import { childEnvironment } from "@psn/core/utils/env.ts";

/* The system's own programs, asked one after the other. */

export interface Ran {
  /** The program's exit code; undefined where there is no such program. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** The service manager answers at once; starting a worker takes it longer, in milliseconds. */
const TIMEOUT_MS = 60_000;
const MOST_BYTES = 64 * 1024 * 1024;

export function ran(program: string, ...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { timeout: TIMEOUT_MS, maxBuffer: MOST_BYTES, env: childEnvironment() },
      (error, stdout, stderr) => {
        const isMissing = error?.code === "ENOENT";
        const failed = typeof error?.code === "number" ? error.code : 1;
        resolve({ code: isMissing ? undefined : error === null ? 0 : failed, stdout, stderr });
      },
    );
  });
}

/** As `ran`. Throws SERVICE_FAILED where it does not succeed, with the program's own words. */
export async function succeeded(hint: string, program: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await ran(program, ...args);
  if (code === 0) return stdout;
  const [why = ""] = stderr.trim().split("\n");
  const said = code === undefined ? "is not installed here" : `failed: ${why === "" ? `exit code ${code}` : why}`;
  throw new PsnError("SERVICE_FAILED", `${[program, ...args.slice(0, 2)].join(" ")} ${said}`, { hint });
}

/** Each line that the program writes, until it ends or `stop` comes. */
export async function lines(
  [program = "", ...args]: readonly string[],
  onLine: (line: string) => void,
  stop: AbortSignal,
): Promise<number | undefined> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"], signal: stop, env: childEnvironment() });
  const ended = new Promise<number | undefined>((resolve) => {
    child.on("error", () => resolve(undefined));
    child.on("close", (code) => resolve(code ?? 0));
  });
  createInterface({ input: child.stdout }).on("line", onLine);
  return await ended;
}
