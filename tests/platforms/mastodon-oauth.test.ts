import { createHash } from "node:crypto";
import type { Connection, ExchangeRequest } from "@psn/core/types/account.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import mastodon from "@psn/platforms/mastodon/index.ts";
import { afterEach, describe, expect, test } from "vitest";
import { testPlatform, type World } from "../contract/platform.ts";
import { type MastodonFake, type Switches, startMastodon } from "../support/mastodon.ts";
import { snacProgram, startSnac } from "../support/snac.ts";

const REDIRECT = "http://127.0.0.1:8976/callback";
const VERIFIER = "a-verifier-of-more-than-forty-three-characters";
const STATE = "a-state-nobody-guesses";
const HOME = "https://mastodon.example";

// Every promise, by an account that connected in the browser. The requests are those of a token, which has its golden
// file.
testPlatform({
  vouches: "the author's own statuses have been searched after the refusal",
  platform: mastodon,
  world: async (): Promise<World> => {
    const fake = await startMastodon({ processing: 1, requests: 10_000 });
    return {
      form: { server: HOME },
      consent: (url) => fake.consent(url.replace(HOME, fake.origin)),
      fetch: (input, init) => fetch(String(input).replace(HOME, fake.origin), init),
      live: () => fake.statuses.length,
      close: fake.stop,
    };
  },
  skip: { golden: "the requests are the same as with a token" },
});

const started: MastodonFake[] = [];
afterEach(async () => {
  for (const fake of started.splice(0)) await fake.stop();
});

async function start(switches: Partial<Switches> = {}): Promise<MastodonFake> {
  const fake = await startMastodon(switches);
  started.push(fake);
  return fake;
}

const net: Net = { fetch: globalThis.fetch, now: () => new Date(), signal: new AbortController().signal };
type Consent = (url: string) => Promise<Readonly<Record<string, string>>>;

/** All up to the browser's answer. */
async function consented(server: string, consent: Consent): Promise<ExchangeRequest> {
  const challenge = createHash("sha256").update(VERIFIER).digest("base64url");
  const request = { form: { server }, redirectUri: REDIRECT, state: STATE, challenge };
  const { url, keep } = await mastodon.authorize(request, net);
  const answer = await consent(url);
  return {
    ...request,
    verifier: VERIFIER,
    answer,
    code: answer["code"] ?? "",
    ...(keep === undefined ? {} : { keep }),
  };
}

const sessionOf = (connection: Connection): Session => ({ ...net, ...connection });

async function post(session: Session, text: string): Promise<string> {
  const composed = mastodon.compose(
    { id: "p", parts: [{ text, media: [] }] },
    { ...mastodon.capabilities, ...session.profile.limits },
  );
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  const request = { unit: composed.units[0], prepared: null, media: [], key: crypto.randomUUID(), at: new Date() };
  const outcome = await mastodon.publish(request, session);
  if (outcome.status !== "published") throw new Error("Mastodon publishes at once");
  return outcome.ref.id;
}

