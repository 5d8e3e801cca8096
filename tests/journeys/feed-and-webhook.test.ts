import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { atMost, until } from "../support/until.ts";
import { all, deliveriesOf, errorOf, feedTexts, type Hub, kill, newHub, posted, stop } from "./hub.ts";
import { type Receiver, startReceiver } from "./receiver.ts";

let hub: Hub;
let receiver: Receiver;
const feed = () => join(hub.folder, "public");
/** `held: false`: whoever comes first opens the database, and the others come in by it. */
async function begin(how?: { readonly held: boolean }): Promise<void> {
  hub = await newHub(how);
  receiver = startReceiver();
  expect(await hub.psn(["connect", "feed", "./public"])).toMatchObject({ code: 0 });
  expect(await hub.psn(["connect", "webhook", receiver.url, "--secret-stdin"], receiver.secret)).toMatchObject({
    code: 0,
  });
}
afterEach(async () => {
  await receiver.stop();
});

const taken = () => receiver.taken.map(({ text }) => text);

describe("beside a running worker", () => {
  test("all other commands work, and what they schedule goes out at once", async () => {
    await begin();
    const worker = await hub.worker();
    const waits: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      await hub.json(["post", `now ${n}`, "--to", "webhook", "--no-wait"]);
      const written = Date.now();
      await until("it is out", () => receiver.taken.length === n + 1);
      waits.push(Date.now() - written);
    }
    // Long before the worker would have looked by itself.
    expect(Math.max(...waits)).toBeLessThan(atMost(2000));

    const later = posted(await hub.json(["post", "later", "--to", "all", "--in", "1h"]));
    const gone = posted(await hub.json(["post", "gone", "--to", "all", "--in", "60s"]));
    expect(deliveriesOf(await hub.json(["queue"])).map(({ text }) => text)).toEqual(["gone", "gone", "later", "later"]);
    expect(deliveriesOf(await hub.json(["cancel", gone.post])).map(({ state }) => state)).toEqual([
      "cancelled",
      "cancelled",
    ]);
    const moved = Date.now();
    expect(deliveriesOf(await hub.json(["move", later.post, "--in", "2s"]))).toHaveLength(2);
    await until(
      "what was moved is out",
      async () => (await feedTexts(feed())).includes("later") && taken().includes("later"),
    );
    expect(Date.now() - moved).toBeGreaterThan(1900);
    const waited = posted(await hub.json(["post", "waited for", "--to", "all"]));
    expect(waited.deliveries.map(({ state }) => state)).toEqual(["published", "published"]);
    expect(deliveriesOf(await hub.json(["show", waited.post]))).toHaveLength(2);
    await until("all is settled", async () => deliveriesOf(await hub.json(["queue"])).length === 0);
    const { code, stderr } = await stop(worker);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("stopped") });
    expect(await feedTexts(feed())).toEqual(["waited for", "later"]);
    expect([...receiver.deliveries.values()].every((times) => times === 1)).toBe(true);
  });

  test("a command goes on when the worker, who held the database, is killed", async () => {
    await begin({ held: false });
    const worker = await hub.worker();
    const waiting = hub.start(["post", "in two seconds", "--to", "all", "--in", "2s", "--wait", "--json"]);
    await until("it is written", async () => deliveriesOf(await hub.json(["queue"])).length === 2);
    await kill(worker);
    const ended = await waiting.ended;
    expect(ended).toMatchObject({ code: 0 });
    expect(posted(JSON.parse(ended.stdout)).deliveries.map(({ state }) => state)).toEqual(["published", "published"]);
    expect(taken()).toEqual(["in two seconds"]);
    expect(await feedTexts(feed())).toEqual(["in two seconds"]);
  });
});

