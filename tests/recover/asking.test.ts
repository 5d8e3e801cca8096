import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type Receiver, startReceiver } from "../journeys/receiver.ts";
import { closedHub } from "../support/cli.ts";
import { copy, documentOf, json, psn, quiet, scratch, typed, work } from "./stage.ts";

/* What nobody but a person can tell, and a feed that lies in the hub. */

const receivers: Receiver[] = [];
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.stop();
});
const start = async () => {
  const receiver = startReceiver();
  receivers.push(receiver);
  const hub = await closedHub();
  await json(hub, ["connect", "webhook", receiver.url, "--secret-stdin"], `${receiver.secret}\n`);
  return { receiver, hub, other: join(await scratch("copy"), "h2"), sent: () => [...receiver.deliveries.values()] };
};

test("a webhook cannot be asked: without a terminal it becomes unconfirmed, and the command ends with 8", async () => {
  const { hub, other, sent } = await start();
  await json(hub, ["post", "hello", "--to", "webhook", "--in", "1s", "--no-wait"]);
  copy(hub, other);
  await work([hub], () => sent().length > 0);
  const ran = await psn(["recover", "--yes", "--json"], { cwd: other });
  expect(ran.code).toBe(8);
  const { deliveries } = documentOf(ran) as { deliveries: { id: string; becomes: string; why: string }[] };
  expect(deliveries).toMatchObject([{ becomes: "unconfirmed", why: "psn cannot ask Webhook whether it is there" }]);
  await work([other], quiet(other));
  expect(sent()).toEqual([1]);
  await json(other, ["resolve", deliveries[0]?.id ?? "", "--live", "https://example.com/hello"]);
  await work([other], quiet(other));
  expect(sent()).toEqual([1]);
});

test("at a terminal a person is asked, one by one", async () => {
  const { hub, other, sent } = await start();
  for (const text of ["is out", "is not", "who knows"])
    await json(hub, ["post", text, "--to", "webhook", "--in", "1s", "--no-wait"]);
  copy(hub, other);
  // Until the last of them is due.
  await Bun.sleep(1_100);
  const ran = await typed(["recover"], other, [
    ["(y/N)", "y"],
    ["Is it public?", "perhaps"],
    ["Is it public?", "https://example.com/is-out"],
    ["Is it public?", "n"],
    ["Is it public?", ""],
  ]);
  expect(ran.code).toBe(8);
  expect(ran.stderr).toContain('"is not"');
  expect(ran.stderr).toContain("psn resolve ID --live URL | --not-live");
  const { deliveries } = (await json(other, ["queue", "--all"])) as { deliveries: { state: string; text: string }[] };
  expect(Object.fromEntries(deliveries.map(({ text, state }) => [text, state]))).toEqual({
    "is out": "published",
    "is not": "scheduled",
    "who knows": "unconfirmed",
  });
  await work([other], () => sent().length > 0);
  expect(sent()).toEqual([1]);
});

test("no consent changes nothing", async () => {
  const { hub, other } = await start();
  await json(hub, ["post", "hello", "--to", "webhook", "--in", "1d"]);
  copy(hub, other);
  expect(await typed(["recover"], other, [["(y/N)", "n"]])).toMatchObject({ code: 130 });
  expect(await json(other, ["recover", "--dry-run"])).toMatchObject({ found: "copied" });
});

test("a feed inside of the hub comes along with a copy: the original's is neither asked nor written to", async () => {
  const hub = await closedHub();
  await json(hub, ["connect", "feed", join(hub, "public"), "--title", "Notes"]);
  await json(hub, ["post", "hello", "--to", "feed", "--in", "1s", "--no-wait"]);
  const other = join(await scratch("copy"), "h2");
  copy(hub, other);
  const shown = (folder: string) => {
    const feed = join(folder, "public", "feed.json");
    return existsSync(feed) ? JSON.parse(readFileSync(feed, "utf8")).items.length : 0;
  };
  await work([hub], async () => (await quiet(hub)()) && shown(hub) === 1);
  expect(await json(other, ["recover", "--yes"])).toMatchObject({ deliveries: [{ becomes: "scheduled" }] });
  await work([other], async () => (await quiet(other)()) && shown(other) === 1);
  expect(shown(hub)).toBe(1);
});