describe("connecting in the browser", () => {
  test.each([true, false])(
    "registers psn, posts, and takes the token back; the server knows PKCE: %s",
    async (pkce) => {
      const fake = await start({ pkce });
      const request = await consented(fake.origin, fake.consent);
      expect(request.answer["state"]).toBe(STATE);
      expect(fake.oauth.clients).toMatchObject([
        { redirects: [REDIRECT], scopes: ["read:accounts", "read:statuses", "write:statuses", "write:media"] },
      ]);
      const connection = await mastodon.exchange(request, net);
      const byToken = await mastodon.connect({ server: fake.origin, token: fake.token }, net);
      expect(connection.profile).toEqual(byToken.profile);
      expect(connection.credentials).toEqual({
        access: fake.oauth.tokens[0],
        secret: JSON.stringify({ id: fake.oauth.clients[0]?.id, secret: fake.oauth.clients[0]?.secret }),
        scopes: ["read:accounts", "read:statuses", "write:statuses", "write:media"],
      });
      const session = sessionOf(connection);
      await post(session, "by consent");
      expect(fake.statuses.map(({ text }) => text)).toEqual(["by consent"]);
      await mastodon.revoke(session);
      expect(fake.oauth.tokens).toEqual([]);
      await mastodon.revoke(session);
      await expect(post(session, "too late")).rejects.toMatchObject({ code: "AUTH_EXPIRED" });
    },
  );

  test("a code works once, for who asked for it, at the address it was asked for", async () => {
    const fake = await start();
    const request = await consented(fake.origin, fake.consent);
    const other = await consented(fake.origin, fake.consent);
    for (const wrong of [
      { ...request, verifier: "another verifier, which nobody asked with" },
      { ...(await consented(fake.origin, fake.consent)), redirectUri: "http://127.0.0.1:9/callback" },
      { ...(await consented(fake.origin, fake.consent)), keep: other.keep ?? null },
      { ...request, code: "guessed" },
      { ...request, code: "" },
    ])
      await expect(mastodon.exchange(wrong, net)).rejects.toMatchObject({ code: "AUTH_REVOKED" });
    await mastodon.exchange(other, net);
    const error: unknown = await mastodon.exchange(other, net).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "AUTH_REVOKED" });
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(other.code);
  });

  test("a no comes back as a no, and a consent to too little is named", async () => {
    const fake = await start({ grants: ["read:accounts", "write:statuses"] });
    const denied = await consented(fake.origin, (url) => fake.consent(url, "deny"));
    expect(denied.answer).toEqual({ error: "access_denied", state: STATE });
    const request = await consented(fake.origin, fake.consent);
    await expect(mastodon.exchange(request, net)).rejects.toMatchObject({
      code: "AUTH_SCOPE",
      message: "the consent does not include read:statuses, write:media",
    });
  });

  test("a client that the server has forgotten is told apart from a bad code", async () => {
    const fake = await start();
    const request = await consented(fake.origin, fake.consent);
    await expect(mastodon.exchange({ ...request, keep: { id: "gone", secret: "gone" } }, net)).rejects.toMatchObject({
      code: "APP_REFUSED",
    });
  });
});

describe("a server that", () => {
  const authorize = (server: string, fetch = net.fetch) =>
    mastodon.authorize({ form: { server }, redirectUri: REDIRECT, state: STATE, challenge: "c" }, { ...net, fetch });

  test("registers nobody points to the token", async () => {
    const fake = await start({ registers: false });
    await expect(authorize(fake.origin)).rejects.toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining("--token-stdin"),
    });
  });

  test.each([
    ["is none of Mastodon's kind", () => new Response("<h1>404</h1>", { status: 404 }), "INPUT_INVALID"],
    [
      "lives elsewhere",
      () => new Response(null, { status: 301, headers: { location: "https://social.example/" } }),
      "INPUT_INVALID",
    ],
    ["is down", () => new Response("", { status: 502 }), "PLATFORM_DOWN"],
    ["wants a pause", () => Response.json({ error: "Too many requests" }, { status: 429 }), "RATE_LIMITED"],
    ["answers a page", () => new Response("<html>"), "PLATFORM_CHANGED"],
  ])("%s", async (_, answer, code) => {
    await expect(authorize("social.example", async () => answer())).rejects.toMatchObject({ code });
  });

  test("is not named", async () => {
    await expect(authorize(" ")).rejects.toMatchObject({ code: "INPUT_INVALID" });
    await expect(authorize("http://social.example")).rejects.toMatchObject({ code: "INPUT_INVALID" });
  });
});

test("a token that was entered is not taken back by psn, and is told so", async () => {
  const fake = await start();
  const session = sessionOf(await mastodon.connect({ server: fake.origin, token: fake.token }, net));
  await expect(mastodon.revoke(session)).rejects.toMatchObject({
    code: "PLATFORM_REJECTED",
    hint: expect.stringContaining("/settings/applications"),
  });
  await post(session, "still connected");
});

test("snac2, a real server: connects in the browser, posts, and takes the token back", async (context) => {
  const program = await snacProgram();
  if ("missing" in program) return context.skip(`needs snac2: ${program.missing}`);
  const snac = await startSnac(program.path);
  try {
    const request = await consented(snac.origin, snac.consent);
    expect(request.answer["state"]).toBe(STATE);
    const session = sessionOf(await mastodon.exchange(request, net));
    expect(session.profile).toMatchObject({ handle: `alice@${new URL(snac.origin).host}`, home: snac.origin });
    expect(await mastodon.identify(session)).toEqual(session.profile);
    expect(await post(session, "hello from a browser")).not.toBe("");
    await mastodon.revoke(session);
    await expect(mastodon.identify(session)).rejects.toMatchObject({
      code: expect.stringMatching(/^(AUTH_EXPIRED|PLATFORM_REJECTED)$/),
    });
    await mastodon.revoke(session);
  } finally {
    await snac.stop();
  }
});
