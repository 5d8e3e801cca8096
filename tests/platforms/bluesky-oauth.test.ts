import type { ExchangeRequest } from "@psn/core/types/account.ts";
import type { Fetch, Net, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import type { Body } from "@psn/platforms/bluesky/compose.ts";
import bluesky from "@psn/platforms/bluesky/index.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { testPlatform, type World } from "../contract/platform.ts";
import { prepareAll } from "../support/adapter.ts";
import { isShort } from "../support/how-much.ts";
import { type Pds, type PdsAccount, startPds } from "../support/pds.ts";

/*
 * Consent in the browser at a real PDS, by the official client under Bun. The directory of identities is asked by way
 * of the PDS.
 */

const REDIRECT = "http://127.0.0.1:8976/callback";
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

let pds: Pds;
let names = 0;
beforeAll(async () => {
  pds = await startPds();
});
afterAll(() => pds?.stop());

let account: PdsAccount | undefined;
/** Every promise, by an account that connected in the browser. */
const promises = (): void =>
  testPlatform({
    vouches: "the record's key has been read after the refusal",
    platform: bluesky,
    world: async (): Promise<World> => {
      const subject = account ?? (await pds.createAccount("contract.test"));
      account = subject;
      await pds.clear(subject);
      return {
        form: { identifier: subject.handle, server: pds.url },
        consent: (url) => pds.consent(subject, url),
        fetch: network().net.fetch,
        live: async () => (await textsOf(subject)).length,
        now: () => new Date(),
      };
    },
    perAttempt: ["dpop"],
    skip: {
      golden: "every request is signed anew, with a key of the moment",
      "answer.refreshing":
        "a look-up precedes the exchange, and its 401 is no refusal; the tests below tell the two apart",
    },
  });
if (!isShort) promises();

interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

/** The PDS, and the directory where a real one would be; nothing else can be reached. */
function network(): { readonly net: Net; readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch: Fetch = async (input, init) => {
    const { origin, pathname } = new URL(input);
    sent.push({ method: init?.method ?? "GET", url: String(input), headers: new Headers(init?.headers) });
    if (origin === "https://plc.directory") return pds.directory(decodeURIComponent(pathname.slice(1)));
    if (origin !== pds.url) throw Object.assign(new Error("Unable to connect"), { code: "ConnectionRefused" });
    return globalThis.fetch(input, init);
  };
  return { net: { fetch, now: () => new Date(), signal: new AbortController().signal }, sent };
}

const newAccount = () => pds.createAccount(`ada-${++names}.test`);

/** All up to the browser's answer. */
async function consented(
  account: PdsAccount,
  { net }: ReturnType<typeof network>,
  by: PdsAccount = account,
): Promise<ExchangeRequest> {
  const form = { identifier: account.handle, server: pds.url };
  const request = { form, redirectUri: REDIRECT, state: "psn's own", challenge: "not used" };
  const { url, state, keep } = await bluesky.authorize(request, net);
  const answer = await pds.consent(by, url);
  expect(answer["state"]).toBe(state);
  expect(url).not.toContain(state);
  return {
    ...request,
    state: state ?? "",
    verifier: "not used",
    answer,
    code: answer["code"] ?? "",
    ...(keep === undefined ? {} : { keep }),
  };
}

async function connected(): Promise<Session & { readonly account: PdsAccount; readonly sent: Sent[] }> {
  const account = await newAccount();
  const world = network();
  const connection = await bluesky.exchange(await consented(account, world), world.net);
  world.sent.length = 0;
  return { ...world.net, ...connection, account, sent: world.sent };
}

const picture: Media = {
  id: "m1",
  kind: "image",
  mime: "image/png",
  bytes: PIXEL.length,
  alt: "A pixel",
  open: async () => new Blob([PIXEL]),
};

async function requestFor(text: string, session: Session, media: readonly Media[] = []): Promise<PublishRequest<Body>> {
  const composed = bluesky.compose({ id: "p", parts: [{ text, media }] }, bluesky.capabilities);
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  const unit = composed.units[0];
  const request = { unit, prepared: null, media, key: crypto.randomUUID(), at: new Date() };
  return unit.prepare ? { ...request, prepared: await prepareAll(bluesky, request, session) } : request;
}

async function post(text: string, session: Session, media: readonly Media[] = []): Promise<Ref> {
  const outcome = await bluesky.publish(await requestFor(text, session, media), session);
  if (outcome.status !== "published") throw new Error(outcome.status);
  return outcome.ref;
}

async function textsOf({ did }: PdsAccount): Promise<string[]> {
  const answer = await fetch(
    `${pds.url}/xrpc/com.atproto.repo.listRecords?repo=${did}&collection=app.bsky.feed.post&reverse=true`,
  );
  const Records = z.object({ records: z.array(z.object({ value: z.object({ text: z.string() }) })) });
  return Records.parse(await answer.json()).records.map(({ value }) => value.text);
}

describe("consent in the browser", () => {
  test("names the account as the app password does, posts with a picture, finds it and takes it back", async () => {
    const session = await connected();
    const byPassword = await bluesky.connect(
      { identifier: session.account.handle, password: session.account.password, server: pds.url },
      session,
    );
    expect(session.profile).toEqual(byPassword.profile);
    expect(session.credentials.scopes).toEqual(["atproto", "transition:generic"]);
    expect(session.credentials.expiresAt?.getTime()).toBeGreaterThan(Date.now());
    expect(await bluesky.identify(session)).toEqual(session.profile);
    const request = await requestFor("in the browser", session, [picture]);
    const outcome = await bluesky.publish(request, session);
    expect(await textsOf(session.account)).toEqual(["in the browser"]);
    expect(await bluesky.publish(request, session)).toEqual(outcome);
    const ref = await bluesky.lookup(request, session, new Set());
    expect(outcome).toEqual({ status: "published", ref });
    if (!ref) throw new Error("it must be found");
    await bluesky.remove(ref, session);
    expect(await textsOf(session.account)).toEqual([]);
  });

  test("a post is one request, signed for it alone, and asks nobody else", async () => {
    const session = await connected();
    await post("first", session);
    session.sent.length = 0;
    await post("second", session);
    await post("third", session);
    expect(session.sent.map(({ method, url }) => `${method} ${new URL(url).pathname}`)).toEqual([
      "POST /xrpc/com.atproto.repo.putRecord",
      "POST /xrpc/com.atproto.repo.putRecord",
    ]);
    const proofs = session.sent.map(({ headers }) => headers.get("dpop"));
    expect(new Set(proofs).size).toBe(2);
    for (const { headers } of session.sent)
      expect(headers.get("authorization")).toBe(`DPoP ${session.credentials.access}`);
  });
});

const withTokens = (session: Session, tokens: Partial<Session["credentials"]>): Session => ({
  ...session,
  credentials: { ...session.credentials, ...tokens },
});
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "no failure",
    (error: unknown) => error,
  );

