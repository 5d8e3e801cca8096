import { createHash, randomBytes } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import type { OAuthApp } from "@psn/core/types/account.ts";
import type { Fetch, Net, Session } from "@psn/core/types/platform.ts";
import {
  authorizationUrl,
  exchangeCode,
  exchangeRefresh,
  type OAuthServer,
  revokeToken,
} from "@psn/platforms/kit/oauth.ts";
import type { Tokens } from "@psn/platforms/kit/oauth-answer.ts";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type AppKind,
  type AuthorizationServer,
  SCOPES,
  startAuthorizationServer,
} from "../support/authorization-server.ts";
import { startCutting } from "../support/cutting-server.ts";
import { atMost } from "../support/until.ts";

/*
 * The OAuth token kit against a real authorisation server, and against the answers that real platforms give beside the
 * standard.
 */

const KINDS: readonly AppKind[] = ["public", "basic", "post"];
const NOW = new Date("2026-11-20T10:00:00Z");

let as: AuthorizationServer;
beforeAll(async () => {
  as = await startAuthorizationServer();
});
afterEach(() => as.calm());
afterAll(() => as.stop());

const net = (fetch: Fetch = globalThis.fetch): Net => ({ fetch, now: () => NOW, signal: new AbortController().signal });
const profile = { subject: "ada", handle: "ada", url: "https://example.com/ada", home: "https://example.com" };
const sessionOf = (
  app: OAuthApp | undefined,
  { access, refresh, scopes }: Pick<Tokens, "access" | "refresh" | "scopes">,
  over = net(),
) =>
  ({
    ...over,
    profile,
    credentials: { access, ...(refresh ? { refresh } : {}), scopes },
    ...(app ? { app } : {}),
  }) satisfies Session;

/** The person has agreed; what comes back is ready to be exchanged. */
async function consented(kind: AppKind, over: Partial<OAuthServer> = {}) {
  const server = { ...as.server(kind), ...over };
  const verifier = randomBytes(32).toString("base64url");
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  const request = {
    form: {},
    app: as.apps[kind],
    redirectUri: as.redirectUri,
    state: randomBytes(8).toString("hex"),
    challenge,
  };
  const answer = await as.consent(authorizationUrl(server, request).url);
  expect(answer["state"]).toBe(request.state);
  return { server, request: { ...request, answer, code: answer["code"] ?? "", verifier } };
}

async function connected(kind: AppKind = "basic") {
  const { server, request } = await consented(kind);
  const tokens = await exchangeCode(server, request, net());
  return { server, tokens, session: sessionOf(as.apps[kind], tokens), secrets: [request.code, request.verifier] };
}

/** What it threw; it must be psn's own, and nothing secret may be in anything of it that is printed or stored. */
async function refusal(work: Promise<unknown>, secrets: readonly (string | undefined)[]): Promise<PsnError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof PsnError)) throw new Error("it did not throw an error of psn's", { cause: error });
  const shown = [
    error.message,
    String(error),
    error.stack,
    error.hint,
    JSON.stringify(error),
    JSON.stringify(error.details),
    String(error.cause),
  ];
  for (const secret of secrets.filter((each) => each !== undefined && each !== ""))
    for (const form of [secret ?? "", encodeURIComponent(secret ?? "")])
      for (const text of shown) expect(text ?? "").not.toContain(form);
  return error;
}
const secretsOf = ({ credentials, app }: Session) => [
  credentials.access,
  credentials.refresh,
  app?.secret,
  basicOf(app),
];
const basicOf = (app: OAuthApp | undefined) =>
  app?.secret
    ? Buffer.from(`${encodeURIComponent(app.id)}:${encodeURIComponent(app.secret)}`).toString("base64")
    : undefined;

