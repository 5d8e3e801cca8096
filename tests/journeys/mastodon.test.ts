import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { picture } from "../support/cli.ts";
import { someOf } from "../support/how-much.ts";
import { FAULTS_AFTER, type MastodonFake, startMastodon } from "../support/mastodon.ts";
import { until } from "../support/until.ts";
import { all, deliveriesOf, errorOf, type Hub, newHub, posted, stop } from "./hub.ts";

let hub: Hub;
let server: MastodonFake;
beforeEach(async () => {
  hub = await newHub();
  server = await startMastodon();
  const ran = await hub.psn(["connect", "mastodon", server.origin, "--token-stdin"], `${server.token}\n`);
  expect(ran).toMatchObject({ code: 0 });
  expect(`${ran.stdout}${ran.stderr}`).not.toContain(server.token);
});
afterEach(async () => {
  await server.stop();
});

const sends = () => server.requests.filter((line) => line === "POST /api/v1/statuses");

test("a post with a picture, its description and a content warning", async () => {
  await picture(hub.folder, "soup.png", 20);
  server.switches.processing = 1;
  const { deliveries } = posted(
    await hub.json([
      "post",
      "Look at this soup",
      "--media",
      "soup.png",
      "--alt",
      "A red soup",
      "--content-warning",
      "food",
      "--visibility",
      "unlisted",
      "--language",
      "en",
    ]),
  );
  expect(server.statuses).toMatchObject([
    { text: "Look at this soup", spoiler: "food", visibility: "unlisted", language: "en" },
  ]);
  const [status] = server.statuses;
  expect(deliveries).toMatchObject([{ state: "published", url: `${server.origin}/@ada/${status?.id}` }]);
  const [id = ""] = status?.media ?? [];
  expect(server.media.get(id)).toMatchObject({ mime: "image/png", description: "A red soup", status: status?.id });
});

describe("an answer that is lost", () => {
  test.each(someOf(FAULTS_AFTER.filter((fault) => fault !== "late-after")))(
    "is settled without a duplicate (%s)",
    async (fault) => {
      server.switches.idempotency = "ignored";
      server.faults.push(fault);
      const { deliveries } = posted(await hub.json(["post", "once and only once", "--to", "mastodon"]));
      expect(deliveries).toMatchObject([
        { state: "published", url: `${server.origin}/@ada/${server.statuses[0]?.id}` },
      ]);
      expect(server.statuses).toHaveLength(1);
      expect(sends()).toHaveLength(1);
    },
  );

  test("in the middle of a thread is settled too, and the thread goes on", async () => {
    server.switches.idempotency = "ignored";
    const words = Array.from({ length: 200 }, (_, n) => `word${n}`).join(" ");
    server.faults.push("reset-after");
    const { deliveries } = posted(await hub.json(["post", words, "--split"]));
    expect(deliveries).toMatchObject([{ state: "published" }]);
    expect(server.statuses.map(({ text }) => text).join(" ")).toBe(words);
    expect(server.statuses.map(({ parent }) => parent)).toEqual([
      null,
      ...server.statuses.slice(0, -1).map(({ id }) => id),
    ]);
  });
});

test("a rate limit pauses the account, and the command that stops waiting leaves the rest to a worker", async () => {
  server.switches.requests = 0;
  // With --wait the command never ends by itself, however long the pause is.
  const waiting = hub.start(["post", "not so fast", "--wait", "--json"]);
  await until("it is paused", async () => (await all(hub))[0]?.reason?.code === "RATE_LIMITED");
  const ended = await stop(waiting);
  expect(ended.code).toBe(130);
  expect(errorOf(JSON.parse(ended.stdout))).toMatchObject({
    code: "INTERRUPTED",
    hint: expect.stringContaining("psn cancel"),
  });
  expect(deliveriesOf(await hub.json(["queue"]))).toMatchObject([{ state: "scheduled" }]);
  expect(server.statuses).toEqual([]);
});
