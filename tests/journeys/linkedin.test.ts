import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { binary, documentOf, picture, type Ran, type TestHub, testHub } from "../support/cli.ts";
import { HOSTS, type LinkedInFake, MEMBER, startLinkedIn } from "../support/linkedin.ts";
import { until } from "../support/until.ts";

/*
 * LinkedIn by the command line as a process: consent, a document and a comment, a text that is refused the second time,
 * and a token of 60 days that nothing renews: its user is told in time, and the posts wait for the account to be
 * connected again.
 */

const PORT = 18_977;
const REDIRECT = `http://127.0.0.1:${PORT}/callback`;
let linkedin: LinkedInFake;
let hub: TestHub;
let told: ReturnType<typeof startInbox>;
beforeAll(async () => {
  linkedin = await startLinkedIn({ comments: true }, { redirects: [REDIRECT] });
  hub = await testHub({ feed: false });
  told = startInbox();
});
afterAll(async () => {
  await linkedin.stop();
  await told.stop();
});

/** What PSN_NOTIFY_URL takes. */
function startInbox() {
  const lines: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      lines.push(await request.text());
      return new Response();
    },
  });
  return { lines, url: `http://127.0.0.1:${server.port}/psn`, stop: () => server.stop(true) };
}

const env = () => ({
  PSN_ORIGINS: HOSTS.map((host) => `${host}=${linkedin.origin}`).join(" "),
  PSN_NOTIFY_URL: told.url,
});
const psn = (argv: readonly string[], stdin = "") =>
  binary([...argv, "--json"], { cwd: hub.folder, env: env(), stdin }).ended;
const account = async () =>
  (documentOf(await psn(["accounts"]))["accounts"] as readonly Readonly<Record<string, unknown>>[])[0];

/** The script: reads the address psn shows, consents there, and lets the browser come back. */
async function connect(): Promise<Ran> {
  const argv = ["connect", "linkedin", "--no-browser", "--port", String(PORT), "--json"];
  const running = binary(argv, { cwd: hub.folder, env: env() });
  let stderr = "";
  running.child.stderr?.on("data", (text: string) => {
    stderr += text;
  });
  await running.says("state=");
  const back = new URL(REDIRECT);
  for (const [name, value] of Object.entries(await linkedin.consent(/https:\/\/\S+/.exec(stderr)?.[0] ?? "")))
    back.searchParams.set(name, value);
  await fetch(back);
  return running.ended;
}

/** A worker, until this is so; throws where it is not so in time. */
async function working(isSo: () => boolean, mostMs = 20_000): Promise<void> {
  const worker = binary(["worker"], { cwd: hub.folder, env: env() });
  try {
    await until("a worker has done it", isSo, mostMs);
  } finally {
    worker.child.kill("SIGTERM");
    await worker.ended;
  }
}

test("the app's keys, the consent, and a token for 60 days that nothing renews", async () => {
  for (const [name, value] of [
    ["LINKEDIN_CLIENT_ID", linkedin.app.id],
    ["LINKEDIN_CLIENT_SECRET", linkedin.app.secret],
  ] as const)
    expect((await psn(["keys", "set", name, "--stdin"], value)).code).toBe(0);
  const ran = await connect();
  expect([ran.code, documentOf(ran)]).toMatchObject([0, { platform: "linkedin", again: false }]);
  expect(await account()).toMatchObject({ name: `linkedin:${MEMBER.name}`, health: "ok", renews: false });
  expect((Date.parse(String((await account())?.["expires"])) - Date.now()) / 86_400_000).toBeGreaterThan(59);
});

test("a document for one's connections, and the rest of the thread as a comment", async () => {
  await writeFile(
    join(hub.folder, "slides.pdf"),
    "%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF\n",
  );
  const draft = `---
title: Slides
media: slides.pdf
visibility: followers
---
What we learned (a lot) #Shipping

---

Questions below.
`;
  await writeFile(join(hub.folder, "talk.md"), draft);
  const ran = await psn(["post", "talk.md", "--to", "linkedin"]);
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  expect(linkedin.posts).toMatchObject([
    {
      text: "What we learned (a lot) #Shipping",
      hashtags: ["Shipping"],
      visibility: "CONNECTIONS",
      media: [{ title: "Slides" }],
    },
  ]);
  expect(linkedin.comments).toMatchObject([{ post: linkedin.posts[0]?.urn, text: "Questions below." }]);
});

test("a picture with its description; the same words again are refused, with the post that has them", async () => {
  const file = await picture(hub.folder);
  expect((await psn(["post", "good morning", "--media", file, "--alt", "a square", "--to", "linkedin"])).code).toBe(0);
  expect(linkedin.posts[1]).toMatchObject({ text: "good morning", media: [{ altText: "a square" }] });
  expect((await psn(["post", "good evening", "--to", "linkedin"])).code).toBe(0);
  const again = await psn(["post", "good evening", "--to", "linkedin"]);
  expect([again.code, documentOf(again)]).toMatchObject([1, { error: { code: "PUBLISH_FAILED" } }]);
  expect(again.stdout).toContain(linkedin.posts[2]?.urn ?? "?");
  expect(linkedin.posts).toHaveLength(3);
});

test("a week before the token ends its user is told: by accounts, by doctor, once by a notification", async () => {
  await hub.rows("UPDATE psn.oauth_tokens SET expires_at = now() + interval '6 days'");
  told.lines.length = 0;
  await working(() => told.lines.length > 0);
  // Another worker says it no second time.
  await expect(working(() => told.lines.length > 1, 2_000)).rejects.toThrow(/not within/);
  expect(told.lines).toEqual([
    expect.stringMatching(
      /^linkedin:Ada Lovelace must be reconnected by .+, or its posts will be on hold: psn connect linkedin$/,
    ),
  ]);
  const { stdout } = await binary(["accounts"], { cwd: hub.folder, env: env() }).ended;
  expect(stdout).toMatch(/linkedin:Ada Lovelace\t.*\tits token ends on [\d-]+\t/);
  expect((await binary(["doctor"], { cwd: hub.folder, env: env() }).ended).stdout).toMatch(
    /linkedin:Ada Lovelace.+its token expires on .+/,
  );
});

test("when it has ended the posts wait, and connecting again lets them out", async () => {
  await hub.rows("UPDATE psn.oauth_tokens SET expires_at = now() - interval '1 minute'");
  linkedin.forget();
  const ran = await psn(["post", "while away", "--to", "linkedin"]);
  expect([ran.code, documentOf(ran)]).toMatchObject([
    4,
    { error: { code: "AUTH_REVOKED", next: "psn connect linkedin" } },
  ]);
  expect(await account()).toMatchObject({ health: "needs-reconnect" });
  expect(documentOf(await connect())).toMatchObject({ platform: "linkedin", again: true });
  await working(() => linkedin.posts.length > 3);
  expect(linkedin.posts[3]?.text).toBe("while away");
});

test("goodbye: LinkedIn is told", async () => {
  expect(documentOf(await psn(["disconnect", "linkedin", "--yes"]))).toMatchObject({ revoked: true });
  expect(linkedin.tokens()).toEqual({ access: 0, refresh: 0 });
});
