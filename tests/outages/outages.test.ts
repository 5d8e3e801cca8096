import { afterAll, expect, test } from "vitest";
import { bucket, database, receiver } from "./parts.ts";
import { type Figure, play, tableOf } from "./play.ts";
import { proxy, trigger } from "./remote.ts";

/*
 * Each part is away for a while, then back: everything goes out once, and nobody restarts anything. `bun run outages`
 * takes ten minutes for it; here it is shorter.
 */

const AWAY_MS = Number(process.env["OUTAGE_MINUTES"] ?? "0.35") * 60_000;
/**
 * All must be out this long after the return: the longest pause that psn grows to meanwhile, and what a busy machine
 * takes.
 */
const PATIENCE_MS = 5 * 60_000 + AWAY_MS;
const POSTS = { before: 3, meanwhile: Math.min(Math.max(Math.round(AWAY_MS / 10_000), 4), 20), after: 4 };

const figures: Figure[] = [];
afterAll(() => console.log(tableOf(figures)));

test.concurrent.each([
  ["database", database],
  ["Neon's proxy", proxy],
  ["bucket", bucket],
  ["receiver", receiver],
  ["Trigger.dev", trigger],
] as const)(
  "%s is away and comes back: everything is out once, and nothing was restarted by hand",
  async (_name, open) => {
    const part = await open(AWAY_MS);
    try {
      const figure = await play(part, { awayMs: AWAY_MS, posts: POSTS, patienceMs: PATIENCE_MS });
      figures.push(figure);
      expect(figure).toMatchObject({ lost: [], doubled: [], unsettled: [] });
    } finally {
      await part.stop();
    }
  },
  10 * 60_000 + 2 * AWAY_MS,
);
