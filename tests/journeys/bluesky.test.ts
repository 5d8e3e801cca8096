import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppBskyEmbedImages, AppBskyFeedPost, AtpAgent, RichText } from "@atproto/api";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { picture } from "../support/cli.ts";
import { type Pds, startPds } from "../support/pds.ts";
import { until } from "../support/until.ts";
import { type Gate, startGate } from "./gate.ts";
import { all, deliveriesOf, emptyFolder, errorOf, type Hub, kill, newHub, posted, stop } from "./hub.ts";

const ADA = "ada.test";
const POST = "app.bsky.feed.post";

let pds: Pds;
let gate: Gate;
/** The account's owner, signed in with the main password. */
let ada: AtpAgent;
let appPassword = "";
let friend = "";
const did = () => ada.session?.did ?? "";

beforeAll(async () => {
  pds = await startPds();
  gate = startGate(pds.url);
  ada = new AtpAgent({ service: pds.url });
  await ada.createAccount({ handle: ADA, email: "ada@example.com", password: "correct horse battery staple" });
  appPassword = await newAppPassword("first");
  friend = (await pds.createAccount("bob.test")).did;
});
afterAll(async () => {
  await gate?.stop();
  await pds?.stop();
});

async function newAppPassword(name: string): Promise<string> {
  return (await ada.com.atproto.server.createAppPassword({ name })).data.password;
}

interface Held {
  readonly uri: string;
  readonly cid: string;
  readonly record: AppBskyFeedPost.Record;
}

/** Everything the account has published, oldest first. */
async function held(): Promise<Held[]> {
  const { data } = await ada.com.atproto.repo.listRecords({ repo: did(), collection: POST, limit: 100, reverse: true });
  return data.records.map(({ uri, cid, value }) => {
    const record = AppBskyFeedPost.validateRecord(value);
    if (!record.success) throw record.error;
    return { uri, cid, record: record.value };
  });
}

async function connect(hub: Hub, server: string, password = appPassword): Promise<void> {
  const ran = await hub.psn(["connect", "bluesky", ADA, "--server", server, "--password-stdin"], `${password}\n`);
  expect(ran).toMatchObject({ code: 0 });
  expect(`${ran.stdout}${ran.stderr}`).not.toContain(password);
}

beforeEach(async () => {
  for (const { uri } of await held()) await ada.deletePost(uri);
});

test("from an empty folder to a post that others can read, link, mention and tag", async () => {
  const hub = await emptyFolder();
  expect(await hub.psn(["init"])).toMatchObject({ code: 0 });
  await connect(hub, `http://127.0.0.1:${new URL(pds.url).port}`);
  const text = `👩‍💻 grüßt @bob.test: ein Link https://example.com/a?b=1 und #tägliches 👨‍👩‍👧`;
  const started = Date.now();
  const { deliveries } = posted(await hub.json(["post", text, "--to", "bluesky", "--in", "3s", "--wait"]));
  expect(Date.now() - started).toBeGreaterThan(3000);

  const records = await held();
  expect(records).toHaveLength(1);
  const [{ uri, record }] = records as [Held];
  expect(deliveries).toMatchObject([
    { state: "published", url: `https://bsky.app/profile/${ADA}/post/${uri.split("/").at(-1)}`, attempt: 1 },
  ]);
  expect(record.text).toBe(text);
  const segments = [
    ...new RichText({ text: record.text, ...(record.facets ? { facets: record.facets } : {}) }).segments(),
  ];
  const marked = segments.flatMap((segment) =>
    segment.facet ? [[segment.text, segment.link?.uri ?? segment.mention?.did ?? segment.tag?.tag]] : [],
  );
  expect(marked).toEqual([
    ["@bob.test", friend],
    ["https://example.com/a?b=1", "https://example.com/a?b=1"],
    ["#tägliches", "tägliches"],
  ]);
});