describe("tokens", () => {
  test("an expired one is AUTH_EXPIRED and is not exchanged behind psn's back; a new one posts", async () => {
    const session = await connected();
    const stale = withTokens(session, { access: pds.expire(session.credentials.access) });
    expect(await failure(post("too early", stale))).toMatchObject({ code: "AUTH_EXPIRED" });
    expect(await failure(bluesky.identify(stale))).toMatchObject({ code: "AUTH_EXPIRED" });
    expect(session.sent.filter(({ url }) => url.includes("/oauth/token"))).toEqual([]);
    const fresh = await bluesky.refresh(stale);
    expect(fresh.access).not.toBe(session.credentials.access);
    expect(fresh.refresh).not.toBe(session.credentials.refresh);
    expect(fresh.expiresAt?.getTime()).toBeGreaterThan(Date.now());
    // Twice: what came of the first exchange must lead to the second.
    const fresher = await bluesky.refresh(withTokens(session, fresh));
    await post("renewed", withTokens(session, fresher));
    expect(await textsOf(session.account)).toEqual(["renewed"]);
  });

  test("a refresh token that is used twice ends the session, and only its owner can help", async () => {
    const session = await connected();
    const fresh = await bluesky.refresh(session);
    for (const tokens of [session.credentials, fresh, { refresh: "ref-garbage" }]) {
      const error = await failure(bluesky.refresh(withTokens(session, tokens)));
      expect(error).toMatchObject({ code: "AUTH_REVOKED", hint: "psn connect bluesky --oauth" });
      expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(tokens.refresh);
    }
  });

  test.each([
    ["down", async () => new Response("", { status: 503 }), "PLATFORM_DOWN"],
    [
      "silent",
      async () => Promise.reject(new DOMException("The operation timed out.", "TimeoutError")),
      "PLATFORM_DOWN",
    ],
    [
      "away",
      async () => Promise.reject(Object.assign(new Error("no"), { code: "ConnectionRefused" })),
      "PLATFORM_UNREACHABLE",
    ],
    [
      "busy",
      async () => Response.json({ error: "slow_down" }, { status: 429, headers: { "retry-after": "37" } }),
      "RATE_LIMITED",
    ],
  ] as const)("bad weather is no refusal: the server is %s", async (_, answer, code) => {
    const session = await connected();
    const error = await failure(bluesky.refresh({ ...session, fetch: answer }));
    expect(error).toMatchObject({ code, ...(code === "RATE_LIMITED" ? { retryAfterMs: 37_000 } : {}) });
    expect(await failure(bluesky.revoke({ ...session, fetch: answer }))).toMatchObject({ code });
    await bluesky.identify(withTokens(session, await bluesky.refresh(session)));
  });

  test.each([403, 404])("a page with %i in place of a token is no refusal either", async (status) => {
    const session = await connected();
    const page = { ...session, fetch: async () => new Response("<h1>No</h1>", { status }) };
    expect(await failure(bluesky.refresh(page))).toMatchObject({ code: "PLATFORM_DOWN" });
  });

  test("new tokens are kept when all that follows them fails", async () => {
    const session = await connected();
    let exchanged = false;
    const fetch: Fetch = async (input, init) => {
      if (exchanged) return new Response("", { status: 503 });
      const answer = await session.fetch(input, init);
      exchanged = String(input).endsWith("/oauth/token") && answer.ok;
      return answer;
    };
    const fresh = await bluesky.refresh({ ...session, fetch });
    expect(exchanged).toBe(true);
    await bluesky.identify(withTokens(session, fresh));
  });
});

