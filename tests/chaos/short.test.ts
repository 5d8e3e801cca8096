import { afterAll, expect, test } from "vitest";
import { killAll } from "./process.ts";
import { chaos, holds, sumOf, tableOf } from "./suite.ts";

/*
 * The short form of `bun run chaos`: worker processes die, connections are cut, answers are lost, and every post is out
 * once.
 */

afterAll(killAll);

// Three minutes alone.
test("nothing is lost and nothing is doubled", { timeout: 60 * 60_000 }, async () => {
  const cells = await chaos({ seed: 1, count: 1, short: true });
  const broken = cells.filter((cell) => !holds(cell));
  expect(broken.length === 0 ? "" : `${tableOf(broken)}\n${broken.flatMap(({ notes }) => notes).join("\n")}`).toBe("");
  const { deliveries, once, unconfirmed } = sumOf(cells);
  expect(deliveries).toBeGreaterThan(150);
  expect(once).toBeGreaterThan(100);
  // The two platforms that leave it to a person must have left something to one, or nothing was broken.
  expect(unconfirmed).toBeGreaterThan(0);
  expect(cells.filter((cell) => cell.unconfirmed > 0).map(({ platform }) => platform)).not.toContain("bluesky");
});
