import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";
import { ownFiles } from "./tests/support/import-files.ts";
import { memoryFolder } from "./tests/support/memory-folder.ts";
import { SlowFirst } from "./tests/support/slow-first.ts";
import { slowest } from "./tests/support/slowest.ts";

/**
 * Each of these takes most of a minute, and shows at length what others show in short. `check` leaves them out, so that
 * it stays below a quarter of an hour on two cores; `bun run thorough` runs them, and CI does both at every push.
 */
const THOROUGH = [
  "tests/adversary/disk.test.ts",
  "tests/adversary/import-settings.test.ts",
  "tests/adversary/suspended.test.ts",
  "tests/build/binary.test.ts",
  "tests/build/deploy.test.ts",
  "tests/build/install.test.ts",
  "tests/build/package.test.ts",
  "tests/build/types.test.ts",
  "tests/chaos/neighbours.test.ts",
  "tests/chaos/short.test.ts",
  "tests/cli/bad-remote.test.ts",
  "tests/cli/bucket.test.ts",
  "tests/cli/init-killed.test.ts",
  "tests/cli/stopping-any-moment.test.ts",
  "tests/cli/synced.test.ts",
  "tests/db/durable-commit.test.ts",
  "tests/db/owners.test.ts",
  "tests/db/power-cut.test.ts",
  "tests/db/prepared-fresh.test.ts",
  "tests/docs/record.test.ts",
  "tests/docs/webhook-page.test.ts",
  "tests/engine/refused-repeats.test.ts",
  "tests/journeys/killed.test.ts",
  "tests/journeys/receivers.test.ts",
  "tests/journeys/x-canary.test.ts",
  "tests/outages/outages.test.ts",
  "tests/recover/asking.test.ts",
  "tests/recover/copies.test.ts",
  "tests/recover/stopped.test.ts",
  "tests/trigger/burst.test.ts",
  "tests/trigger/execution.test.ts",
  "tests/vault/move.test.ts",
  "tests/vault/refusals.test.ts",
  "tests/vault/rotate.test.ts",
  "tests/vault/two-hubs.test.ts",
];
/** In part in `check`, and whole in `bun run thorough` (tests/support/how-much.ts). */
const IN_PART = [
  "tests/adversary/{brakes,fair-share,files,locks,login,tampering,tokens}.test.ts",
  "tests/cli/advice.test.ts",
  "tests/db/{earlier-hubs,stores}.test.ts",
  "tests/journeys/remote.test.ts",
  "tests/platforms/bluesky-oauth.test.ts",
  "tests/simulation/simulation.test.ts",
  "tests/trigger/{bundle,wake}.test.ts",
];
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
