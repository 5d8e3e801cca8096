import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Figure, pairwise } from "./report.ts";

const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
/** The aim: three times an empty Bun, plus this many milliseconds. */
const ALLOWANCE_MS = 40;

export default async function startup(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const flag of ["--version", "--help"]) {
    const { a, b, ratio } = await pairwise(
      21,
      () => spawnSync(process.execPath, [main, flag]),
      () => spawnSync(process.execPath, ["-e", "0"]),
    );
    const limit = 3 * b + ALLOWANCE_MS;
    figures.push({
      name: `psn ${flag}`,
      value: `${a.toFixed(1)} ms`,
      ratio,
      against: "bun -e 0",
      aim: `≤ ${limit.toFixed(0)} ms`,
      met: a <= limit,
    });
  }
  return figures;
}