test("tokens go only to the server at which the consent was given, whatever it says of itself later", async () => {
  const session = await connected();
  const fetch: Fetch = async (input, init) => {
    const answer = await session.fetch(input, init);
    if (!String(input).includes("/.well-known/oauth-authorization-server")) return answer;
    const told = z.record(z.string(), z.unknown()).parse(await answer.json());
    return Response.json({
      ...told,
      token_endpoint: "https://evil.example/token",
      revocation_endpoint: "https://evil.example/revoke",
    });
  };
  const moved = { ...session, fetch };
  expect(await failure(bluesky.refresh(moved))).toMatchObject({
    code: "AUTH_REVOKED",
    hint: "psn connect bluesky --oauth",
  });
  expect(await failure(bluesky.revoke(moved))).toMatchObject({ code: "AUTH_REVOKED" });
  expect(session.sent.filter(({ url }) => url.includes("evil.example"))).toEqual([]);
  await bluesky.identify(withTokens(session, await bluesky.refresh(session)));
});

describe("taking access back", () => {
  test("ends a session that began in the browser, twice if asked", async () => {
    const session = await connected();
    await bluesky.revoke(session);
    expect(await failure(bluesky.refresh(session))).toMatchObject({ code: "AUTH_REVOKED" });
    await bluesky.revoke(session);
    expect(await textsOf(session.account)).toEqual([]);
  });

  test("is no success where the server was in trouble and the client does not say so", async () => {
    const session = await connected();
    const fetch: Fetch = (input, init) =>
      String(input).endsWith("/oauth/revoke")
        ? Promise.resolve(new Response("", { status: 502 }))
        : session.fetch(input, init);
    expect(await failure(bluesky.revoke({ ...session, fetch }))).toMatchObject({ code: "PLATFORM_DOWN" });
    await bluesky.identify(withTokens(session, await bluesky.refresh(session)));
  });

  test("ends a session that began with an app password, twice if asked, and leaves the password", async () => {
    const account = await newAccount();
    const { net } = network();
    const form = { identifier: account.handle, password: account.password, server: pds.url };
    const session = { ...net, ...(await bluesky.connect(form, net)) };
    const { secret: _, ...without } = session.credentials;
    await bluesky.revoke(session);
    expect(await failure(bluesky.refresh({ ...session, credentials: without }))).toMatchObject({
      code: "AUTH_REVOKED",
    });
    await bluesky.revoke(session);
    await bluesky.connect(form, net);
  });
});

