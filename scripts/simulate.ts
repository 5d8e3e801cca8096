import { parseArgs } from "node:util";
import { type Told, tellHistory } from "../tests/simulation/history.ts";
import { openPostgres, type Postgres } from "../tests/simulation/postgres.ts";
import { scenarioOf } from "../tests/simulation/scenario.ts";
import { shrink } from "../tests/simulation/shrink.ts";

/*
 * Histories of the engine in virtual time (docs/simulation.md). Ends with 1 when one of them breaks something that psn promises.
 *
 *   bun run simulate --seed 1 --count 1000
 */

const { values } = parseArgs({
  options: {
    /** The first history's seed; the next ones are the numbers after it. */
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "1000" },
    /** In place of `count`: as many as fit. */
    minutes: { type: "string" },
    /** Prints every line of each history. */
    trace: { type: "boolean", default: false },
    /** Goes on after a history that fails, and shrinks none. */
    all: { type: "boolean", default: false },
    /** Ends at the first history that fails, says how many were told until then, and shrinks none. */
    first: { type: "boolean", default: false },
  },
});

const began = performance.now();
const seconds = () => (performance.now() - began) / 1000;

function print({ lines, broken, scenario }: Told): void {
  console.log(lines.join("\n"));
  for (const one of broken) console.log(`✗ ${one}`);
  console.log(`  ${JSON.stringify(scenario)}`);
}

async function failed(postgres: Postgres, told: Told): Promise<void> {
  console.log(`✗ seed ${told.scenario.seed}: ${told.broken.join("\n  ")}`);
  if (values.all || values.first) return;
  console.log(
    `  what is left of it when all is left out that it does not need (the whole: --seed ${told.scenario.seed} --count 1 --trace):\n`,
  );
  print(await shrink(postgres, told));
}

const postgres = await openPostgres();
const opened = seconds();
const first = Number(values.seed);
const most = values.minutes === undefined ? Number(values.count) : Number.POSITIVE_INFINITY;
const until = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes) * 60;
let told = 0;
let bad = 0;
for (; told < most && seconds() < until; told += 1) {
  const one = await tellHistory(postgres, scenarioOf(String(first + told)));
  if (values.trace) print(one);
  if (one.broken.length === 0) continue;
  bad += 1;
  await failed(postgres, one);
  if (!values.all) break;
}
const all = told + (bad > 0 && !values.all ? 1 : 0);
console.log(
  `\n${all} histories from seed ${first} in ${(seconds() - opened).toFixed(1)} s, ${(all / (seconds() - opened)).toFixed(1)} a second: ${bad === 0 ? "nothing broke" : `${bad} broke something`}`,
);
process.exit(bad === 0 ? 0 : 1);
