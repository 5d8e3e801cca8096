#!/usr/bin/env bun
import { toPsnError } from "@psn/core/errors.ts";
import { version } from "../../package.json";
import { createIo } from "./io.ts";
import { createOutput } from "./output.ts";
import { run } from "./program.ts";
import { watchStdout } from "./stdout.ts";
import { hearSignals } from "./stop.ts";

const signal = hearSignals();
const { stdin, stderr } = process;
const stdout = watchStdout(process.stdout);
// What cannot be said on stderr cannot be said at all.
stderr.on("error", () => undefined);

const sink = { isTTY: stderr.isTTY === true, write: (text: string) => void stderr.write(text) };
const io = createIo({ stdin, stdout, stderr, cwd: process.cwd(), version, signal });
// What nobody caught is said as every failure is, and never by the runtime, which writes it as it is.
for (const uncaught of ["uncaughtException", "unhandledRejection"] as const)
  process.on(uncaught, (error) => {
    const failure = toPsnError(error);
    createOutput({ json: false, stdout: sink, stderr: sink, color: undefined }).failure(failure);
    io.trace(failure);
    process.exit(failure.exit);
  });

const argv = process.argv.slice(2);
const ended = await run(argv, io);
// Nobody at a terminal pays for what nobody reads elsewhere.
if (sink.isTTY && !signal.aborted) (await import("./update-notice.ts")).noticeUpdate({ argv, version, stderr: sink });
// A reader that takes nothing must not keep psn from ending.
const stopped = new Promise<number>((resolve) =>
  signal.addEventListener("abort", () => resolve(ended), { once: true }),
);
process.exitCode = await Promise.race([stdout.settle(ended, sink), stopped]);
// Whatever an abandoned command still waits for ends with the process; so does a database that completion gave up.
if (signal.aborted || argv[0] === "completion") process.exit();
signal.addEventListener("abort", () => process.exit());
