import { expect, test } from "vitest";
import { neighbours } from "./neighbours.ts";

/* `bun run neighbours` in short: two hubs, a copy, two checkouts and three suspended processes. */

const SEED = 14;

test.skipIf(process.platform === "win32")("no command hangs, and none touches what is another hub's", async () => {
  const { commands, faults } = await neighbours({ seed: SEED, count: 20 });
  expect(faults).toEqual([]);
  expect(commands).toBe(20);
});
