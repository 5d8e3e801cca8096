import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/*
 * Ways to break the engine, each an edit of its text; `mutate-engine.ts` lets the chaos suite find them,
 * `mutate-simulated.ts` the simulator.
 */

export interface Edit {
  readonly file: string;
  /** Must be in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly breaks: string;
  /** What `scripts/chaos.ts --only` runs; absent where only the simulator shows it. */
  readonly shows?: string;
  /** Why no simulated history can show it; absent where one does. */
  readonly unseen?: string;
  readonly edits: readonly Edit[];
}

/** The newest of each function. */
const CLAIM = "drizzle/migrations/0023_claim_plans.sql";
const SETTLE = "drizzle/migrations/0021_removals.sql";
const VERBS = SETTLE;
const EDIT = "drizzle/migrations/0022_source.sql";
const RUN = "src/app/delivery-run.ts";
const DOMAIN = "src/domain/delivery.ts";
const REMOVE = "src/app/remove-unit.ts";
const REMOVAL = "src/domain/removal.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    breaks: "an edit leaves the claim with its worker",
    shows: "edited while a worker stands at: prepared, not written (image), which goes on, all, pg",
    edits: [
      {
        file: EDIT,
        from: "revision = base + 1,\n    fence = d.fence + 1, lease_until",
        to: "revision = base + 1,\n    fence = d.fence, lease_until",
      },
      {
        file: EDIT,
        from:
          "state = CASE WHEN d.state IN ('claimed', 'pending') THEN 'scheduled' ELSE d.state END,\n    " +
          "wake_at = CASE d.state",
        to: "state = d.state,\n    wake_at = CASE d.state",
      },
    ],
  },
  {
    breaks: "an edit changes what is under way",
    shows: "edited while a worker stands at: sending, not sent (text), which goes on, all, pg",
    edits: [
      {
        file: EDIT,
        from: "THEN NOT psn.is_unsent(d.id, d.state)\n",
        to: "THEN false\n",
      },
      {
        file: "src/app/edit-post.ts",
        from: 'const SENT: readonly DeliveryState[] = ["sending", "published", "unconfirmed", "removed"];',
        to: 'const SENT: readonly DeliveryState[] = ["published"];',
      },
      {
        file: "src/app/edit-post.ts",
        from: '(unit.state === "waiting" || unit.state === "pending") && unit.sentAt === null',
        to: 'unit.state !== "published"',
      },
    ],
  },
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
        file: "src/app/make-ready.ts",
        from:
          "    if (!(await write(run, delivery.sending(unit.position, made.preparation?.prepared, run.leaseMs)))) " +
          "return false;\n",
        to:
          "    const now = { prepared: made.preparation?.prepared ?? null, sentAt: run.world.now() };\n    if " +
          "(run.leaseMs > 0) return await send({ run, unit: { ...unit, ...now }, opened: made.opened });\n",
      },
    ],
  },
  {
    breaks: "every attempt has a key of its own",
    shows: "killed: answered, not settled, webhook, pg",
    edits: [{ file: RUN, from: "key: unit.id,", to: "key: crypto.randomUUID()," }],
  },
  {
    breaks: "every attempt has an instant of its own",
    shows: "killed: answered, not settled, bluesky, pg",
    edits: [{ file: RUN, from: "const at = unit.sentAt ?? loaded.readAt;", to: "const at = world.now();" }],
  },
  {
    // A lease is renewed while a request is under way, so that it takes a renewal that fails: that is simulated.
    breaks: "a lease is shorter than a request's time limit",
    edits: [{ file: DOMAIN, from: "export const LEASE_MS = 60_000;", to: "export const LEASE_MS = 20_000;" }],
  },
  {
    breaks: "a lost answer is tried again",
    shows: "the platform: 500, after, blind, pg",
    edits: [
      {
        file: DOMAIN,
        from: 'if (error.retry === "reconcile") {',
        to:
          'if (error.retry === "reconcile") {\n' +
          'return { ...what, state: "scheduled", wakeInMs: SETTLE_FIRST_MS, event: "retrying", unit };',
      },
    ],
  },
  {
    breaks: "a lost answer is a failure",
    shows: "the platform: 500, after, webhook, pg",
    edits: [
      {
        file: DOMAIN,
        from: 'if (error.retry === "reconcile") {',
        to: 'if (error.retry === "reconcile") {\nreturn { ...what, state: "failed", event: "failed", unit };',
      },
    ],
  },
  {
    breaks: "no patience with a platform that does not show the post yet",
    shows: "the platform: later than psn waits, mastodon, no keys, pg",
    edits: [
      {
        file: DOMAIN,
        from: 'return found === false && ageMs >= SETTLE_PATIENCE_MS ? "send again" : "wait";',
        to: 'return "send again";',
      },
    ],
  },
  {
    breaks: "how long ago a post was sent is judged by the worker's clock",
    shows: "clock 5 min ahead, and the platform is slow, mastodon, no keys, pg",
    edits: [
      {
        file: RUN,
        from: "return sentAt ? steadyAge(world, loaded.readAt, loaded.readAt.getTime() - sentAt.getTime()) : 0;",
        to: "return sentAt ? world.now().getTime() + 290_000 - sentAt.getTime() : 0;",
      },
    ],
  },
  {
    breaks: "sent again without a look first",
    shows: "killed: answered, not settled, mastodon, no keys, pg",
    edits: [
      {
        file: "src/app/settle-unknown.ts",
        from: "if (platform.lookup) {",
        to: 'if (platform.lookup && duplicates !== "idempotency-key") {',
      },
      {
        file: DOMAIN,
        from: 'return found === false && ageMs >= SETTLE_PATIENCE_MS ? "send again" : "wait";',
        to: 'return "send again";',
      },
    ],
  },
  {
    breaks: "what cannot be asked is sent again",
    shows: "killed: answered, not settled, blind, pg",
    edits: [
      {
        file: DOMAIN,
        from: '    case "ask-human":\n      return "unconfirmed";',
        to: '    case "ask-human":\n      return "send again";',
      },
    ],
  },
  {
    breaks: "two workers claim the same",
    shows: "10 workers at once, all, pg",
    unseen: "it takes two sessions inside one statement; simulated transactions come one after the other",
    edits: [
      { file: CLAIM, from: "      FOR NO KEY UPDATE SKIP LOCKED\n    ) due;", to: "    ) due;" },
      {
        file: CLAIM,
        from: "      ORDER BY fair.place, fair.since LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED",
        to: "      ORDER BY fair.place, fair.since LIMIT most",
      },
      {
        file: CLAIM,
        from: "      AND (next.ready IS NOT TRUE OR next.id = ANY (ARRAY(SELECT open.id FROM open)))\n",
        to: "",
      },
      {
        file: CLAIM,
        from:
          "    WHERE d.id = due.id AND d.state = due.state AND d.fence = due.fence\n      AND ((d.state IN " +
          "('scheduled', 'pending') AND d.wake_at <= now())\n        OR (d.state IN ('claimed', 'sending') AND " +
          "d.lease_until <= now()))\n",
        to: "    WHERE d.id = due.id\n",
      },
    ],
  },
  {
    breaks: "what is being sent can be cancelled",
    shows: "psn cancel while a worker stands at: sending, not sent",
    edits: [
      {
        file: "src/core/types/index.ts",
        from: '["held", "scheduled", "claimed"];',
        to: '["held", "scheduled", "claimed", "sending"];',
      },
      {
        file: VERBS,
        from:
          "      operation = 'publish', fence = d.fence + 1, lease_until = NULL, updated_at = now()\n" +
          "    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())\n" +
          "      AND (d.state IN ('held', 'scheduled', 'claimed')",
        to:
          "      operation = 'publish', fence = d.fence + 1, lease_until = NULL, updated_at = now()\n" +
          "    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())\n" +
          "      AND (d.state IN ('held', 'scheduled', 'claimed', 'sending')",
      },
    ],
  },
  {
    breaks: "a thread goes on under the wrong parent",
    shows: "killed: between units, searched, pg",
    edits: [{ file: RUN, from: "ref(unit.position - 1)", to: "ref(0)" }],
  },
  {
    breaks: "a refused repeat is a failure",
    edits: [
      {
        file: DOMAIN,
        from: '  if (error.code !== "PLATFORM_REJECTED") return stillUnknown(ageMs, error, random);',
        to: '  if (error.retry === "never" && !needsUser(error)) return failed(position, error, MOST_ATTEMPTS, 0);',
      },
    ],
  },
  {
    breaks: "the claim is not looked at before the request",
    edits: [
      {
        file: "src/app/held-claim.ts",
        from: "    if ((renewals > 0 || !ask) && trusted && ms + held.leaseMs / 2 <= held.lease.ms) return;",
        to: "    if (trusted || ms > 0) return;",
      },
    ],
  },
  {
    breaks: "a platform's pause is kept for one delivery and not for its account",
    edits: [
      {
        file: DOMAIN,
        from: '      event: "paused",\n      unit: kept,\n      account: { pausedForMs },\n',
        to: '      event: "paused",\n      unit: kept,\n',
      },
    ],
  },
  {
    breaks: "a process claims what it is itself sending",
    edits: [
      { file: "src/app/run-worker.ts", from: "const busy = [...inFlight.keys()];", to: "const busy: string[] = [];" },
    ],
  },
  {
    breaks: "a claim does not raise the fence",
    edits: [
      {
        file: CLAIM,
        from: "      fence = d.fence + 1, lease_until = now() + lease",
        to: "      lease_until = now() + lease",
      },
    ],
  },
  {
    breaks: "a removal whose answer was lost counts as done",
    shows: "a removal killed: removing, not asked, blind, pg",
    edits: [
      {
        file: REMOVE,
        from: "await remove(\n",
        to: "if (!again) await remove(\n",
      },
    ],
  },
  {
    breaks: "what may be gone is left as it is",
    shows: "a removal killed: removing, not asked, blind, pg",
    edits: [
      {
        file: REMOVAL,
        from: '  return units.findLast(({ state }) => state === "published" || state === "sending");',
        to: '  return units.findLast(({ state }) => state === "published");',
      },
    ],
  },
  {
    breaks: "a thread counts as gone with its last part",
    shows: "a removal killed: between units, blind, pg",
    edits: [{ file: REMOVAL, from: "  if (next === undefined) return {", to: "  if (next !== -1) return {" }],
  },
  {
    breaks: "a failed removal counts as done",
    edits: [
      {
        file: REMOVE,
        from: "    return written(run, failure(run, { unit, error, answer: isAnswer(requests) }), false);",
        to:
          "    if (!failure(run, { unit, error, answer: isAnswer(requests) }).event) return false;\n" +
          "    return written(run, removal.removed(unit.position, undefined, run.leaseMs), false);",
      },
    ],
  },
];

