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

/**
 * For the tests, most of whose code runs for seconds and no longer. The compilers that optimise most (of JavaScript, of
 * WebAssembly) and giving memory back at once took two fifths of all the processor's time (2026-11, 2 cores).
 */
const env = {
  ...process.env,
  TESTS: "short",
  BUN_JSC_useFTLJIT: "0",
  BUN_JSC_useOMGJIT: "0",
  MIMALLOC_PURGE_DELAY: "-1",
};

for (const [what, command, ...args] of steps) {
  console.log(`\n== ${what}`);
  const began = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit", env });
  if (status !== 0) {
    console.error(`\n✗ ${what} failed`);
    process.exit(1);
  }
  console.log(`-- ${((performance.now() - began) / 1000).toFixed(1)} s`);
}
console.log("\n✓ all of it holds");
