import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * Does the chaos suite notice? Breaks a copy of the engine in one way at a time and lets the smallest scenario that should show
 * it run on the copy. Fails when one goes unnoticed. The sources themselves are never touched.
 *
 *   bun run scripts/mutate-engine.ts
 */

interface Edit {
  readonly file: string;
  /** Must be in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

interface Mutant {
  readonly breaks: string;
  /** What `scripts/chaos.ts --only` runs. */
  readonly shows: string;
  readonly edits: readonly Edit[];
}

/** The newest of each function. */
const CLAIM = "drizzle/migrations/0009_unknown_is_not_in_flight.sql";
const SETTLE = "drizzle/migrations/0011_answers_after_disconnecting.sql";
const PUBLISH = "src/app/publish-delivery.ts";
const DOMAIN = "src/domain/delivery.ts";

const MUTANTS: readonly Mutant[] = [
  {
    breaks: "no fencing token in settle",
    shows: "taken over between two units, and awake again, searched, pg",
    edits: [{ file: SETTLE, from: "FROM c WHERE d.id = c.id AND d.fence = c.fence", to: "FROM c WHERE d.id = c.id" }],
  },
  {
    breaks: "a text's `sending` is written after the send",
    shows: "killed: answered, not settled, blind, pg",
    edits: [{ file: CLAIM, from: "THEN CASE WHEN next.ready THEN 'sending' ELSE 'claimed' END", to: "THEN 'claimed'" }],
  },
  {
    breaks: "a picture's `sending` is written after the send",
    shows: "killed: answered, not settled, blind, pg",
    edits: [
      {
        file: PUBLISH,
        from: "  if (!(await write(run, delivery.sending(unit.position, prepared ?? {}, run.leaseMs)))) return false;\n",
        to: "  if (run.leaseMs > 0) return send(run, { ...unit, prepared: prepared ?? {}, sentAt: run.world.now() });\n",
      },
    ],
  },
  {
    breaks: "every attempt has a key of its own",
    shows: "killed: answered, not settled, webhook, pg",
    edits: [{ file: PUBLISH, from: "key: unit.id,", to: "key: crypto.randomUUID()," }],
  },
  {
    breaks: "every attempt has an instant of its own",
    shows: "killed: answered, not settled, bluesky, pg",
    edits: [{ file: PUBLISH, from: "const at = unit.sentAt ?? loaded.readAt;", to: "const at = world.now();" }],
  },
  {
    breaks: "a lease is shorter than a request's time limit",
    shows: "slow answers, two workers, blind, pg",
    edits: [{ file: DOMAIN, from: "export const LEASE_MS = 60_000;", to: "export const LEASE_MS = 20_000;" }],
  },
  {
    breaks: "a lost answer is tried again",
    shows: "the platform: 500, after, blind, pg",
    edits: [
      {
        file: DOMAIN,
        from: 'return { ...what, state: "sending", leaseMs: SETTLE_FIRST_MS, event: "outcome unknown" };',
        to: 'return { ...what, state: "scheduled", wakeInMs: SETTLE_FIRST_MS, event: "retrying", unit };',
      },
    ],
  },
  {
    breaks: "a lost answer is a failure",
    shows: "the platform: 500, after, webhook, pg",
    edits: [
      {
        file: DOMAIN,
        from: 'return { ...what, state: "sending", leaseMs: SETTLE_FIRST_MS, event: "outcome unknown" };',
        to: 'return { ...what, state: "failed", event: "failed", unit };',
      },
    ],
  },
  {
    breaks: "no patience with a platform that does not show the post yet",
    shows: "the platform: later than psn waits, mastodon, no keys, pg",
    edits: [
      { file: DOMAIN, from: 'return found === false && ageMs >= SETTLE_PATIENCE_MS ? "send again" : "wait";', to: 'return "send again";' },
    ],
  },
  {
    breaks: "how long ago a post was sent is judged by the worker's clock",
    shows: "clock 5 min ahead, and the platform is slow, mastodon, no keys, pg",
    edits: [
      {
        file: PUBLISH,
        from: "return sentAt ? readAt.getTime() - sentAt.getTime() : 0;",
        to: "return sentAt && readAt ? Date.now() + 290_000 - sentAt.getTime() : 0;",
      },
    ],
  },
  {
    breaks: "sent again without a look first",
    shows: "killed: answered, not settled, mastodon, no keys, pg",
    edits: [
      { file: "src/app/settle-unknown.ts", from: "if (platform.lookup) {", to: 'if (platform.lookup && platform.id !== "mastodon") {' },
      { file: DOMAIN, from: 'return found === false && ageMs >= SETTLE_PATIENCE_MS ? "send again" : "wait";', to: 'return "send again";' },
    ],
  },
  {
    breaks: "what cannot be asked is sent again",
    shows: "killed: answered, not settled, blind, pg",
    edits: [
      { file: DOMAIN, from: '    case "ask-human":\n      return "unconfirmed";', to: '    case "ask-human":\n      return "send again";' },
    ],
  },
  {
    breaks: "two workers claim the same",
    shows: "10 workers at once, all, pg",
    edits: [
      { file: CLAIM, from: "      AND pg_try_advisory_xact_lock(1886612992, hashtext(a.id::text));", to: "      ;" },
      {
        file: CLAIM,
        from: "    WHERE d.id = due.id AND d.state = due.state AND d.fence = due.fence\n      AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))\n    RETURNING",
        to: "    WHERE d.id = due.id\n    RETURNING",
      },
    ],
  },
  {
    breaks: "what is being sent can be cancelled",
    shows: "psn cancel while a worker stands at: sending, not sent",
    edits: [
      { file: "src/core/types/index.ts", from: '["held", "scheduled", "claimed"];', to: '["held", "scheduled", "claimed", "sending"];' },
    ],
  },
  {
    breaks: "a thread goes on under the wrong parent",
    shows: "killed: between units, searched, pg",
    edits: [{ file: PUBLISH, from: "ref(unit.position - 1)", to: "ref(0)" }],
  },
];

