import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { copyTo, MUTANTS, type Mutant } from "./engine-mutants.ts";

/*
 * How many histories does the simulator need to notice? Breaks a copy of the engine in one way at a time and lets the
 * simulator run on it from several seeds. Fails when one goes unnoticed.
 *
 *   bun run scripts/mutate-simulated.ts [--starts 5] [--count 400] [--only TEXT]
 */

const { values } = parseArgs({
  options: {
    /** From how many seeds each is looked for; the table gives the median. */
    starts: { type: "string", default: "5" },
    /** Most histories from one seed. */
    count: { type: "string", default: "400" },
    only: { type: "string", default: "" },
  },
});

const scratch = mkdtempSync(join(tmpdir(), "psn-simulated-"));
const some = MUTANTS.filter(({ breaks, unseen }) => unseen === undefined && breaks.includes(values.only));
const WIDTH = Math.max(...some.map(({ breaks }) => breaks.length));
let running: Bun.Subprocess | undefined;

/** How many histories each start took, unnoticed ones as infinitely many; and what was said first. */
async function attempt(
  { edits }: Mutant,
  index: number,
): Promise<{ readonly counts: readonly number[]; readonly said: string }> {
  const folder = join(scratch, String(index));
  copyTo(folder, edits);
  const script = join(folder, "scripts/simulate.ts");
  const child = Bun.spawn([process.execPath, script, "--find", values.starts, "--count", values.count], {
    cwd: folder,
    stdout: "pipe",
    stderr: "pipe",
  });
  running = child;
  const [text, trouble] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  rmSync(folder, { recursive: true, force: true });
  const found = [...text.matchAll(/^found after (\w+): (.*)$/gm)];
  if (found.length !== Number(values.starts)) throw new Error(`the simulator did not run: ${trouble.slice(-500)}`);
  const counts = found
    .map(([, after]) => (after === "never" ? Number.POSITIVE_INFINITY : Number(after)))
    .sort((a, b) => a - b);
  return { counts, said: found.find(([, after]) => after !== "never")?.[2] ?? "" };
}

const clean = () => {
  running?.kill("SIGTERM");
  rmSync(scratch, { recursive: true, force: true });
};
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.on(signal, () => {
    clean();
    process.exit(code);
  });

let unnoticed = 0;
try {
  console.log(`${"breaks".padEnd(WIDTH)}  median histories (all)`);
  for (const [index, mutant] of some.entries()) {
    const { counts, said } = await attempt(mutant, index);
    const median = counts[Math.floor(counts.length / 2)] ?? Number.POSITIVE_INFINITY;
    if (counts.every((count) => count === Number.POSITIVE_INFINITY)) unnoticed += 1;
    const shown = (count: number) => (count === Number.POSITIVE_INFINITY ? `>${values.count}` : String(count));
    console.log(
      `${mutant.breaks.padEnd(WIDTH)}  ${shown(median).padStart(6)} (${counts.map(shown).join(" ")})  ` +
        `${said.slice(0, 90)}`,
    );
  }
  for (const { breaks, unseen } of MUTANTS)
    if (unseen !== undefined) console.log(`${breaks.padEnd(WIDTH)}  not simulated: ${unseen}`);
  console.log(`\n${some.length - unnoticed} of ${some.length} mutants were noticed.`);
} finally {
  clean();
}
process.exitCode = unnoticed === 0 ? 0 : 1;
