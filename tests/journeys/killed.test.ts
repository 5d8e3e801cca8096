import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../support/until.ts";
import { all, feedTexts, kill, newHub, stop } from "./hub.ts";
import { startReceiver } from "./receiver.ts";

const count = (texts: readonly string[]) =>
  Object.fromEntries(texts.map((text) => [text, texts.filter((one) => one === text).length]));

test("killing workers and commands at any moment loses nothing written, and publishes nothing twice", async () => {
  const hub = await newHub({ held: false });
  const receiver = startReceiver();
  const feed = join(hub.folder, "public");
  expect(await hub.psn(["connect", "feed", "./public"])).toMatchObject({ code: 0 });
  expect(await hub.psn(["connect", "webhook", receiver.url, "--secret-stdin"], receiver.secret)).toMatchObject({
    code: 0,
  });
  const ROUNDS = 8;
  const seed = Date.now() % 100_000;
  const random = mulberry(seed);
  const promised: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const worker = hub.start(["worker"]);
    const posting = [0, 1].map((n) => {
      const text = `round ${round} post ${n}`;
      return {
        text,
        run: hub.start(["post", text, "--to", "all", "--idempotency-key", text, ...(n === 0 ? ["--no-wait"] : [])]),
      };
    });
    // Starting takes about half a second; this hits the start, the work and the rest.
    await Bun.sleep(250 + random() * 1000);
    const victims = [worker, ...posting.map(({ run }) => run)].filter(() => random() < 0.6);
    for (const { child } of victims) child.kill("SIGKILL");
    await Promise.all(posting.map(({ run }) => Promise.race([run.ended, Bun.sleep(8000)])));
    for (const { text, run } of posting) if (run.child.exitCode === 0) promised.push(text);
    for (const run of [worker, ...posting.map(({ run: one }) => one)]) await kill(run);
  }
  const written = new Set((await all(hub)).map(({ text }) => text));
  for (const text of promised) expect(written, `seed ${seed}`).toContain(text);

  await hub.endLeases();
  const healer = await hub.worker();
  await until(
    "everything that was written is out",
    async () => (await all(hub)).every(({ state }) => state === "published"),
    25_000,
  );
  await stop(healer);
  const entries = await feedTexts(feed);
  expect(count(entries), `seed ${seed}`).toEqual(Object.fromEntries([...written].map((text) => [text, 1])));
  expect(count(receiver.taken.map(({ text }) => text)), `seed ${seed}`).toEqual(
    Object.fromEntries([...written].map((text) => [text, 1])),
  );
  expect(new Set(entries)).toEqual(written);
  await receiver.stop();
  // No way in is announced any more: the last holder closed properly.
  expect((await readdir(join(hub.folder, "data"))).sort()).toEqual([".gitignore", "lock", "pgdata"]);
});

/** Small and seeded, so that a run can be repeated (https://github.com/cprosche/mulberry32, 2026-11). */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
