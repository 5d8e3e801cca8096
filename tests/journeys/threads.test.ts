import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { binary, documentOf, picture, type Ran, type TestHub, testHub } from "../support/cli.ts";
import { type S3, startS3 } from "../support/s3.ts";
import { startThreads, type ThreadsFake, USER } from "../support/threads.ts";
import { until } from "../support/until.ts";

/*
 * Threads by the command line as a process, with a bucket of the hub's own: media that Threads fetches by a signed
 * link, the quota, a token that renews itself, one that is taken back, and the account again.
 */

const REDIRECT = "https://psn.example/callback";
let threads: ThreadsFake;
let s3: S3;
let hub: TestHub;
beforeAll(async () => {
  threads = await startThreads();
  s3 = await startS3({ bucket: "media" });
  hub = await testHub({ feed: false });
});
afterAll(async () => {
  await threads.stop();
  await s3.stop();
});

const env = () => ({ PSN_ORIGINS: `https://graph.threads.net=${threads.origin}` });
const psn = (argv: readonly string[], stdin = "") =>
  binary([...argv, "--json"], { cwd: hub.folder, env: env(), stdin }).ended;
const account = async () =>
  (documentOf(await psn(["accounts"]))["accounts"] as readonly Readonly<Record<string, unknown>>[])[0];

/** The script: reads the address psn shows, consents there, and pastes where the browser ended. */
async function connect(): Promise<Ran> {
  const argv = ["connect", "threads", "--no-browser", "--redirect", REDIRECT, "--json"];
  const running = binary(argv, { cwd: hub.folder, env: env(), typing: true });
  let stderr = "";
  running.child.stderr?.on("data", (text: string) => {
    stderr += text;
  });
  await running.says("state=");
  const back = new URL(REDIRECT);
  for (const [name, value] of Object.entries(await threads.consent(/https:\/\/\S+/.exec(stderr)?.[0] ?? "")))
    back.searchParams.set(name, value);
  running.child.stdin?.end(`${back.href}#_\n`);
  return running.ended;
}

test("the app's keys, the consent, and a token for 60 days", async () => {
  for (const [name, value] of [
    ["THREADS_APP_ID", threads.app.id],
    ["THREADS_APP_SECRET", threads.app.secret],
  ] as const)
    expect((await psn(["keys", "set", name, "--stdin"], value)).code).toBe(0);
  const ran = await connect();
  expect([ran.code, documentOf(ran)]).toMatchObject([0, { platform: "threads", again: false }]);
  expect(await account()).toMatchObject({ name: `threads:${USER.username}`, health: "ok", renews: true });
  const days = (Date.parse(String((await account())?.["expires"])) - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(59);
});

test("without a bucket a picture is refused before anything is written", async () => {
  const ran = await psn(["post", "look", "--media", await picture(hub.folder), "--alt", "a square", "--to", "threads"]);
  expect([ran.code, documentOf(ran)]).toMatchObject([
    2,
    { error: { code: "POST_INVALID", next: "psn config set S3_BUCKET" } },
  ]);
  expect(threads.requests.filter((line) => line.startsWith("POST /v1.0"))).toEqual([]);
});

test("with one: a carousel by signed links, alt texts, a topic, and the rest of the thread as answers", async () => {
  for (const [name, value] of [
    ["S3_ENDPOINT", s3.endpoint],
    ["S3_BUCKET", s3.bucket],
    ["S3_ACCESS_KEY_ID", s3.accessKeyId],
  ] as const)
    expect((await psn(["config", "set", name, value])).code).toBe(0);
  expect((await psn(["config", "set", "S3_SECRET_ACCESS_KEY", "--stdin"], s3.secretAccessKey)).code).toBe(0);
  await picture(hub.folder, "one.png", 20);
  await picture(hub.folder, "two.png", 24);
  const draft = `---
media:
  - { file: one.png, alt: the first }
  - { file: two.png, alt: the second }
platforms:
  threads: { options: { topic: Wombats } }
---
two squares

---

and a word below them
`;
  await writeFile(join(hub.folder, "draft.md"), draft);
  const ran = await psn(["post", "draft.md", "--to", "threads"]);
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  const [root, below] = threads.posts;
  expect(root).toMatchObject({ kind: "CAROUSEL_ALBUM", text: "two squares", topic: "Wombats", parent: null });
  expect(root?.media.map(({ alt }) => alt)).toEqual(["the first", "the second"]);
  expect(below).toMatchObject({ text: "and a word below them", parent: root?.id, media: [] });
  expect(await s3.objects()).toHaveLength(2);
});

test("a used-up quota is a pause: psn does not sit it out, and the post waits for its end", async () => {
  threads.switches.quota = { posts: 1, answers: 1_000 };
  const ran = await psn(["post", "one too many", "--to", "threads"]);
  expect([ran.code, documentOf(ran)]).toMatchObject([
    8,
    { error: { code: "STILL_PENDING", message: expect.stringContaining("threads:ada.threads: ") } },
  ]);
  const until = Date.parse(String((await account())?.["pausedUntil"]));
  expect(until - Date.now()).toBeGreaterThan(55 * 60_000);
  // Threads is not even asked about the next.
  const asked = threads.requests.length;
  const next = await binary(["post", "and another", "--to", "threads"], { cwd: hub.folder, env: env() }).ended;
  expect([next.code, next.stderr]).toEqual([
    8,
    expect.stringContaining("no worker is running; the post will be published when one runs: psn worker"),
  ]);
  expect(threads.requests).toHaveLength(asked);
  expect(threads.posts).toHaveLength(2);
});

test("a token that is taken back keeps its posts waiting; connecting again lets them out", async () => {
  threads.switches.quota = { posts: 250, answers: 1_000 };
  threads.forget();
  await hub.rows("UPDATE psn.accounts SET paused_until = NULL");
  await hub.rows("UPDATE psn.deliveries SET wake_at = now() WHERE state = 'scheduled'");
  const ran = await psn(["post", "while away", "--to", "threads"]);
  expect([ran.code, documentOf(ran)]).toMatchObject([
    4,
    { error: { code: "AUTH_REVOKED", next: "psn connect threads:ada.threads" } },
  ]);
  expect(await account()).toMatchObject({ health: "needs-reconnect" });

  expect(documentOf(await connect())).toMatchObject({ platform: "threads", again: true });
  const worker = binary(["worker"], { cwd: hub.folder, env: env() });
  await until("it is out", () => threads.posts.length >= 5);
  worker.child.kill("SIGTERM");
  await worker.ended;
  expect(
    threads.posts
      .slice(2)
      .map(({ text }) => text)
      .sort(),
  ).toEqual(["and another", "one too many", "while away"]);
});

test("goodbye says that Threads cannot be told", async () => {
  const ran = await psn(["disconnect", "threads", "--yes"]);
  expect([ran.code, documentOf(ran)]).toMatchObject([0, { revoked: false }]);
});
