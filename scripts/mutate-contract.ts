import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MUTANTS } from "./contract-mutants.ts";

/*
 * Does the contract notice? Breaks a copy of the webhook adapter in one way at a time, holds every copy to the contract
 * and prints which promise noticed. Fails when one goes unnoticed. The sources themselves are never touched.
 *
 *   bun run scripts/mutate-contract.ts
 *
 * --check: only looks whether each text to break is in its file exactly once.
 */

const root = join(import.meta.dirname, "..");
/** Beside the contract; hidden, so that no other run of the tests and no type check finds it. */
const folder = join(root, "tests/contract/.mutants");
const report = join(folder, "report.json");

const adapter = join(root, "src/platforms/webhook");
const contract = readFileSync(join(root, "tests/contract/webhook.test.ts"), "utf8")
  .replace('from "@psn/platforms/webhook/index.ts"', 'from "./webhook/index.ts"')
  .replaceAll('from "./platform.ts"', 'from "../../platform.ts"');

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

async function run(): Promise<Report> {
  writeFileSync(join(folder, "vitest.config.ts"), config());
  place("untouched");
  for (const [index, { file = "index.ts", from, to }] of MUTANTS.entries()) {
    place(String(index));
    const broken = join(folder, String(index), "webhook", file);
    writeFileSync(
      broken,
      sourceOf(file).replace(from, () => to),
    );
  }
  const command = [
    process.execPath,
    "--bun",
    join(root, "node_modules/.bin/vitest"),
    "run",
    "--config",
    join(folder, "vitest.config.ts"),
    "--reporter=json",
    `--outputFile=${report}`,
  ];
  const { PSN_GOLDEN: _, ...env } = process.env;
  const vitest = Bun.spawn(command, { cwd: root, env, stdout: "ignore", stderr: "ignore" });
  stopVitest = () => vitest.kill("SIGKILL");
  await vitest.exited;
  stopVitest = undefined;
  if (!existsSync(report)) throw new Error("vitest wrote no report");
  return JSON.parse(readFileSync(report, "utf8"));
}

/** The adapter's file as it is. */
function sourceOf(file: string): string {
  return readFileSync(join(adapter, file), "utf8");
}

/** A copy of the adapter, with the contract beside it. */
function place(name: string): void {
  const tests = (path: string) => path.endsWith(".test.ts");
  cpSync(adapter, join(folder, name, "webhook"), { recursive: true, filter: (path) => !tests(path) });
  writeFileSync(join(folder, name, "contract.ts"), contract);
}

function config(): string {
  const settings = {
    root,
    resolve: { alias: { "@psn": join(root, "src") } },
    test: {
      include: ["tests/contract/.mutants/*/contract.ts"],
      pool: "threads",
      // Mutants share only what none of them breaks.
      isolate: false,
      maxWorkers: 2,
      testTimeout: 60_000,
    },
  };
  return `export default ${JSON.stringify(settings)};\n`;
}

/** Titles of the promises that were broken, and whether the file ran at all. */
function judged(result: Report, name: string): { readonly ran: boolean; readonly broken: readonly string[] } {
  const file = result.testResults.find((one) => one.name.endsWith(`/.mutants/${name}/contract.ts`));
  const tests = file?.assertionResults ?? [];
  return {
    ran: tests.length > 10,
    broken: tests.filter(({ status }) => status === "failed").map(({ title }) => title.split(":")[0] ?? title),
  };
}

function print(result: Report): boolean {
  const untouched = judged(result, "untouched");
  if (!untouched.ran || untouched.broken.length > 0)
    throw new Error(`the untouched adapter breaks the contract: ${untouched.broken.join(", ")}`);
  const width = Math.max(...MUTANTS.map(({ breaks }) => breaks.length));
  let survivors = 0;
  for (const [index, { breaks }] of MUTANTS.entries()) {
    const { ran, broken } = judged(result, String(index));
    const [first, ...others] = broken;
    if (!ran || first === undefined) survivors++;
    const verdict = ran ? (first ?? "SURVIVES") : "DID NOT RUN: not a mutant but a mistake in its text";
    console.log(
      `${breaks.padEnd(width)}  ${verdict}` +
        (others.length > 0 ? ` and ${others.length} more: ${others.join(", ")}` : ""),
    );
  }
  console.log(`\n${MUTANTS.length - survivors} of ${MUTANTS.length} mutants were noticed.`);
  return survivors === 0;
}

let stopVitest: (() => void) | undefined;
const clean = () => rmSync(folder, { recursive: true, force: true });
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => {
    stopVitest?.();
    clean();
    process.exit(code);
  });
}

const stale = MUTANTS.filter(({ file = "index.ts", from }) => sourceOf(file).split(from).length !== 2);
for (const { breaks, file = "index.ts" } of stale)
  console.error(`"${breaks}": the text to break must be in src/platforms/webhook/${file} exactly once`);
if (stale.length > 0) process.exit(1);
if (process.argv.includes("--check")) process.exit(0);
// What a run that was killed outright left behind.
clean();
mkdirSync(folder);
// A commit made meanwhile must not take the mutants in.
writeFileSync(join(folder, ".gitignore"), "*\n");
try {
  process.exitCode = print(await run()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  clean();
}
