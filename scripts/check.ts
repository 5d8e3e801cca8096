import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/*
 * Everything that must hold before a change lands; CI runs exactly this. What reads the sources alone runs side by
 * side, then the tests. Nothing is tested where the first fails.
 */

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => `${root}node_modules/.bin/${name}`;
const bun = process.execPath;

type Step = readonly [what: string, command: string, ...args: string[]];

const reading: readonly Step[] = [
  ["format, lint, layers", bin("biome"), "check", "--error-on-warnings", "."],
  ["types", bin("tsc"), "--noEmit"],
  ["generated files are fresh", bun, `${root}scripts/docs.ts`, "--check"],
  ["mutants of the engine find what they break", bun, `${root}scripts/mutate-engine.ts`, "--check"],
  ["mutants of the contract find what they break", bun, `${root}scripts/mutate-contract.ts`, "--check"],
];
const tests: Step = ["tests, but for the thorough ones", bun, "--bun", bin("vitest"), "run"];

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

const since = (began: number) => `-- ${((performance.now() - began) / 1000).toFixed(1)} s`;

/** Its output is one piece, so that it does not mix with another's. */
async function runBeside([what, command, ...args]: Step): Promise<boolean> {
  const began = performance.now();
  const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => said.push(chunk));
  const status = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  console.log(`\n== ${what}\n${Buffer.concat(said).toString()}${since(began)}`);
  if (status !== 0) console.error(`\n✗ ${what} failed`);
  return status === 0;
}

if ((await Promise.all(reading.map(runBeside))).includes(false)) process.exit(1);

const [what, command, ...args] = tests;
console.log(`\n== ${what}`);
const began = performance.now();
if (spawnSync(command, args, { cwd: root, stdio: "inherit", env }).status !== 0) {
  console.error(`\n✗ ${what} failed`);
  process.exit(1);
}
console.log(`${since(began)}\n\n✓ all of it holds`);
