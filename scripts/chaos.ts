import { parseArgs } from "node:util";
import { startGround } from "../tests/chaos/ground.ts";
import { chaos, holds, sumOf, tableOf } from "../tests/chaos/suite.ts";

/*
 * Breaks psn in every way it must survive and asks the platforms what they hold.
 *
 *   bun run scripts/chaos.ts [--short] [--seed N] [--count N] [--only TEXT] [--minutes N] [--no-bluesky] [--no-snac]
 *     [--verbose]
 *
 * --only: a part of "what breaks, platform, database", or some of them: "TEXT|TEXT". --count: how often what is left to
 * chance is tried. --minutes: no run begins later, and the seed decides which come first. --no-bluesky: starts no PDS.
 * --no-snac: starts no snac2. Exits with 1 unless nothing was lost, nothing doubled, and in doubt only what the
 * platform leaves to a person.
 */

const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    count: { type: "string", default: "3" },
    only: { type: "string" },
    minutes: { type: "string" },
    "no-bluesky": { type: "boolean", default: false },
    "no-snac": { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
const [seed, count, minutes] = [values.seed, values.count, values.minutes ?? "1"].map(Number) as [
  number,
  number,
  number,
];
if (!Number.isInteger(seed) || !Number.isInteger(count) || count < 1 || !(minutes > 0)) {
  console.error("--seed and --count take whole numbers, --count from 1, and --minutes a number above 0");
  process.exit(2);
}

const began = performance.now();
let stopping: Promise<void> | undefined;
const starting = startGround({ bluesky: !values["no-bluesky"], snac: !values["no-snac"] });
const stop = () => {
  // What is cut off now may say so.
  for (const event of ["uncaughtException", "unhandledRejection"] as const) process.on(event, () => undefined);
  stopping ??= starting.then((ground) => ground.stop()).catch(() => undefined);
  return stopping;
};
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.on(signal, () => void stop().then(() => process.exit(code)));

try {
  const ground = await starting;
  console.log(`seed ${seed}, count ${count}`);
  for (const reason of ground.missing) console.log(`left out: ${reason}`);
  const cells = await chaos(
    {
      seed,
      count,
      short: values.short,
      ...(values.only === undefined ? {} : { only: values.only.toLowerCase() }),
      ...(values.minutes === undefined ? {} : { withinMs: minutes * 60_000 }),
      ...(values.verbose ? { onRun: console.log } : {}),
    },
    ground,
  );
  console.log(`\n${tableOf(cells)}`);
  const broken = cells.filter((cell) => !holds(cell));
  for (const { breaks, platform, database, notes } of broken)
    console.log(`\n✗ ${breaks}, ${platform}, ${database}\n  ${notes.join("\n  ")}`);
  const { runs, deliveries, lost, doubled, unconfirmed } = sumOf(cells);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(
    `\n${deliveries} posts in ${runs} runs, ${seconds} s: ${lost} lost, ${doubled} doubled, ${unconfirmed} left to ` +
      "a person",
  );
  process.exitCode = broken.length === 0 ? 0 : 1;
} catch (error) {
  if (!stopping) console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await stop();
}
