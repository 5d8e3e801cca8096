#!/usr/bin/env bun
import { version } from "../../package.json";
import { createIo } from "./io.ts";
import { run } from "./program.ts";
import { watchStdout } from "./stdout.ts";
import { hearSignals } from "./stop.ts";

const signal = hearSignals();
const { stdin, stderr } = process;
const stdout = watchStdout(process.stdout);
// What cannot be said on stderr cannot be said at all.
stderr.on("error", () => undefined);

const ended = await run(process.argv.slice(2), createIo({ stdin, stdout, stderr, cwd: process.cwd(), version, signal }));
const sink = { isTTY: stderr.isTTY === true, write: (text: string) => void stderr.write(text) };
// A reader that takes nothing must not keep psn from ending.
const stopped = new Promise<number>((resolve) => signal.addEventListener("abort", () => resolve(ended), { once: true }));
process.exitCode = await Promise.race([stdout.settle(ended, sink), stopped]);
// Whatever an abandoned command still waits for ends with the process.
if (signal.aborted) process.exit();
signal.addEventListener("abort", () => process.exit());
