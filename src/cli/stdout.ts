import { readFileSync } from "node:fs";
import { EXIT, PsnError } from "@psn/core/errors.ts";
import { createOutput, type Sink, say } from "./output.ts";

/*
 * Standard output that may be full, closed or without a reader. What a command did is done, whether or not its output
 * could be written; a script must not do it again.
 */

export interface Stdout extends Sink {
  /** Waits until everything is written, or cannot be; says on stderr what is missing. Returns the exit code. */
  settle(exit: number, stderr: Sink): Promise<number>;
}

/** So many lines of what could not be written are shown on stderr. */
const MOST_LINES = 40;

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the device",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is too large",
  EBADF: "it is closed",
  EIO: "the device or the terminal reports an error",
};

export function watchStdout(stream: NodeJS.WriteStream): Stdout {
  const writes = new Set<Promise<void>>();
  let trouble: string | undefined = wasClosed(1) ? "EBADF" : undefined;
  let missing = "";
  const failed = (text: string, code = "EIO") => {
    // The reader may have stopped reading: `psn queue | head -1`.
    if (code === "EPIPE") return;
    trouble ??= code;
    missing = text;
  };
  stream.on("error", () => undefined);
  return {
    isTTY: stream.isTTY === true,
    columns: stream.isTTY ? stream.columns : undefined,
    write: (text) => {
      if (trouble === "EBADF") missing = text;
      const { promise, resolve } = Promise.withResolvers<void>();
      writes.add(promise);
      stream.write(text, (error) => {
        if (error) failed(text, Reflect.get(error, "code"));
        writes.delete(promise);
        resolve();
      });
    },
    settle: async (exit, stderr) => {
      await Promise.all(writes);
      if (trouble === undefined || missing === "") return exit;
      const lines = missing.trimEnd().split("\n");
      // Colours may be in them, which say nothing here.
      const kept = lines.slice(0, MOST_LINES).map((line) => Bun.stripANSI(line));
      const more = lines.length > MOST_LINES ? `… and ${lines.length - MOST_LINES} lines more` : undefined;
      const done =
        exit === EXIT.ok
          ? "the command did its work; do not run it again. It could not write this:"
          : "it could not write this:";
      const error = new PsnError("OUTPUT_FAILED", `standard output cannot be written: ${WORDS[trouble] ?? trouble}`, {
        hint: done,
      });
      createOutput({ json: false, stdout: stderr, stderr, color: false }).failure(error);
      say(stderr, more === undefined ? kept : [kept, more]);
      return exit === EXIT.ok ? error.exit : exit;
    },
  };
}

const O_CLOEXEC = 0o2000000;

/**
 * Whether this descriptor was closed when psn was started. Bun then puts /dev/null in its place, closed on exec, which
 * no descriptor that came from another process is. Only Linux tells it (proc_pid_fdinfo(5)); elsewhere such output
 * vanishes.
 */
function wasClosed(descriptor: number): boolean {
  try {
    const [, flags = "0"] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8")) ?? [];
    return (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
  } catch {
    return false;
  }
}
