import { afterAll, expect, test } from "vitest";
import { killAll } from "./process.ts";
import { chaos, holds, sumOf, tableOf } from "./suite.ts";

/*
 * The least of `bun run chaos` that shows its parts at work: a worker is killed between the answer and its record. The
 * thorough run has short.test.ts, and the whole takes ten minutes.
 */

afterAll(killAll);

test("a worker that dies after the answer loses nothing and doubles nothing", async () => {
  const cells = await chaos({
    seed: 1,
    count: 1,
    short: true,
    only: "killed: answered, not settled, mastodon, no keys, pg",
  });
  const broken = cells.filter((cell) => !holds(cell));
  expect(broken.length === 0 ? "" : `${tableOf(broken)}\n${broken.flatMap(({ notes }) => notes).join("\n")}`).toBe("");
  const { deliveries, once } = sumOf(cells);
  expect([deliveries, once].every((count) => count > 0)).toBe(true);
});
