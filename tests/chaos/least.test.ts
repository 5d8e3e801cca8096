import { afterAll, expect, test } from "vitest";
import { startGround } from "./ground.ts";
import { killAll } from "./process.ts";
import { chaos, holds, sumOf, tableOf } from "./suite.ts";

/*
 * The least of `bun run chaos` that shows its parts at work: a worker is killed between the answer and its record, psn
 * while it edits a post, and a worker that takes one back. The thorough run has short.test.ts.
 */

afterAll(killAll);

const LEAST = [
  "killed: answered, not settled, mastodon, no keys, pg",
  "an edit killed: edit written, nobody told, all, pg",
  "a removal killed: removed, not settled, webhook, pg",
];

test("a psn that dies loses nothing and doubles nothing", async () => {
  const ground = await startGround({ bluesky: false, snac: false });
  try {
    const cells = await chaos({ seed: 1, count: 1, short: true, only: LEAST.join("|") }, ground);
    const broken = cells.filter((cell) => !holds(cell));
    expect(broken.length === 0 ? "" : `${tableOf(broken)}\n${broken.flatMap(({ notes }) => notes).join("\n")}`).toBe(
      "",
    );
    expect(new Set(cells.map(({ breaks }) => breaks)).size).toBe(LEAST.length);
    const { once, cancelled } = sumOf(cells);
    expect([once, cancelled].every((count) => count > 0)).toBe(true);
  } finally {
    await ground.stop();
  }
});
