import { SCOPES } from "@psn/platforms/x/connect.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AuthorizationServer, startAuthorizationServer } from "../support/authorization-server.ts";
import { binary, documentOf, type Ran, type TestHub, testHub } from "../support/cli.ts";
import { until } from "../support/until.ts";
import { type Authority, startX, type XFake } from "../support/x.ts";

/*
 * From nothing to a published post on X and through the whole life of an account, by the command line as a process: an
 * app of the user's own, consent, a post, a token that ends, one that is taken back, the account again, and goodbye.
 * The tokens are given out by a real authorisation server that rotates them and ends the grant of one that comes twice.
 */

const PORT = 18_976;
const REDIRECT = `http://127.0.0.1:${PORT}/callback`;
let as: AuthorizationServer;
let x: XFake;
let hub: TestHub;
/** The refresh token that was given out last. */
let newest = "";
beforeAll(async () => {
  as = await startAuthorizationServer({}, { scopes: SCOPES, redirectUri: REDIRECT });
  x = await startX({}, as.apps.basic, authority());
  hub = await testHub({ feed: false });
});
afterAll(async () => {
  await x.stop();
  await as.stop();
});

/** The authorisation server in X's place: its paths are X's, what it answers is its own. */
function authority(): Authority {
  const forward = async (path: string, request: Request) => {
    const headers = Object.fromEntries(
      ["authorization", "content-type"].map((name) => [name, request.headers.get(name) ?? ""]),
    );
    const answer = await fetch(`${as.origin}${path}`, {
      method: "POST",
      headers,
      body: await request.text(),
      redirect: "manual",
    });
    const text = await answer.text();
    newest = /"refresh_token":"([^"]+)"/.exec(text)?.[1] ?? newest;
    return new Response(text, { status: answer.status, headers: { "content-type": "application/json" } });
  };
  return {
    answer: (request) => forward(request.url.endsWith("/revoke") ? "/token/revocation" : "/token", request),
    scopesOf: async (token) => {
      const told = (await (await asApp("/token/introspection", { token })).json()) as {
        active: boolean;
        scope?: string;
      };
      return told.active ? (told.scope ?? "").split(" ") : undefined;
    },
  };
}

/** A request of the app itself. */
function asApp(path: string, form: Readonly<Record<string, string>>): Promise<Response> {
  const { id, secret = "" } = as.apps.basic;
  const proof = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64");
  return fetch(`${as.origin}${path}`, {
    method: "POST",
    headers: { authorization: `Basic ${proof}` },
    body: new URLSearchParams({ ...form }),
  });
}

/** The person at X's page, which is the server's; a refresh token needs a consent of its own there. */
function person(address: string, refuse = false): Promise<Record<string, string>> {
  const page = new URL(address);
  expect(`${page.origin}${page.pathname}`).toBe("https://x.com/i/oauth2/authorize");
  const { search } = page;
  return as.consent(`${as.origin}/auth${search}&prompt=consent`, { refuse });
}

const env = () => ({ PSN_ORIGINS: `https://api.x.com=${x.origin}` });
const psn = (argv: readonly string[], stdin = "") =>
  binary([...argv, "--json"], { cwd: hub.folder, env: env(), stdin }).ended;

interface Consented extends Ran {
  /** What the browser shows in the end. */
  readonly page: string;
}

/** The script: reads the address psn shows, consents there, and lets the browser come back. */
async function connect(refuse = false): Promise<Consented> {
  const running = binary(["connect", "x", "--no-browser", "--port", String(PORT), "--json"], {
    cwd: hub.folder,
    env: env(),
  });
  let stderr = "";
  running.child.stderr?.on("data", (text: string) => {
    stderr += text;
  });
  await running.says("code_challenge_method=S256");
  const url = /https:\/\/\S+/.exec(stderr)?.[0] ?? "";
  const back = new URL(REDIRECT);
  for (const [name, value] of Object.entries(await person(url, refuse))) back.searchParams.set(name, value);
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
    error: {
      code: "APP_MISSING",
      next: "psn keys set X_CLIENT_ID",
      details: { id: "X_CLIENT_ID", secret: "X_CLIENT_SECRET" },
    },
  });
  expect(ran.stderr).toContain(REDIRECT);
  expect(ran.stderr.trim().split("\n").length).toBeLessThanOrEqual(6);
  expect(await accounts()).toEqual([]);
});

