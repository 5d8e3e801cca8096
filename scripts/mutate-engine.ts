import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { assertAllBreak, copyTo, MUTANTS, type Mutant } from "./engine-mutants.ts";

/*
 * Does the chaos suite notice? Breaks a copy of the engine in one way at a time and lets the smallest scenario that
 * should show it run on the copy. Fails when one goes unnoticed. The sources themselves are never touched.
 *
 *   bun run scripts/mutate-engine.ts [--check] [--only TEXT]
 *
 * --check: only looks whether each text to break is in its file. --only: a part of "what it breaks, what shows it".
 */

const scratch = mkdtempSync(join(tmpdir(), "psn-mutants-"));
type Shown = Mutant & Required<Pick<Mutant, "shows">>;
const running = new Set<Bun.Subprocess>();

interface Verdict {
  readonly code: number;
  readonly text: string;
}

async function run(folder: string, shows: string): Promise<Verdict> {
  const child = Bun.spawn(
    // A PDS takes seconds to start.
    [
      process.execPath,
      join(folder, "scripts/chaos.ts"),
      ...(shows.includes("bluesky") ? [] : ["--no-bluesky"]),
      "--no-snac",
      "--seed",
      "1",
      "--count",
      "1",
      "--only",
      shows,
    ],
    {
      cwd: folder,
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  running.add(child);
  const text = `${await new Response(child.stdout).text()}${await new Response(child.stderr).text()}`;
  const code = await child.exited;
  running.delete(child);
  return { code, text };
}

async function makeManifest(folder: string): Promise<void> {
  const child = Bun.spawn([process.execPath, join(folder, "scripts/manifest.ts")], { cwd: folder, stdout: "ignore" });
  running.add(child);
  if ((await child.exited) !== 0) throw new Error("the manifest of a mutant's migrations was not made");
  running.delete(child);
}

/** How it was noticed: what the run's last line says. */
function said({ text }: Verdict): string {
  const summary = /\d+ posts in .*/.exec(text)?.[0];
  const wrong = /^✗ .*\n\s*(.*)$/m.exec(text)?.[1];
  return summary === undefined
    ? "DID NOT RUN"
    : `${summary.replace(/^.*: /, "")}${wrong === undefined ? "" : ` (${wrong.slice(0, 70)})`}`;
}

async function attempt({ breaks, shows, edits }: Shown, index: number): Promise<boolean> {
  const folder = join(scratch, String(index));
  copyTo(folder, edits);
  // A hub is not made in a database whose functions are not those of the manifest.
  if (edits.some(({ file }) => file.endsWith(".sql"))) await makeManifest(folder);
  let verdict = await run(folder, shows);
  // Two at once meet by chance.
  for (let tries = 1; verdict.code === 0 && shows.includes("at once") && tries < 4; tries += 1)
    verdict = await run(folder, shows);
  rmSync(folder, { recursive: true, force: true });
  const noticed = verdict.code === 1 && /\d+ posts in /.test(verdict.text);
  const unnoticed = verdict.code === 0 ? "SURVIVES" : `DID NOT RUN: ${verdict.text.slice(-300)}`;
  console.log(`${breaks.padEnd(WIDTH)}  ${noticed ? said(verdict) : unnoticed}`);
  return noticed;
}

const { values } = parseArgs({ options: { check: { type: "boolean" }, only: { type: "string", default: "" } } });

/** Those that the chaos suite shows. */
const SHOWN = MUTANTS.flatMap(({ shows, ...rest }): Shown[] =>
  shows === undefined ? [] : [{ ...rest, shows }],
).filter(({ breaks, shows }) => `${breaks}, ${shows}`.includes(values.only));
if (SHOWN.length === 0) throw new Error(`no mutant is "${values.only}"`);
const WIDTH = Math.max(...SHOWN.map(({ breaks }) => breaks.length));

async function all(): Promise<boolean> {
  assertAllBreak();
  // For CI, which has no time for more: a mutant whose text has moved breaks nothing.
  if (values.check) return true;
  // What fails on the sources as they are says nothing about a mutant.
  const untouched = join(scratch, "untouched");
  copyTo(untouched);
  const results: boolean[] = [];
  const todo = [...new Set(SHOWN.map(({ shows }) => shows))];
  const check = async () => {
    for (let shows = todo.shift(); shows !== undefined; shows = todo.shift()) {
      const verdict = await run(untouched, shows);
      if (verdict.code !== 0)
        throw new Error(`"${shows}" fails on the untouched sources:\n${verdict.text.slice(-2_000)}`);
    }
  };
  await Promise.all([check(), check()]);
  const mutants = [...SHOWN.entries()];
  const work = async () => {
    for (let next = mutants.shift(); next; next = mutants.shift()) results.push(await attempt(next[1], next[0]));
  };
  await Promise.all([work(), work()]);
  const noticed = results.filter(Boolean).length;
  console.log(`\n${noticed} of ${SHOWN.length} mutants were noticed.`);
  return noticed === SHOWN.length;
}

const clean = async () => {
  // They clean up after themselves, and then end.
  for (const child of running) child.kill("SIGTERM");
  await Promise.all([...running].map((child) => child.exited));
  rmSync(scratch, { recursive: true, force: true });
};
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.on(signal, () => void clean().then(() => process.exit(code)));

try {
  process.exitCode = (await all()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await clean();
}