const root = join(import.meta.dirname, "..");

/** The file with the edit made. Throws where the text to break is not there exactly once. */
export function broken(folder: string, { file, from, to }: Edit): string {
  const source = readFileSync(join(folder, file), "utf8");
  if (source.split(from).length !== 2)
    throw new Error(`the text to break must be in ${file} exactly once: ${from.trim()}`);
  return source.replace(from, () => to);
}

/**
 * Throws where a mutant's text has moved, or stands in a function that a later migration replaces: it would break
 * nothing.
 */
export function assertAllBreak(): void {
  for (const [file, name] of [
    [CLAIM, "claim_due("],
    [SETTLE, "settle("],
    [VERBS, "cancel("],
  ] as const) {
    const newest = readdirSync(join(root, "drizzle/migrations"))
      .filter(
        (one) =>
          one.endsWith(".sql") &&
          readFileSync(join(root, "drizzle/migrations", one), "utf8").includes(`FUNCTION psn.${name}`),
      )
      .sort()
      .at(-1);
    if (!file.endsWith(`/${newest}`))
      throw new Error(`psn.${name}…) is in ${newest} now, and the mutants break it in ${file}`);
  }
  for (const edit of MUTANTS.flatMap(({ edits }) => edits)) broken(root, edit);
}

/** A copy of what the suites need of the tree, broken in this way. */
export function copyTo(folder: string, edits: readonly Edit[] = []): void {
  for (const part of ["src", "drizzle", "tests", "scripts", "package.json", "bun.lock", "tsconfig.json"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const edit of edits) writeFileSync(join(folder, edit.file), broken(folder, edit));
}
