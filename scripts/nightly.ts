import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * One of the long runs of a night, as .github/workflows/nightly.yml calls them, at its full length. What it prints also
 * goes into nightly/NAME.log; the exit code is its own.
 *
 *   bun run nightly simulate|chaos|neighbours|outages|mutants|cuts|bench
 */

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Run {
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** @param seed one that no night has had before. */
const runs = (seed: string): Readonly<Record<string, Run>> => ({
  simulate: { script: "simulate", args: ["--minutes", "60", "--seed", `${seed}00000`] },
  chaos: { script: "chaos", args: ["--seed", seed] },
  neighbours: { script: "neighbours", args: ["--seed", seed, "--count", "1000"] },
  outages: { script: "outages" },
  mutants: { script: "mutants" },
  // As often as docs/guarantees.md speaks of; `check` cuts and kills less often.
  cuts: {
    script: "test",
    args: ["tests/vault/rotate.test.ts", "tests/db/power-cut.test.ts"],
    env: { KILLS: "20", POWER_CUTS: "20" },
  },
  bench: { script: "bench" },
});

const DAY_MS = 86_400_000;
const [name = ""] = process.argv.slice(2);
const wanted = runs(String(Math.floor(Date.now() / DAY_MS)))[name];
if (!wanted) {
  console.error(`there is no run called ${name}; there are: ${Object.keys(runs("")).join(", ")}`);
  process.exit(2);
}

mkdirSync(join(ROOT, "nightly"), { recursive: true });
const log = createWriteStream(join(ROOT, "nightly", `${name}.log`));
const { script, args = [], env = {} } = wanted;
const child = spawn(process.execPath, ["run", script, ...args], {
  cwd: ROOT,
  env: { ...process.env, ...env },
  stdio: ["ignore", "pipe", "pipe"],
});
for (const [from, to] of [
  [child.stdout, process.stdout],
  [child.stderr, process.stderr],
] as const)
  from.on("data", (bytes: Buffer) => {
    to.write(bytes);
    log.write(bytes);
  });
const [code] = await once(child, "close");
log.end();
process.exitCode = Number(code ?? 1);
