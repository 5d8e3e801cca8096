import { parseArgs } from "node:util";
import { neighbours } from "../tests/chaos/neighbours.ts";

/*
 * Hubs beside each other on one machine (tests/chaos/neighbours.ts).
 *
 *   bun run scripts/neighbours.ts [--seed N] [--count N] [--verbose]
 *
 * Exits with 1 where a command hung, failed, or touched what is not its own.
 */

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    count: { type: "string", default: "1000" },
    verbose: { type: "boolean", default: false },
  },
});
const [seed, count] = [Number(values.seed), Number(values.count)];
if (!Number.isInteger(seed) || !Number.isInteger(count) || count < 1) {
  console.error("--seed and --count take whole numbers, --count from 1");
  process.exit(2);
}
const began = performance.now();
const { commands, slowestMs, faults } = await neighbours({
  seed,
  count,
  ...(values.verbose ? { onCommand: console.log } : {}),
});
const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(
  `seed ${seed}: ${commands} commands in ${seconds} s, the slowest ${(slowestMs / 1000).toFixed(1)} s, ` +
    `${faults.length} faults`,
);
for (const fault of faults) console.log(`✗ ${fault}`);
process.exitCode = faults.length === 0 ? 0 : 1;
