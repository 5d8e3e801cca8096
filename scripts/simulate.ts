import { parseArgs } from "node:util";
import { type Told, tellHistory } from "../tests/simulation/history.ts";
import { openPostgres, type Postgres } from "../tests/simulation/postgres.ts";
import { scenarioOf } from "../tests/simulation/scenario.ts";
import { shrink } from "../tests/simulation/shrink.ts";

/*
 * Histories of the engine in virtual time (docs/simulation.md). Ends with 1 when one of them breaks something that psn
 * promises.
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
    /** So many processes share the count. */
    jobs: { type: "string", default: "1" },
    /** In place of all else: how many histories it takes until one fails, from so many seeds far from each other. */
    find: { type: "string" },
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
  if (values.all) return;
  console.log(
    `  what is left of it when all is left out that it does not need (the whole: --seed ${told.scenario.seed} ` +
      "--count 1 --trace):\n",
  );
  print(await shrink(postgres, told));
}

/** After so many histories their database is made again: it keeps what was deleted in memory, and gets slower. */
const ANEW = 250;

/** So far from each other begin the seeds of `--find`. */
const APART = 1_000_000;

/** How many histories it takes until one fails; undefined when none of `most` does. */
async function find(
  postgres: Postgres,
  first: number,
  most: number,
): Promise<{ readonly after: number; readonly told: Told } | undefined> {
  for (let after = 1; after <= most; after += 1) {
    const told = await tellHistory(postgres, scenarioOf(String(first + after - 1)));
    if (told.broken.length > 0) return { after, told };
  }
  return undefined;
}

const jobs = Number(values.jobs);
if (jobs > 1) {
  // With a time limit the number of each is unknown: their seeds lie so far apart that they never meet.
  const share = values.minutes === undefined ? Math.ceil(Number(values.count) / jobs) : 1_000_000;
  const rest = [
    ...(values.all ? ["--all"] : []),
    ...(values.minutes === undefined ? [] : ["--minutes", values.minutes]),
  ];
  const children = Array.from({ length: jobs }, (_, n) => {
    const range = ["--seed", String(Number(values.seed) + n * share), "--count", String(share)];
    return Bun.spawn([process.execPath, import.meta.path, ...range, ...rest], { stdout: "inherit", stderr: "inherit" });
  });
  const ended = await Promise.all(children.map((child) => child.exited));
  const whole = values.minutes === undefined ? `${share * jobs} histories` : "all histories";
  const bad = ended.some((code) => code !== 0);
  console.log(`${whole} in ${jobs} processes, ${seconds().toFixed(0)} s: ${bad ? "something broke" : "nothing broke"}`);
  process.exit(bad ? 1 : 0);
}

let postgres = await openPostgres();
const opened = seconds();
const first = Number(values.seed);
const most = values.minutes === undefined ? Number(values.count) : Number.POSITIVE_INFINITY;
const until = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes) * 60;
if (values.find !== undefined) {
  for (let start = 0; start < Number(values.find); start += 1) {
    const found = await find(postgres, first + start * APART, Number(values.count));
    console.log(`found after ${found?.after ?? "never"}: ${found?.told.broken[0] ?? ""}`);
  }
  process.exit(0);
}
let told = 0;
let bad = 0;
for (; told < most && seconds() < until; told += 1) {
  if (told > 0 && told % ANEW === 0) {
    await postgres.close();
    postgres = await openPostgres();
  }
  const one = await tellHistory(postgres, scenarioOf(String(first + told)));
  if (values.trace) print(one);
  if (one.broken.length === 0) continue;
  bad += 1;
  await failed(postgres, one);
  if (!values.all) break;
}
const all = told + (bad > 0 && !values.all ? 1 : 0);
const took = seconds() - opened;
console.log(
  `\n${all} histories from seed ${first} in ${took.toFixed(1)} s, ${(all / took).toFixed(1)} a second: ` +
    (bad === 0 ? "nothing broke" : `${bad} broke something`),
);
process.exit(bad === 0 ? 0 : 1);