test("its keys are sealed into the hub, and are never shown", async () => {
  expect((await psn(["keys", "set", "X_CLIENT_ID", "--stdin"], as.apps.basic.id)).code).toBe(0);
  expect((await psn(["keys", "set", "X_CLIENT_SECRET", "--stdin"], `${as.apps.basic.secret}\n`)).code).toBe(0);
  const listed = await psn(["keys", "list"]);
  expect(documentOf(listed)).toMatchObject({ keys: [{ name: "X_CLIENT_ID" }, { name: "X_CLIENT_SECRET" }] });
  const rows = JSON.stringify(await hub.rows("SELECT * FROM psn.api_keys"));
  for (const text of [listed.stdout, rows]) expect(text).not.toContain(as.apps.basic.secret ?? "?");
});

test("who says no is told so, and nothing is changed", async () => {
  const { code, page, ...ran } = await connect(true);
  expect(code).toBe(4);
  expect(documentOf({ code, ...ran })).toMatchObject({
    error: { code: "AUTH_REVOKED", message: "you declined access at X" },
  });
  expect(page).toContain("you declined access at X");
  expect(await accounts()).toEqual([]);
});

test("who says yes is connected, and a post goes out", async () => {
  as.lives.access = LIFE_S;
  const ran = await connect();
  expect(ran.code, ran.stdout).toBe(0);
  expect(documentOf(ran)).toMatchObject({ platform: "x", again: false });
  expect(ran.page).toContain("is connected");
  const posted = await psn(["post", "hello from the terminal", "--to", "x"]);
  expect(posted.code, posted.stdout).toBe(0);
  expect(x.posts.map(({ text }) => text)).toEqual(["hello from the terminal"]);
});

/** In seconds: so short that the token ends between two posts. */
const LIFE_S = 5;

test("a token that has ended is renewed on the way, and its successor is kept", async () => {
  for (const text of ["later", "later still"]) {
    await Bun.sleep(LIFE_S * 1_000);
    await rested();
    const { refresh_token: before } = as.asked;
    expect((await psn(["post", text, "--to", "x"])).code).toBe(0);
    expect(as.asked.refresh_token).toBe(before + 1);
  }
  expect(x.posts.map(({ text }) => text)).toEqual(["hello from the terminal", "later", "later still"]);
});

test("what is taken back keeps its posts waiting, and connecting again lets them out", async () => {
  expect((await asApp("/token/revocation", { token: newest, token_type_hint: "refresh_token" })).status).toBe(200);
  await rested();
  const posted = await psn(["post", "while away", "--to", "x"]);
  expect([posted.code, documentOf(posted)]).toMatchObject([4, { error: { code: "AUTH_REVOKED" } }]);
  expect(await accounts()).toMatchObject([{ health: "needs-reconnect", reason: expect.stringMatching(/./) }]);
  expect(x.posts).toHaveLength(3);

  as.lives.access = 3_600;
  const ran = await connect();
  expect(documentOf(ran)).toMatchObject({ platform: "x", again: true });
  expect(await accounts()).toMatchObject([{ health: "ok", reason: null }]);
  const worker = binary(["worker"], { cwd: hub.folder, env: env() });
  await until("it is out", () => x.posts.length >= 4);
  worker.child.kill("SIGTERM");
  await worker.ended;
  expect(x.posts.at(-1)?.text).toBe("while away");
});

test("goodbye: the platform is told, and forgets every token", async () => {
  const token = newest;
  const ran = await psn(["disconnect", "x", "--yes"]);
  expect([ran.code, documentOf(ran)]).toMatchObject([0, { revoked: true }]);
  expect(await (await asApp("/token/introspection", { token })).json()).toEqual({ active: false });
});