test("a receiver that answers 500 is told line by line, also into a file, and show says what to do", async () => {
  await begin();
  receiver.refuse(500);
  const running = hub.start(["post", "patience", "--to", "all"]);
  let stderr = "";
  running.child.stderr?.on("data", (text: string) => {
    stderr += text;
  });
  // Each question to the receiver is a line of its own, with the time of the next.
  const asked = () =>
    [...stderr.matchAll(/^webhook:127\.0\.0\.1:\d+\/hook {2}sending .*; psn asks the platform again at (.+?);/gm)].map(
      ([, at]) => at,
    );
  await until("psn says when it asks again", () => asked().length > 0);
  // It is this command that asks, and what the receiver said before is no news of it.
  const atWork = /^webhook:127\.0\.0\.1:\d+\/hook {2}sending; psn is processing it now;/m;
  receiver.hold(until("the command says that it is at work", () => atWork.test(stderr)));
  await until("psn has asked again", () => new Set(asked()).size >= 2);
  expect(stderr).toContain("; after Ctrl-C the post waits until psn worker runs\n");
  expect(stderr).toMatch(atWork);
  expect(stderr).not.toContain("a worker is at work");
  expect(stderr).toMatch(/^feed:public {2}published$/m);
  const [delivery] = deliveriesOf(await hub.json(["queue"]));
  const { deliveries } = (await hub.json(["show", delivery?.id ?? ""])) as {
    deliveries: { next: string | null; state: string }[];
  };
  expect(deliveries).toMatchObject([{ state: "sending", next: expect.stringMatching(/Z$/) }]);
  const shown = await hub.psn(["show", delivery?.id ?? ""]);
  expect(shown.stdout).toContain("psn asks the platform again at");
  // Nobody but psn is to do anything, and so nothing is advised.
  expect(shown.stderr).toBe("");
  const { code, stderr: last } = await stop(running);
  expect({ code, last }).toEqual({ code: 130, last: expect.stringContaining("goes on when psn worker runs") });

  const worker = await hub.worker();
  const beside = hub.start(["post", "beside a worker", "--to", "webhook"]);
  await beside.says("after Ctrl-C the worker publishes it");
  await stop(beside);
  await stop(worker);
});

test("what is left to a worker waits for one, and says so", async () => {
  await begin();
  const ran = await hub.psn(["post", "patience", "--to", "all", "--no-wait"]);
  expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining("psn worker") });
  expect((await all(hub)).map(({ state }) => state)).toEqual(["scheduled", "scheduled"]);
  const worker = await hub.worker();
  await until("it is out", async () => taken().length === 1 && (await feedTexts(feed())).length === 1);
  await stop(worker);
  expect((await all(hub)).map(({ state }) => state)).toEqual(["published", "published"]);
});

test("of two accounts the one that always fails does not stop the other, and both are told apart", async () => {
  await begin();
  receiver.refuse(422);
  const shown = await hub.psn(["post", "half", "--to", "all"]);
  expect(shown.code).toBe(5);
  expect(shown.stdout).toMatch(/published\s.*feed:public/);
  expect(shown.stdout).toMatch(/failed\s.*webhook:127\.0\.0\.1:\d+/);
  expect(shown.stderr).toContain("not today");
  const failure = errorOf(await hub.json(["post", "half again", "--to", "all"], 5));
  expect(failure).toMatchObject({
    code: "PUBLISH_PARTIAL",
    message: expect.stringContaining("webhook:127.0.0.1"),
    hint: expect.stringMatching(/^psn show /),
  });
  expect(failure.message).not.toContain("feed:");
  expect(errorOf(await hub.json(["post", "none", "--to", "webhook"], 1))).toMatchObject({ code: "PUBLISH_FAILED" });
  expect(await feedTexts(feed())).toEqual(["half again", "half"]);
  const states = (await all(hub)).map(({ account, state }) => `${account.platform} ${state}`).sort();
  expect(states).toEqual(["feed published", "feed published", "webhook failed", "webhook failed", "webhook failed"]);

  receiver.refuse(undefined);
  const failed = (await all(hub)).find(({ text, state }) => text === "half" && state === "failed");
  await hub.json(["retry", failed?.id ?? ""]);
  const worker = await hub.worker();
  await until("it is out", () => taken().includes("half"));
  await stop(worker);
  expect(taken()).toEqual(["half"]);
});