describe("a consent that", () => {
  test("is refused comes back as a no", async () => {
    const account = await newAccount();
    const { net } = network();
    const request = {
      form: { identifier: account.handle, server: pds.url },
      redirectUri: REDIRECT,
      state: "s",
      challenge: "c",
    };
    const { url, state } = await bluesky.authorize(request, net);
    expect(await pds.consent(account, url, "reject")).toMatchObject({ error: "access_denied", state });
  });

  test("names another server, another state or another code is not believed", async () => {
    const account = await newAccount();
    const world = network();
    for (const wrong of [{ iss: "https://evil.example" }, { iss: "" }, { code: "cod-guessed" }]) {
      const request = await consented(account, world);
      const error = await failure(bluesky.exchange({ ...request, answer: { ...request.answer, ...wrong } }, world.net));
      expect(error).toMatchObject({ code: "AUTH_REVOKED" });
      expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(request.code);
    }
    expect(
      await failure(bluesky.exchange({ ...(await consented(account, world)), keep: null }, world.net)),
    ).toMatchObject({ code: "BUG" });
  });

  test("another account gave is not taken, and is given back", async () => {
    const [account, other] = [await newAccount(), await newAccount()];
    const world = network();
    const request = {
      form: { identifier: account.handle, server: pds.url },
      redirectUri: REDIRECT,
      state: "s",
      challenge: "c",
    };
    const { url, state = "", keep = null } = await bluesky.authorize(request, world.net);
    // A server should not let it come to this; what if it does?
    const elsewhere = await bluesky.authorize(
      { ...request, form: { identifier: other.handle, server: pds.url } },
      world.net,
    );
    const answer = await pds.consent(other, elsewhere.url);
    const swapped = { ...request, state, verifier: "v", code: answer["code"] ?? "", answer };
    const Kept = z.object({ state: z.string(), saved: z.string(), did: z.string() });
    const mixed = { ...Kept.parse(elsewhere.keep), did: Kept.parse(keep).did };
    expect(url).not.toBe(elsewhere.url);
    expect(await failure(bluesky.exchange({ ...swapped, keep: mixed }, world.net))).toMatchObject({
      code: "AUTH_REVOKED",
      message: expect.stringContaining("a different account"),
    });
    expect(world.sent.at(-1)?.url).toBe(`${pds.url}/oauth/revoke`);
    // The answer to one question is not the answer to another.
    expect(await failure(bluesky.exchange({ ...swapped, keep }, world.net))).toMatchObject({ code: "AUTH_REVOKED" });
  });

  test("works once", async () => {
    const account = await newAccount();
    const world = network();
    const request = await consented(account, world);
    await bluesky.exchange(request, world.net);
    expect(await failure(bluesky.exchange(request, world.net))).toMatchObject({ code: "AUTH_REVOKED" });
  });
});

describe("asking for consent", () => {
  const ask = (form: Record<string, string>, more: Partial<ExchangeRequest & Net> = {}) => {
    const { redirectUri = REDIRECT, fetch = network().net.fetch } = more;
    return failure(bluesky.authorize({ form, redirectUri, state: "s", challenge: "c" }, { ...network().net, fetch }));
  };

  test("says what is wrong with what was entered", async () => {
    const account = await newAccount();
    const form = { identifier: account.handle, server: pds.url };
    expect(await ask({ ...form, identifier: " " })).toMatchObject({ code: "INPUT_REQUIRED" });
    expect(await ask({ ...form, identifier: "ada@example.com" })).toMatchObject({
      code: "INPUT_INVALID",
      hint: "--identifier ada.bsky.social",
    });
    expect(await ask({ ...form, identifier: "nobody.test" })).toMatchObject({
      code: "INPUT_INVALID",
      message: expect.stringContaining("nobody.test"),
    });
    expect(await ask({ ...form, server: "http://bsky.social" })).toMatchObject({ code: "INPUT_INVALID" });
    expect(await ask(form, { redirectUri: "https://example.com/psn" })).toMatchObject({
      code: "INPUT_INVALID",
      hint: "leave --redirect out",
    });
    const { did } = account;
    expect(await ask({ ...form, identifier: `@${account.handle}` })).toBe("no failure");
    expect(await ask({ ...form, identifier: did })).toBe("no failure");
  });

  test.each([
    ["down", async () => new Response("", { status: 502 }), "PLATFORM_DOWN"],
    ["away", async () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" })), "PLATFORM_UNREACHABLE"],
    ["none of Bluesky's network", async () => new Response("<html>"), "INPUT_INVALID"],
  ] as const)("a server that is %s", async (_, fetch, code) => {
    expect(await ask({ identifier: "ada.test", server: "https://pds.example" }, { fetch })).toMatchObject({ code });
  });
});
