import { beforeEach, describe, expect, test } from "vitest";
import { someOf } from "../support/how-much.ts";
import type { Death } from "../support/world.ts";
import type { Held } from "./recorder.ts";
import { openStage, picture, type Stage } from "./stage.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});

const THREAD = ["first", "second", "third"];

/** The thread is there once, in order, each under the one before. */
function expectThread(posts: readonly Held[]): void {
  const ids = posts.map(({ id }) => id);
  expect(posts.map(({ text, root, parent }) => ({ text, root, parent }))).toEqual(
    THREAD.map((text, n) => ({ text, root: n === 0 ? null : ids[0], parent: n === 0 ? null : ids[n - 1] })),
  );
}

const sends = () => stage.remote.calls.flatMap(({ sent }) => (sent ? [sent] : []));
/** Every unit had one key and one instant, however often it was sent. */
function expectSteady(): void {
  const seen = new Map<string, Set<string>>();
  for (const { text, key, at } of sends()) seen.set(text, (seen.get(text) ?? new Set()).add(`${key} ${at}`));
  expect([...seen.values()].map(({ size }) => size)).toEqual(THREAD.map(() => 1));
}

test("a thread goes out under one claim, each unit under the one before, at its own instant", async () => {
  const [id = ""] = await stage.post(await stage.connect("blind"), { texts: THREAD });
  await stage.run();
  expectThread(stage.remote.posts);
  const { state, events, unitList } = await stage.detail(id);
  expect(state).toBe("published");
  expect(events.map(({ event }) => event)).toEqual([
    "scheduled",
    "sending",
    "unit published",
    "unit published",
    "published",
  ]);
  const instants = unitList.map(({ sentAt }) => sentAt?.getTime() ?? 0);
  expect(new Set(instants).size).toBe(3);
  expect(instants).toEqual(instants.toSorted((a, b) => a - b));
  expect(sends().map(({ at }) => at)).toEqual(unitList.map(({ sentAt }) => sentAt?.toISOString()));
});

test("a unit is told when the one before it was published", async () => {
  const seen: (Date | undefined)[] = [];
  const { platforms } = stage.world;
  const load: typeof platforms.load = async (id) => {
    const platform = await platforms.load(id);
    const publish: typeof platform.publish = (request, session) => {
      seen.push(request.parentAt);
      return platform.publish(request, session);
    };
    return { ...platform, publish };
  };
  const [id = ""] = await stage.post(await stage.connect("blind"), { texts: THREAD });
  await stage.run({ world: { ...stage.world, platforms: { ...platforms, load } } });
  const { unitList } = await stage.detail(id);
  expect(unitList.map(({ state }) => state)).toEqual(THREAD.map(() => "published"));
  expect(seen[0]).toBeUndefined();
  for (const [index, at] of seen.slice(1).entries()) {
    expect(at?.getTime()).toBeGreaterThanOrEqual(unitList[index]?.sentAt?.getTime() ?? Number.POSITIVE_INFINITY);
    expect(at?.getTime()).toBeLessThanOrEqual(unitList[index + 1]?.sentAt?.getTime() ?? 0);
  }
});

/** Settles are, in order: the end of unit 1, of unit 2, of unit 3; loads likewise: before unit 1, 2 and 3. */
const DEATHS: readonly (Death & { readonly there: number })[] = [
  { verb: "load", nth: 1, when: "before", there: 0 },
  { verb: "record", nth: 1, when: "before", there: 1 },
  { verb: "record", nth: 1, when: "after", there: 1 },
  { verb: "load", nth: 2, when: "after", there: 1 },
  { verb: "record", nth: 2, when: "before", there: 2 },
  { verb: "record", nth: 2, when: "after", there: 2 },
  { verb: "record", nth: 3, when: "before", there: 3 },
];

