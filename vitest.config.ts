import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";
import { IN_PART, THOROUGH } from "./tests/support/how-much.ts";
import { ownFiles } from "./tests/support/import-files.ts";
import { memoryFolder } from "./tests/support/memory-folder.ts";
import { SlowFirst } from "./tests/support/slow-first.ts";
import { slowest } from "./tests/support/slowest.ts";

/** `short`, `thorough`, or all of them. */
const wanted = process.env["TESTS"];

const folder = memoryFolder();
if (folder) process.env["TMPDIR"] = folder;

export default defineConfig({
  plugins: [ownFiles],
  resolve: { alias: { "@psn": fileURLToPath(new URL("./src", import.meta.url)) } },
  test: {
    include: wanted === "thorough" ? [...THOROUGH, ...IN_PART] : ["src/**/*.test.ts", "tests/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(wanted === "short" ? THOROUGH : [])],
    // Servers of a test (a Postgres, a PDS) start and stop with it; a third and a fourth file at once use the time in
    // which the others wait. Vitest 5 cannot start its default pool of processes under Bun.
    pool: "threads",
    // A worker keeps its modules, and the machine code made of them, from file to file.
    isolate: false,
    sequence: { sequencer: SlowFirst },
    reporters: ["default", slowest],
    globalSetup: ["tests/support/memory-folder.ts"],
    setupFiles: ["tests/support/setup.ts"],
    maxWorkers: 4,
    // For what hangs, and nothing else: on a machine with much to do a test takes ten times its time.
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
});
