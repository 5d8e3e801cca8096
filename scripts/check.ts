import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/*
 * Everything that must hold before a change lands; CI runs exactly this. Stops at the first step that fails.
 */

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => `${root}node_modules/.bin/${name}`;
const bun = process.execPath;

const steps: readonly (readonly [what: string, command: string, ...args: string[]])[] = [
  ["format, lint, layers", bin("biome"), "check", "--error-on-warnings", "."],
  ["types", bin("tsc"), "--noEmit"],
  ["generated files are fresh", bun, `${root}scripts/docs.ts`, "--check"],
  ["mutants of the engine find what they break", bun, `${root}scripts/mutate-engine.ts`, "--check"],
  ["mutants of the contract find what they break", bun, `${root}scripts/mutate-contract.ts`, "--check"],
  ["tests, but for the thorough ones (vitest.config.ts)", bun, "--bun", bin("vitest"), "run"],
];

for (const [what, command, ...args] of steps) {
  console.log(`\n== ${what}`);
  const began = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, TESTS: "short" } });
  if (status !== 0) {
    console.error(`\n✗ ${what} failed`);
    process.exit(1);
  }
  console.log(`-- ${((performance.now() - began) / 1000).toFixed(1)} s`);
}
console.log("\n✓ all of it holds");