describe.each(someOf(DEATHS))("a worker that dies $when $verb $nth", ({ there, ...death }) => {
  test.each(["chosen", "keyed"])("leaves a thread that goes on where it stopped (%s)", async (platform) => {
    const [id = ""] = await stage.post(await stage.connect(platform), { texts: THREAD });
    await stage.die(death);
    expect(stage.remote.posts).toHaveLength(there);
    expect(await stage.run()).toEqual([]);
    for (let n = 0; n < 4 && (await stage.detail(id)).state !== "published"; n += 1) {
      await stage.expire();
      await stage.run();
      stage.clock.passedMs += 150_000;
    }
    expect((await stage.detail(id)).state).toBe("published");
    expectThread(stage.remote.posts);
    expectSteady();
  });
});

test("a dead worker's claim is nobody's question where no unit can have been sent", async () => {
  const [id = ""] = await stage.post(await stage.connect("blind"), { media: [picture()] });
  // The upload is done, and `sending` was never written.
  await stage.die({ verb: "record", nth: 1, when: "before" });
  expect((await stage.detail(id)).state).toBe("claimed");
  await stage.expire();
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "published", attempt: 2 });
  expect(stage.remote.posts).toHaveLength(1);
});

test("a dead worker's uploads are used again once `sending` is written", async () => {
  const [id = ""] = await stage.post(await stage.connect("chosen"), { media: [picture()] });
  await stage.die({ verb: "record", nth: 1, when: "after" });
  expect((await stage.detail(id)).state).toBe("sending");
  await stage.expire();
  await stage.run();
  expect((await stage.detail(id)).state).toBe("published");
  expect(stage.remote.calls.filter(({ route }) => route === "POST /media")).toHaveLength(1);
  expect(stage.remote.posts).toHaveLength(1);
});

test("a unit in the middle that is refused stops the thread, and a retry goes on with it", async () => {
  const [id = ""] = await stage.post(await stage.connect("blind"), { texts: THREAD });
  stage.remote.fault({ first: async () => stage.remote.fault({ status: 400, reason: "not this one" }) });
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "failed", unitsPublished: 1 });
  await stage.world.stores.posts.retry(stage.userId, [id]);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "published", unitsPublished: 3 });
  expectThread(stage.remote.posts);
});

test("a worker that is taken over stops without sending another unit", async () => {
  const [id = ""] = await stage.post(await stage.connect("chosen"), { texts: THREAD });
  // While the first worker waits for its answer, its lease ends and another one does the whole thread.
  stage.remote.fault({
    first: async () => {
      await stage.expire();
      await stage.run();
    },
  });
  await stage.run();
  expect((await stage.detail(id)).state).toBe("published");
  expectThread(stage.remote.posts);
  expect(sends().map(({ text }) => text)).toEqual(["first", "second", "third"]);
});

test("a worker that slept through its lease asks before it sends", async () => {
  const [id = ""] = await stage.post(await stage.connect("blind"));
  let slept = false;
  const load: typeof stage.world.stores.deliveries.load = async (...args) => {
    const loaded = await stage.world.stores.deliveries.load(...args);
    if (!slept) {
      slept = true;
      stage.clock.passedMs += 150_000;
      await stage.expire();
      await stage.run();
    }
    return loaded;
  };
  const { stores } = stage.world;
  await stage.run({ world: { ...stage.world, stores: { ...stores, deliveries: { ...stores.deliveries, load } } } });
  // Whoever came second could not know that nothing was sent; the sleeper must not send then.
  expect((await stage.detail(id)).state).toBe("unconfirmed");
  expect(sends()).toEqual([]);
});

test("cancelling while media are uploaded takes the delivery away from its worker", async () => {
  const [id = ""] = await stage.post(await stage.connect("blind"), { media: [picture()] });
  const fetch: typeof stage.world.fetch = async (input, init) => {
    await stage.world.stores.posts.cancel(stage.userId, [id]);
    return stage.remote.fetch(input, init);
  };
  await stage.run({ world: { ...stage.world, fetch } });
  expect((await stage.detail(id)).state).toBe("cancelled");
  expect(sends()).toEqual([]);
});