const root = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "psn-mutants-"));
const running = new Set<Bun.Subprocess>();

/** What the chaos suite needs of the tree. */
function copyTo(folder: string): void {
  for (const part of ["src", "drizzle", "tests", "scripts", "package.json", "tsconfig.json"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
}

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

/** How it was noticed: what the run's last line says. */
function said({ text }: Verdict): string {
  const summary = /\d+ posts in .*/.exec(text)?.[0];
  const wrong = /^✗ .*\n\s*(.*)$/m.exec(text)?.[1];
  return summary === undefined ? "DID NOT RUN" : `${summary.replace(/^.*: /, "")}${wrong === undefined ? "" : ` (${wrong.slice(0, 70)})`}`;
}

/** The file with the edit made. Throws where the text to break is not there exactly once. */
function broken(folder: string, { file, from, to }: Edit): string {
  const source = readFileSync(join(folder, file), "utf8");
  if (source.split(from).length !== 2) throw new Error(`the text to break must be in ${file} exactly once: ${from.trim()}`);
  return source.replace(from, () => to);
}

async function attempt({ breaks, shows, edits }: Mutant, index: number): Promise<boolean> {
  const folder = join(scratch, String(index));
  copyTo(folder);
  for (const edit of edits) writeFileSync(join(folder, edit.file), broken(folder, edit));
  let verdict = await run(folder, shows);
  // Two at once meet by chance.
  for (let tries = 1; verdict.code === 0 && shows.includes("at once") && tries < 4; tries += 1) verdict = await run(folder, shows);
  rmSync(folder, { recursive: true, force: true });
  const noticed = verdict.code === 1 && /\d+ posts in /.test(verdict.text);
  console.log(
    `${breaks.padEnd(WIDTH)}  ${noticed ? said(verdict) : verdict.code === 0 ? "SURVIVES" : `DID NOT RUN: ${verdict.text.slice(-300)}`}`,
  );
  return noticed;
}

const WIDTH = Math.max(...MUTANTS.map(({ breaks }) => breaks.length));

async function all(): Promise<boolean> {
  for (const edit of MUTANTS.flatMap(({ edits }) => edits)) broken(root, edit);
  // For CI, which has no time for more: a mutant whose text has moved breaks nothing.
  if (process.argv.includes("--check")) return true;
  // What fails on the sources as they are says nothing about a mutant.
  const untouched = join(scratch, "untouched");
  copyTo(untouched);
  const results: boolean[] = [];
  const todo = [...new Set(MUTANTS.map(({ shows }) => shows))];
  const check = async () => {
    for (let shows = todo.shift(); shows !== undefined; shows = todo.shift()) {
      const verdict = await run(untouched, shows);
      if (verdict.code !== 0) throw new Error(`"${shows}" fails on the untouched sources:\n${verdict.text.slice(-2_000)}`);
    }
  };
  await Promise.all([check(), check()]);
  const mutants = [...MUTANTS.entries()];
  const work = async () => {
    for (let next = mutants.shift(); next; next = mutants.shift()) results.push(await attempt(next[1], next[0]));
  };
  await Promise.all([work(), work()]);
  const noticed = results.filter(Boolean).length;
  console.log(`\n${noticed} of ${MUTANTS.length} mutants were noticed.`);
  return noticed === MUTANTS.length;
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
