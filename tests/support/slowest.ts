import type { Reporter } from "vitest/node";

const SHOWN = 10;

/** Prints the test files that took longest, in seconds. */
export const slowest: Reporter = {
  onTestRunEnd: (files) => {
    const took = files.map((file) => ({ path: file.relativeModuleId, seconds: file.diagnostic().duration / 1000 }));
    console.log("\nslowest files:");
    for (const { path, seconds } of took.toSorted((one, other) => other.seconds - one.seconds).slice(0, SHOWN))
      console.log(`${seconds.toFixed(1).padStart(6)} s  ${path}`);
  },
};
