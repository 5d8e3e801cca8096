#!/usr/bin/env bun
import { version } from "../../package.json";
import { createIo } from "./io.ts";
import { run } from "./program.ts";

const INTERRUPTED = 130;

const interrupt = new AbortController();
process.on("SIGINT", () => {
  if (interrupt.signal.aborted) process.exit(INTERRUPTED);
  process.stderr.write("\nstopping; once more to stop at once\n");
  interrupt.abort();
});
process.on("SIGTERM", () => interrupt.abort());
// Whoever reads our output may have seen enough: `psn queue | head -1`. What is being published goes on.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => error.code === "EPIPE" || process.exit(1));
}

const { stdin, stdout, stderr } = process;
process.exitCode = await run(
  process.argv.slice(2),
  createIo({ stdin, stdout, stderr, cwd: process.cwd(), version, signal: interrupt.signal }),
);
