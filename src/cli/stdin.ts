import { fstatSync } from "node:fs";
import { PsnError } from "@psn/core/errors.ts";

/** All of standard input. Throws FILE_UNREADABLE, and the signal's reason as soon as it is aborted. */
export function readStdin(stdin: NodeJS.ReadStream, signal: AbortSignal): Promise<Uint8Array> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return Promise.race([stopped, readAll(stdin)]).finally(() => signal.removeEventListener("abort", stop));
}

async function readAll(stdin: NodeJS.ReadStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  } catch (cause) {
    const code: unknown = cause instanceof Error ? Reflect.get(cause, "code") : undefined;
    if (typeof code !== "string") throw cause;
    const said = code === "EISDIR" ? "standard input is a folder" : `standard input cannot be read (${code})`;
    throw new PsnError("FILE_UNREADABLE", said, { cause, hint: "pass a file with <, or pipe the output of a command" });
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** Whether another process writes to standard input, which may die half-way; the end of its output looks the same. */
export function isPiped(stdin: NodeJS.ReadStream & { readonly fd?: number }): boolean {
  if (stdin.fd === undefined || stdin.isTTY) return false;
  try {
    const stat = fstatSync(stdin.fd);
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false;
  }
}
