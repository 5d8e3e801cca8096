import { afterAll, beforeAll, expect, test } from "vitest";
import { binary, documentOf, type Ran, type TestHub, testHub } from "../support/cli.ts";
import { startX, type XFake } from "../support/x.ts";

/*
 * From nothing to a published post on X and through the whole life of an account, by the command line as a process: an app of the
 * user's own, consent, a post, a token that ends, one that is taken back, the account again, and goodbye.
 */

const PORT = 18_976;
const REDIRECT = `http://127.0.0.1:${PORT}/callback`;
let x: XFake;
let hub: TestHub;
beforeAll(async () => {
  x = await startX({}, { redirects: [REDIRECT] });
  hub = await testHub({ feed: false });
});
afterAll(() => x.stop());

const env = () => ({ PSN_ORIGINS: `https://api.x.com=${x.origin}` });
const psn = (argv: readonly string[], stdin = "") => binary([...argv, "--json"], { cwd: hub.folder, env: env(), stdin }).ended;

interface Consented extends Ran {
  /** What the browser shows in the end. */
  readonly page: string;
}

/** The script: reads the address psn shows, consents there, and lets the browser come back. */
async function connect(person = (url: string) => x.consent(url)): Promise<Consented> {
  const running = binary(["connect", "x", "--no-browser", "--port", String(PORT), "--json"], { cwd: hub.folder, env: env() });
  let stderr = "";
  running.child.stderr?.on("data", (text: string) => {
    stderr += text;
  });
  await running.says("code_challenge_method=S256");
  const url = /https:\/\/\S+/.exec(stderr)?.[0] ?? "";
  const back = new URL(REDIRECT);
  for (const [name, value] of Object.entries(await person(url))) back.searchParams.set(name, value);
  const page = await fetch(back).then((response) => response.text());
  return { ...(await running.ended), page };
}

/** The hub's own clock does not move with X's, and no token is exchanged twice within ten minutes. */
const rested = () => hub.rows("UPDATE psn.oauth_tokens SET refresh_rest_until = NULL");

const accounts = async () => documentOf(await psn(["accounts"]))["accounts"];

test("without an app psn says in five lines how to get one, and changes nothing", async () => {
  const ran = await psn(["connect", "x", "--no-browser", "--port", String(PORT)]);
  expect(ran.code).toBe(3);
  expect(documentOf(ran)).toMatchObject({
    error: { code: "APP_MISSING", next: "psn keys set X_CLIENT_ID", details: { id: "X_CLIENT_ID", secret: "X_CLIENT_SECRET" } },
  });
  expect(ran.stderr).toContain(REDIRECT);
  expect(ran.stderr.trim().split("\n").length).toBeLessThanOrEqual(6);
  expect(await accounts()).toEqual([]);
});

test("its keys are sealed into the hub, and are never shown", async () => {
  expect((await psn(["keys", "set", "X_CLIENT_ID", "--stdin"], x.app.id)).code).toBe(0);
  expect((await psn(["keys", "set", "X_CLIENT_SECRET", "--stdin"], `${x.app.secret}\n`)).code).toBe(0);
  const listed = await psn(["keys", "list"]);
  expect(documentOf(listed)).toMatchObject({ keys: [{ name: "X_CLIENT_ID" }, { name: "X_CLIENT_SECRET" }] });
  const rows = JSON.stringify(await hub.rows("SELECT * FROM psn.api_keys"));
  for (const text of [listed.stdout, rows]) expect(text).not.toContain(x.app.secret ?? "?");
});

test("who says no is told so, and nothing is changed", async () => {
  x.switches.grants = null;
  const { code, page, ...ran } = await connect();
  x.switches.grants = "all";
  expect(code).toBe(4);
  expect(documentOf({ code, ...ran })).toMatchObject({ error: { code: "AUTH_REVOKED", message: "X was told no" } });
  expect(page).toContain("X was told no");
  expect(await accounts()).toEqual([]);
});

test("who says yes is connected, and a post goes out", async () => {
  const ran = await connect();
  expect(ran.code, ran.stdout).toBe(0);
  expect(documentOf(ran)).toMatchObject({ platform: "x", again: false });
  expect(ran.page).toContain("is connected");
  const posted = await psn(["post", "hello from the terminal", "--to", "x"]);
  expect(posted.code, posted.stdout).toBe(0);
  expect(x.posts.map(({ text }) => text)).toEqual(["hello from the terminal"]);
});

test("a token that has ended is renewed on the way, and its successor is kept", async () => {
  x.switches.clockAheadMs = 3 * 3_600_000;
  expect((await psn(["post", "three hours later", "--to", "x"])).code).toBe(0);
  x.switches.clockAheadMs = 6 * 3_600_000;
  await rested();
  expect((await psn(["post", "six hours later", "--to", "x"])).code).toBe(0);
  expect(x.posts.map(({ text }) => text)).toEqual(["hello from the terminal", "three hours later", "six hours later"]);
  expect(x.tokens().refresh).toBe(1);
});

test("what is taken back keeps its posts waiting, and connecting again lets them out", async () => {
  x.forget();
  await rested();
  const posted = await psn(["post", "while away", "--to", "x"]);
  expect([posted.code, documentOf(posted)]).toMatchObject([4, { error: { code: "AUTH_REVOKED" } }]);
  expect(await accounts()).toMatchObject([{ health: "needs-reconnect", reason: expect.stringMatching(/./) }]);
  expect(x.posts).toHaveLength(3);

  const ran = await connect();
  expect(documentOf(ran)).toMatchObject({ platform: "x", again: true });
  expect(await accounts()).toMatchObject([{ health: "ok", reason: null }]);
  const worker = binary(["worker"], { cwd: hub.folder, env: env() });
  for (const deadline = Date.now() + 20_000; x.posts.length < 4 && Date.now() < deadline; ) await Bun.sleep(50);
  worker.child.kill("SIGTERM");
  await worker.ended;
  expect(x.posts.at(-1)?.text).toBe("while away");
});

test("goodbye: the platform is told, and forgets every token", async () => {
  const ran = await psn(["disconnect", "x", "--yes"]);
  expect([ran.code, documentOf(ran)]).toMatchObject([0, { revoked: true }]);
  expect(x.tokens()).toEqual({ access: 0, refresh: 0 });
});