describe("a real authorisation server", () => {
  test.each(KINDS)("gives tokens for a consent, renews them and forgets them (%s)", async (kind) => {
    const { server, tokens, session } = await connected(kind);
    expect(tokens.scopes).toEqual(SCOPES);
    expect(tokens.expiresAt).toEqual(new Date(NOW.getTime() + 3_600_000));
    expect(tokens.answer["token_type"]).toBe("Bearer");
    expect(await as.works(tokens.access)).toBe(true);
    const next = await exchangeRefresh(server, session);
    expect([next.access, next.refresh]).not.toContain(tokens.access);
    expect(next.refresh).not.toBe(tokens.refresh);
    expect(await as.works(next.access)).toBe(true);
    const later = sessionOf(as.apps[kind], next);
    await revokeToken(server, later, next.refresh ?? "");
    expect(await as.works(next.access)).toBe(false);
    const gone = await refusal(exchangeRefresh(server, later), secretsOf(later));
    expect(gone).toMatchObject({ code: "AUTH_REVOKED", details: { status: 400 } });
    expect(gone.message).toContain("invalid_grant");
    // What it has forgotten already is no failure.
    await revokeToken(server, later, next.refresh ?? "");
  });

  test("an app takes back its own tokens and nobody else's", async () => {
    const { server, tokens, session } = await connected();
    await revokeToken(as.server("post"), { ...session, app: as.apps.post }, tokens.access);
    expect(await as.works(tokens.access)).toBe(true);
    await revokeToken(server, session, tokens.access);
    expect(await as.works(tokens.access)).toBe(false);
  });

  test("a person who says no sends no code", async () => {
    const server = as.server("basic");
    const request = {
      form: {},
      app: as.apps.basic,
      redirectUri: as.redirectUri,
      state: "s-1",
      challenge: "c".repeat(43),
    };
    expect(await as.consent(authorizationUrl(server, request).url, { refuse: true })).toMatchObject({
      error: "access_denied",
      state: "s-1",
    });
  });

  test.each(KINDS)("refuses a wrong verifier (%s)", async (kind) => {
    const { server, request } = await consented(kind);
    const wrong = randomBytes(32).toString("base64url");
    const error = await refusal(exchangeCode(server, { ...request, verifier: wrong }, net()), [
      request.code,
      wrong,
      request.app.secret,
    ]);
    expect(error).toMatchObject({ code: "AUTH_REVOKED", details: { status: 400 } });
  });

  test("wants PKCE of an app without a secret", async () => {
    const request = { form: {}, app: as.apps.public, redirectUri: as.redirectUri, state: "s", challenge: "" };
    const answer = await as.consent(authorizationUrl({ ...as.server("public"), pkce: false }, request).url);
    expect(answer).toMatchObject({ error: "invalid_request" });
  });

  test.each(KINDS)("takes a code once, and ends what it gave for it when it comes again (%s)", async (kind) => {
    const { server, request } = await consented(kind);
    const tokens = await exchangeCode(server, request, net());
    const error = await refusal(exchangeCode(server, request, net()), [
      request.code,
      request.verifier,
      request.app.secret,
    ]);
    expect(error).toMatchObject({ code: "AUTH_REVOKED" });
    expect(await as.works(tokens.access)).toBe(false);
  });

  test("refuses a code that has expired, a wrong redirect address, and a code of another app", async () => {
    as.lives.code = 1;
    try {
      const late = await consented("basic");
      await Bun.sleep(1_100);
      expect(await refusal(exchangeCode(late.server, late.request, net()), [late.request.code])).toMatchObject({
        code: "AUTH_REVOKED",
      });
    } finally {
      as.lives.code = 60;
    }
    const { server, request } = await consented("basic");
    const elsewhere = { ...request, redirectUri: `${as.redirectUri}/elsewhere` };
    expect(await refusal(exchangeCode(server, elsewhere, net()), [request.code])).toMatchObject({
      code: "AUTH_REVOKED",
    });
    const others = await consented("basic");
    const other = exchangeCode(as.server("post"), { ...others.request, app: as.apps.post }, net());
    expect(await refusal(other, [others.request.code, as.apps.post.secret])).toMatchObject({ code: "AUTH_REVOKED" });
  });

  test.each(["basic", "post"] as const)(
    "refuses a wrong secret and an unknown app as the app's fault (%s)",
    async (kind) => {
      const { server, session } = await connected(kind);
      for (const app of [
        { ...as.apps[kind], secret: "not the secret it gave" },
        { id: "nobody", secret: "s3cret-of-nobody" },
      ]) {
        const { request } = await consented(kind);
        const [again, consent, revoking] = [
          await refusal(exchangeRefresh(server, { ...session, app }), [
            ...secretsOf(session),
            app.secret,
            basicOf(app),
          ]),
          await refusal(exchangeCode(server, { ...request, app }, net()), [
            request.code,
            request.verifier,
            app.secret,
            basicOf(app),
          ]),
          await refusal(revokeToken(server, { ...session, app }, session.credentials.access), [
            ...secretsOf(session),
            app.secret,
          ]),
        ];
        for (const error of [again, consent, revoking])
          expect(error).toMatchObject({ code: "APP_REFUSED", details: { status: 401 } });
      }
      // None of this has hurt the account.
      expect(await as.works((await exchangeRefresh(server, session)).access)).toBe(true);
    },
  );

  test("refuses a refresh token that comes twice, and the grant is dead with its newest token", async () => {
    const { server, tokens, session } = await connected();
    const next = await exchangeRefresh(server, session);
    expect(await refusal(exchangeRefresh(server, session), secretsOf(session))).toMatchObject({ code: "AUTH_REVOKED" });
    const newest = sessionOf(session.app, next);
    expect(await refusal(exchangeRefresh(server, newest), secretsOf(newest))).toMatchObject({ code: "AUTH_REVOKED" });
    expect([await as.works(tokens.access), await as.works(next.access)]).toEqual([false, false]);
  });

  test("gives three that come at once one new token, and then none", async () => {
    const { server, session } = await connected();
    const ended = await Promise.allSettled([1, 2, 3].map(() => exchangeRefresh(server, session)));
    expect(ended.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
  });

  test("says how long a token lives, and means it", async () => {
    as.lives.access = 3;
    try {
      const { tokens } = await connected();
      expect(tokens.expiresAt).toEqual(new Date(NOW.getTime() + 3000));
      expect(await as.works(tokens.access)).toBe(true);
      await Bun.sleep(3_100);
      expect(await as.works(tokens.access)).toBe(false);
    } finally {
      as.lives.access = 3600;
    }
  });

  test("that grants less than was asked for is taken at its word, and a renewal keeps that", async () => {
    const { server, request } = await consented("basic", { scopes: [...SCOPES, "everything"] });
    const tokens = await exchangeCode(server, request, net());
    expect(tokens.scopes).toEqual(SCOPES);
    const silent: Fetch = async (url, init) => {
      const { scope: _, ...rest } = (await (await fetch(url, init)).json()) as Record<string, unknown>;
      return Response.json(rest);
    };
    expect((await exchangeRefresh(server, sessionOf(request.app, tokens, net(silent)))).scopes).toEqual(SCOPES);
  });
});

describe("an answer on its way", () => {
  test.each([301, 302, 303, 307, 308])("that leads elsewhere is not followed (%i)", async (status) => {
    let reached = 0;
    const trap = await startCutting(async () => {
      reached += 1;
      return Response.json({ access_token: "from-the-trap", token_type: "Bearer" });
    });
    try {
      const { server, tokens, session } = await connected();
      const away = { status, body: "", headers: { location: `${trap.origin}/token` } };
      as.next(away);
      expect(await refusal(exchangeRefresh(server, session), secretsOf(session))).toMatchObject({
        code: "PLATFORM_DOWN",
      });
      as.next(away);
      expect(await refusal(revokeToken(server, session, tokens.access), secretsOf(session))).toMatchObject({
        code: "PLATFORM_DOWN",
      });
      const { request } = await consented("basic");
      as.next(away);
      expect(await refusal(exchangeCode(server, request, net()), [request.code, request.verifier])).toMatchObject({
        code: "PLATFORM_DOWN",
      });
      expect(reached).toBe(0);
      expect(await as.works((await exchangeRefresh(server, session)).access)).toBe(true);
    } finally {
      await trap.stop();
    }
  });

  test.each(["cut", "half"] as const)(
    "that is lost after the server acted is asked for once, and the token is spent (%s)",
    async (awkward) => {
      const { server, session } = await connected();
      const [asked, granted] = [as.asked.refresh_token, as.granted];
      as.next(awkward);
      expect(await refusal(exchangeRefresh(server, session), secretsOf(session))).toMatchObject({
        code: "PLATFORM_DOWN",
        retry: "backoff",
      });
      expect([as.asked.refresh_token - asked, as.granted - granted]).toEqual([1, 1]);
      expect(await refusal(exchangeRefresh(server, session), secretsOf(session))).toMatchObject({
        code: "AUTH_REVOKED",
      });
    },
  );

  test.each([
    ["a reset", "reset"],
    ["500", { status: 500, body: "oops" }],
    ["500 with the standard's words", { status: 500, body: '{"error":"invalid_grant"}' }],
    ["503", { status: 503, body: "" }],
    ["a gateway's 403", { status: 403, body: "<html>blocked</html>", headers: { "content-type": "text/html" } }],
    ["a gateway's 404", { status: 404, body: "<html>not here</html>" }],
    ["a page for a token", { status: 200, body: "<html>maintenance</html>" }],
    ["nothing for a token", { status: 200, body: "" }],
    ["an error of the moment inside a 200", { status: 200, body: '{"error":"temporarily_unavailable"}' }],
  ] as const)("that never reached the server is bad weather: the token still works (%s)", async (_, awkward) => {
    const { server, session } = await connected();
    as.next(awkward);
    const error = await refusal(exchangeRefresh(server, session), secretsOf(session));
    expect(["PLATFORM_DOWN", "PLATFORM_CHANGED"]).toContain(error.code);
    expect(await as.works((await exchangeRefresh(server, session)).access)).toBe(true);
  });

  test("is waited for by one who was told to stop: a token that is spent must be learnt of", async () => {
    const { server, session } = await connected();
    const stop = new AbortController();
    as.slowMs = 200;
    try {
      const under = exchangeRefresh(server, { ...session, signal: stop.signal });
      setTimeout(() => stop.abort(), 50);
      expect(await as.works((await under).access)).toBe(true);
      // Before the bytes leave, a stop holds.
      const asked = as.asked.refresh_token;
      await expect(exchangeRefresh(server, { ...session, signal: stop.signal })).rejects.toThrow();
      expect(as.asked.refresh_token).toBe(asked);
    } finally {
      as.slowMs = 0;
    }
  });

  test("never comes from a server that has stopped, and stopping waits for nobody", async () => {
    const own = await startAuthorizationServer();
    own.next("hang");
    const session = sessionOf(own.apps.basic, {
      access: "none-of-its-own",
      refresh: "none-of-its-own-either",
      scopes: [],
    });
    const hanging = refusal(exchangeRefresh(own.server("basic"), session), secretsOf(session));
    while (own.asked.refresh_token === 0) await Bun.sleep(5);
    const began = performance.now();
    await own.stop();
    expect(await hanging).toMatchObject({ code: "PLATFORM_DOWN" });
    expect(performance.now() - began).toBeLessThan(atMost(1_000));
    expect(await refusal(exchangeRefresh(own.server("basic"), session), [])).toMatchObject({
      code: "PLATFORM_UNREACHABLE",
    });
  });
});

const QUIRKY: OAuthServer = {
  authorizeUrl: "https://quirky.example/authorize?lang=en",
  tokenUrl: "https://quirky.example/token",
  revokeUrl: "https://quirky.example/revoke",
  scopes: ["read", "write"],
  appAuth: "body",
  pkce: false,
};
const APP = { id: "app-1", secret: "app/secret+of psn=1" };
const OLD = { access: "old-access/token+1234", refresh: "old-refresh/token+1234", scopes: ["read", "write"] };

/** A server that says just this; it keeps what it was sent. */
function scripted(
  body: string | ((sent: { readonly body: string; readonly authorization: string }) => string),
  init: ResponseInit = {},
) {
  const sent: { readonly url: string; readonly form: URLSearchParams; readonly headers: Headers }[] = [];
  const fetch: Fetch = async (url, request) => {
    const [text, headers] = [String(request?.body), new Headers(request?.headers)];
    sent.push({ url: String(url), form: new URLSearchParams(text), headers });
    const said =
      typeof body === "string" ? body : body({ body: text, authorization: headers.get("authorization") ?? "" });
    return new Response(said, { headers: { "content-type": "application/json" }, ...init });
  };
  return { sent, session: sessionOf(APP, OLD, net(fetch)), net: net(fetch) };
}
const renewedBy = (body: unknown, headers: Record<string, string> = {}) =>
  exchangeRefresh(QUIRKY, scripted(typeof body === "string" ? body : JSON.stringify(body), { headers }).session);
const refusedBy = (status: number, body: unknown, headers: Record<string, string> = {}) => {
  const { session } = scripted(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
  return refusal(exchangeRefresh(QUIRKY, session), secretsOf(session));
};

describe("what is sent", () => {
  const asking = { form: {}, app: APP, redirectUri: "http://127.0.0.1:1/cb", state: "st", challenge: "ch" };
  test("follows the platform's table", async () => {
    const { url } = authorizationUrl(
      { ...QUIRKY, pkce: true, idParam: "client_key", scopeSeparator: ",", extra: { access_type: "offline" } },
      asking,
    );
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({
      lang: "en",
      response_type: "code",
      client_key: "app-1",
      redirect_uri: "http://127.0.0.1:1/cb",
      scope: "read,write",
      state: "st",
      code_challenge: "ch",
      code_challenge_method: "S256",
      access_type: "offline",
    });
    const plain = new URL(authorizationUrl(QUIRKY, asking).url).searchParams;
    expect([plain.get("scope"), plain.has("code_challenge"), plain.get("client_id")]).toEqual([
      "read write",
      false,
      "app-1",
    ]);

    const { sent, net: own, session } = scripted('{"access_token":"a"}');
    await exchangeCode({ ...QUIRKY, idParam: "client_key" }, { ...asking, code: "c", verifier: "v", answer: {} }, own);
    await exchangeRefresh({ ...QUIRKY, appAuth: "basic" }, session);
    await exchangeRefresh({ ...QUIRKY, appAuth: "basic" }, { ...session, app: { id: "public" } });
    expect(sent.map(({ form }) => Object.fromEntries(form))).toEqual([
      {
        grant_type: "authorization_code",
        code: "c",
        redirect_uri: "http://127.0.0.1:1/cb",
        client_key: "app-1",
        client_secret: APP.secret,
      },
      { grant_type: "refresh_token", refresh_token: OLD.refresh },
      { grant_type: "refresh_token", refresh_token: OLD.refresh, client_id: "public" },
    ]);
    expect(sent.map(({ headers }) => headers.get("authorization"))).toEqual([null, `Basic ${basicOf(APP)}`, null]);
    expect(sent.map(({ headers }) => headers.get("accept"))).toEqual(Array(3).fill("application/json"));
  });

  test("is nothing without an app, without a refresh token, and where nothing can be revoked", async () => {
    const { sent, session } = scripted("{}");
    const { app: _, ...appless } = session;
    expect(() => authorizationUrl(QUIRKY, { form: {}, redirectUri: "", state: "", challenge: "" })).toThrow(
      expect.objectContaining({ code: "APP_MISSING" }),
    );
    expect(await refusal(exchangeRefresh(QUIRKY, appless), [])).toMatchObject({ code: "APP_MISSING" });
    const lasting = { ...session, credentials: { access: OLD.access, scopes: [] } };
    expect(await refusal(exchangeRefresh(QUIRKY, lasting), [])).toMatchObject({ code: "AUTH_REVOKED" });
    const { revokeUrl: __, ...forgetful } = QUIRKY;
    await revokeToken(forgetful, session, OLD.access);
    expect(sent).toEqual([]);
  });
});

describe("tokens in another dress", () => {
  test("no token type, seconds as text, scopes with commas, as a list, or none", async () => {
    expect(await renewedBy({ access_token: "new" })).toEqual({
      access: "new",
      scopes: OLD.scopes,
      answer: { access_token: "new" },
    });
    const inAnHour = new Date(NOW.getTime() + 3_600_000);
    expect(await renewedBy({ access_token: "new", expires_in: "3600", scope: "read,write, more" })).toMatchObject({
      expiresAt: inAnHour,
      scopes: ["read", "write", "more"],
    });
    expect((await renewedBy({ access_token: "new", scope: ["read"] })).scopes).toEqual(["read"]);
    expect((await renewedBy({ access_token: "new", scope: "" })).scopes).toEqual(OLD.scopes);
    expect((await renewedBy({ access_token: "new", scope: "read" })).scopes).toEqual(["read"]);
  });

  test("JSON that calls itself text, and an error that is none", async () => {
    const said = JSON.stringify({ access_token: "new", error: "", error_description: null });
    expect(await renewedBy(said, { "content-type": "text/plain; charset=utf-8" })).toMatchObject({ access: "new" });
    expect(await renewedBy({ access_token: "new", error: null })).toMatchObject({ access: "new" });
  });

  test.each([
    { expires_in: 0 },
    { expires_in: -1 },
    { expires_in: "never" },
    { expires_in: "" },
    { expires_in: null },
    { expires_in: 1e300 },
    { refresh_token: "" },
    { refresh_token: null },
    { refresh_token: 7 },
    { scope: 7 },
  ])("what cannot be understood beside a token does not lose it (%o)", async (beside) => {
    const tokens = await renewedBy({ access_token: "new", ...beside });
    expect(tokens).toMatchObject({ access: "new", scopes: OLD.scopes });
    expect([tokens.expiresAt, tokens.refresh]).toEqual([undefined, undefined]);
  });

  test.each([
    "",
    "null",
    "[]",
    '"token"',
    "{}",
    '{"access_token":""}',
    '{"access_token":7}',
    "access_token=new&expires=5",
  ])("no token is no token (%s)", async (body) => {
    expect(await refusedBy(200, body)).toMatchObject({ code: "PLATFORM_CHANGED", details: { status: 200 } });
  });
});

describe("refusals in another dress", () => {
  test.each([
    [
      200,
      { error: "invalid_grant", error_description: "expired" },
      "AUTH_REVOKED",
      "quirky.example refused: invalid_grant: expired",
    ],
    [200, { error: "invalid_client" }, "APP_REFUSED", "quirky.example does not accept the app: invalid_client"],
    [400, { error: "invalid_grant", access_token: "odd" }, "AUTH_REVOKED", "quirky.example refused: invalid_grant"],
    [
      400,
      { error: "unauthorized_client" },
      "APP_REFUSED",
      "quirky.example does not accept the app: unauthorized_client",
    ],
    [401, { error: "invalid_token" }, "AUTH_REVOKED", "quirky.example refused: invalid_token"],
    [422, { error: "invalid_grant" }, "AUTH_REVOKED", "quirky.example refused: invalid_grant"],
    [401, "", "APP_REFUSED", "quirky.example does not accept the app"],
    [
      400,
      { code: 283, message: "the token is not ours" },
      "AUTH_REVOKED",
      "quirky.example refused: the token is not ours",
    ],
    [400, { error: "unsupported_grant_type" }, "AUTH_REVOKED", "quirky.example refused: unsupported_grant_type"],
    [400, { error: "slow_down" }, "RATE_LIMITED", "quirky.example limits how often psn may call it: slow_down"],
    [400, { error: "server_error" }, "PLATFORM_DOWN", "quirky.example answered: server_error"],
    // The words of the standard that name the grant stay.
    [
      400,
      { error: "invalid_grant", error_description: "the refresh_token has expired" },
      "AUTH_REVOKED",
      "quirky.example refused: invalid_grant: the refresh_token has expired",
    ],
  ])("%i %o", async (status, body, code, message) => {
    const error = await refusedBy(status, body);
    expect({ code: error.code, message: error.message, details: error.details }).toEqual({
      code,
      message,
      details: { status },
    });
  });

  // https://developers.facebook.com/docs/graph-api/guides/error-handling (2026-11): the codes and what to do about
  // each.
  test.each([
    [190, "Error validating access token: The session has been invalidated", "AUTH_REVOKED"],
    [100, "This authorization code has been used.", "AUTH_REVOKED"],
    [1, "An unknown error occurred", "PLATFORM_DOWN"],
    [2, "Service temporarily unavailable", "PLATFORM_DOWN"],
    [4, "Application request limit reached", "RATE_LIMITED"],
    [17, "User request limit reached", "RATE_LIMITED"],
    // https://github.com/facebookarchive/php-graph-sdk/issues/538
    [1, "Error validating client secret.", "APP_REFUSED"],
  ])("Meta's %i: %s", async (code, message, expected) => {
    const error = await refusedBy(400, { error: { message, type: "OAuthException", code, fbtrace_id: "F0n" } });
    expect(error.code).toBe(expected);
    expect(error.message).toContain(`OAuthException: ${message}`);
  });

  test("Instagram's own", async () => {
    const said = (error_message: string) => refusedBy(400, { code: 400, error_type: "OAuthException", error_message });
    expect(await said("Invalid Client Secret")).toMatchObject({ code: "APP_REFUSED" });
    expect(await said("This authorization code has been used")).toMatchObject({ code: "AUTH_REVOKED" });
  });

  test("a pause is as long as the server says", async () => {
    const body = { error: "invalid_grant", error_description: "not now" };
    expect(await refusedBy(429, body, { "retry-after": "37" })).toMatchObject({
      code: "RATE_LIMITED",
      retryAfterMs: 37_000,
    });
    const at = new Date(NOW.getTime() + 90_000).toUTCString();
    expect(await refusedBy(429, "", { "retry-after": at })).toMatchObject({
      code: "RATE_LIMITED",
      retryAfterMs: 90_000,
    });
    expect((await refusedBy(429, "<html>")).retryAfterMs).toBeUndefined();
    expect(await refusedBy(503, "", { "retry-after": "5" })).toMatchObject({
      code: "PLATFORM_DOWN",
      retryAfterMs: 5_000,
    });
    const counting = { "x-ratelimit-reset": String(NOW.getTime() / 1000 + 900) };
    expect((await refusedBy(503, "", counting)).retryAfterMs).toBeUndefined();
    expect(await refusedBy(429, "", counting)).toMatchObject({ retryAfterMs: 900_000 });
  });

  test("revoking: an error inside a 200 is one, an unknown token is none", async () => {
    const revoke = (status: number, body: string) =>
      revokeToken(QUIRKY, scripted(body, { status }).session, OLD.access);
    for (const [status, body] of [
      [200, ""],
      [204, null],
      [200, "{}"],
      [400, '{"error":"invalid_token"}'],
      [400, '{"error":"invalid_grant"}'],
    ] as const)
      await revokeToken(
        QUIRKY,
        {
          ...sessionOf(
            APP,
            OLD,
            net(async () => new Response(body, { status })),
          ),
        },
        OLD.access,
      );
    expect(await refusal(revoke(200, '{"error":"invalid_client"}'), [])).toMatchObject({ code: "APP_REFUSED" });
    expect(await refusal(revoke(503, ""), [])).toMatchObject({ code: "PLATFORM_DOWN" });
    expect(await refusal(revoke(400, '{"error":"unsupported_token_type"}'), [])).toMatchObject({
      code: "PLATFORM_REJECTED",
    });
  });
});

describe("a server that repeats what it was sent keeps it to itself", () => {
  const shapes: Readonly<Record<string, (words: string) => string>> = {
    standard: (words) => JSON.stringify({ error: "invalid_request", error_description: words }),
    name: (words) => JSON.stringify({ error: words }),
    Meta: (words) => JSON.stringify({ error: { type: "OAuthException", message: words, code: 190 } }),
    Instagram: (words) => JSON.stringify({ error_type: "OAuthException", error_message: words }),
    message: (words) => JSON.stringify({ message: words, detail: words, title: words }),
    text: (words) => words,
  };
  const statuses = [200, 302, 400, 401, 403, 404, 408, 422, 429, 500, 503];
  const request = {
    form: {},
    app: APP,
    redirectUri: "http://127.0.0.1:1/cb",
    state: "st",
    challenge: "ch",
    code: "4/0Ab-code+of the=consent",
    verifier: "verifier~of.the-consent_0123456789012345678",
    answer: {},
  };
  const all = [request.code, request.verifier, APP.secret, basicOf(APP), OLD.access, OLD.refresh];

  test.each(Object.entries(shapes))("%s", async (_, shape) => {
    for (const status of statuses) {
      for (const appAuth of ["basic", "body"] as const) {
        const server = { ...QUIRKY, pkce: true, appAuth };
        for (const words of [
          ({ body, authorization }: { body: string; authorization: string }) => `got ${body} with ${authorization}`,
          ({ body }: { body: string }) => `got ${[...new URLSearchParams(body).values()].join(" and ")}`,
          ({ body }: { body: string }) => decodeURIComponent(body).replaceAll("&", " "),
        ]) {
          const { session, net: own } = scripted((sent) => shape(words(sent)), { status });
          await refusal(exchangeCode(server, request, own), all);
          await refusal(exchangeRefresh(server, session), all);
          if (status >= 300) await refusal(revokeToken(server, session, OLD.access), all);
        }
      }
    }
  });

  test("and its own words stay, where the secret is a short one", async () => {
    const app = { id: "app-1", secret: "s3cr3t+8" };
    const { session } = scripted(
      ({ body }) => shapes["standard"]?.(`nothing known of ${new URLSearchParams(body).get("client_secret")}`) ?? "",
    );
    const error = await refusal(exchangeRefresh(QUIRKY, { ...session, app }), [app.secret]);
    expect(error.message).toBe("quirky.example refused: invalid_request: nothing known of •••");
  });

  test("not even in part", async () => {
    const { session } = scripted(({ body }) => shapes["standard"]?.(`no such token: ${body.slice(-30, -6)}`) ?? "", {
      status: 400,
    });
    const error = await refusal(exchangeRefresh({ ...QUIRKY, appAuth: "basic" }, session), [OLD.refresh.slice(3, 17)]);
    expect(error).toMatchObject({ code: "AUTH_REVOKED", message: "quirky.example refused" });
  });
});