describe("a hub that is connected", () => {
  let hub: Hub;
  beforeAll(async () => {
    hub = await newHub();
    await connect(hub, gate.origin);
  });

  test("publishes a thread from a file, with a picture and its description", async () => {
    await picture(hub.folder, "cat.png", 40);
    await writeFile(
      join(hub.folder, "launch.md"),
      "---\nto: bluesky\nlanguage: en\nmedia:\n  - file: cat.png\n    alt: A cat that sleeps\n---\nFirst of " +
        "three\n---\nSecond\n---\nThird 👩‍💻\n",
    );
    const { deliveries } = posted(await hub.json(["post", "launch.md"]));
    expect(deliveries).toMatchObject([{ state: "published", units: { all: 3, published: 3 } }]);
    const records = await held();
    expect(records.map(({ record }) => record.text)).toEqual(["First of three", "Second", "Third 👩‍💻"]);
    const [first, second, third] = records as [Held, Held, Held];
    const strong = ({ uri, cid }: Held) => ({ uri, cid });
    expect(second.record.reply).toMatchObject({ root: strong(first), parent: strong(first) });
    expect(third.record.reply).toMatchObject({ root: strong(first), parent: strong(second) });
    const { embed } = first.record;
    if (!AppBskyEmbedImages.isMain(embed)) throw new Error("the first has no picture");
    expect(embed.images).toMatchObject([{ alt: "A cat that sleeps", aspectRatio: { width: 40, height: 40 } }]);
    expect(first.record.langs).toEqual(["en"]);
    const blob = embed.images[0]?.image.ref.toString() ?? "";
    expect((await ada.com.atproto.sync.getBlob({ did: did(), cid: blob })).success).toBe(true);
  });

  test("splits what is too long, and loses no word", async () => {
    const words = Array.from({ length: 120 }, (_, n) => `word${n}`).join(" ");
    const refused = await hub.psn(["post", words, "--json"]);
    expect(refused.code).toBe(2);
    expect(errorOf(JSON.parse(refused.stdout))).toMatchObject({ code: "POST_INVALID" });
    expect(await held()).toEqual([]);
    await hub.json(["post", words, "--split"]);
    const records = await held();
    expect(records.length).toBeGreaterThan(2);
    expect(records.map(({ record }) => record.text).join(" ")).toBe(words);
    for (const { record } of records)
      expect(new RichText({ text: record.text }).graphemeLength).toBeLessThanOrEqual(300);
    expect(records.slice(1).every(({ record }, n) => record.reply?.parent.uri === records[n]?.uri)).toBe(true);
  });

  test("takes the same idempotency key twice as one post", async () => {
    const first = posted(await hub.json(["post", "once", "--idempotency-key", "release-1"]));
    const second = posted(await hub.json(["post", "once more", "--idempotency-key", "release-1"]));
    expect([first.repeated, second.repeated]).toEqual([false, true]);
    expect(second.post).toBe(first.post);
    expect((await held()).map(({ record }) => record.text)).toEqual(["once"]);
  });

  test("loses its worker between the post and the answer, and the next worker finds it", async () => {
    const worker = await hub.worker();
    const there = gate.keepAnswer("com.atproto.repo.putRecord");
    const { post } = posted(await hub.json(["post", "exactly once", "--no-wait"]));
    await there;
    await kill(worker);
    expect(await held()).toHaveLength(1);
    expect(deliveriesOf(await hub.json(["show", post]))).toMatchObject([{ state: "sending" }]);
    await hub.endLeases();
    const next = await hub.worker();
    await until("it is found", async () => deliveriesOf(await hub.json(["show", post]))[0]?.state === "published");
    expect(await stop(next)).toMatchObject({ code: 0 });
    expect((await held()).map(({ record }) => record.text)).toEqual(["exactly once"]);
  });

  test("loses its worker in the middle of a thread, and the next worker goes on under the right post", async () => {
    await writeFile(join(hub.folder, "thread.md"), "one\n---\ntwo\n---\nthree\n");
    const worker = await hub.worker();
    const there = gate.keepAnswer("com.atproto.repo.putRecord", 1);
    await hub.json(["post", "thread.md", "--no-wait"]);
    await there;
    await kill(worker);
    expect(await held()).toHaveLength(2);
    await hub.endLeases();
    const next = await hub.worker();
    await until("the thread is whole", async () => (await held()).length === 3);
    await stop(next);
    const records = await held();
    expect(records.map(({ record }) => record.text)).toEqual(["one", "two", "three"]);
    expect(records.map(({ record }) => record.reply?.parent.uri)).toEqual([
      undefined,
      records[0]?.uri,
      records[1]?.uri,
    ]);
    expect(records.map(({ record }) => record.reply?.root.uri)).toEqual([undefined, records[0]?.uri, records[0]?.uri]);
  });
});

const Tokens = z.looseObject({ accessJwt: z.string() });
/** Connects, and then two hours pass: the session's access token has expired. */
async function connectLongAgo(hub: Hub, password: string): Promise<void> {
  gate.change("com.atproto.server.createSession", (body) => {
    const answer = Tokens.parse(JSON.parse(body));
    return JSON.stringify({ ...answer, accessJwt: pds.expire(answer.accessJwt) });
  });
  await connect(hub, gate.origin, password);
  gate.change("com.atproto.server.createSession", (body) => body);
}

test("a session that has expired is renewed by the worker", async () => {
  const hub = await newHub();
  await connectLongAgo(hub, appPassword);
  const worker = await hub.worker();
  const before = gate.seen.length;
  await hub.json(["post", "renewed", "--no-wait"]);
  await until("it is out", async () => (await held()).length === 1);
  await stop(worker);
  expect(gate.seen.slice(before).filter((line) => line.includes("refreshSession"))).toHaveLength(1);
  expect(await all(hub)).toMatchObject([{ state: "published", attempt: 1 }]);
});

test("an app password that was taken back holds the post until its user connects again", async () => {
  const hub = await newHub();
  await connectLongAgo(hub, await newAppPassword("second"));
  await ada.com.atproto.server.revokeAppPassword({ name: "second" });
  const refused = await hub.psn(["post", "patience", "--json"]);
  expect(refused.code).toBe(4);
  expect(errorOf(JSON.parse(refused.stdout))).toMatchObject({
    hint: expect.stringMatching(/^psn connect bluesky:\S+$/),
  });
  expect(await all(hub)).toMatchObject([{ state: "held" }]);
  expect(await held()).toEqual([]);
  // And what would only be held too is refused at once.
  expect(await hub.psn(["post", "another"])).toMatchObject({ code: 4 });

  const worker = await hub.worker();
  await connect(hub, gate.origin, await newAppPassword("third"));
  await until("it is out", async () => (await held()).length === 1);
  await stop(worker);
  expect((await held()).map(({ record }) => record.text)).toEqual(["patience"]);
  expect(await all(hub)).toMatchObject([{ state: "published" }]);
});
