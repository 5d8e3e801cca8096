import { PsnError } from "@psn/core/errors.ts";
import type { Fetch, Net, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media, Post } from "@psn/core/types/post.ts";
import { failedAgain } from "@psn/domain/delivery.ts";
import { VERSION } from "@psn/platforms/linkedin/api.ts";
import type { Body } from "@psn/platforms/linkedin/compose.ts";
import linkedin from "@psn/platforms/linkedin/index.ts";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { adapter, failure, post, prepareAll, text } from "../support/adapter.ts";
import { readLittle } from "../support/linkedin/little.ts";
import {
  addressOf,
  FAULTS_AFTER,
  type LinkedInFake,
  MEMBER,
  type Switches,
  startLinkedIn,
} from "../support/linkedin.ts";
import { atMost } from "../support/until.ts";

const { requestsOf, only, publish } = adapter(linkedin);

const started: LinkedInFake[] = [];
afterEach(async () => {
  for (const fake of started.splice(0)) await fake.stop();
});

const REDIRECT = "http://127.0.0.1:8910/callback";
const SUBJECT = `urn:li:person:${MEMBER.sub}`;
const DAY_MS = 24 * 3_600_000;
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

type App = { readonly id: string; readonly secret: string };

/** `page`: what answers for everybody else's addresses. */
async function start(switches: Partial<Switches> = {}, page?: (url: URL) => Response) {
  const fake = await startLinkedIn(switches);
  started.push(fake);
  const fetch: Fetch = async (input, init) => {
    const address = addressOf(fake, input);
    if (address !== undefined) return globalThis.fetch(address, init);
    if (page && !new Headers(init?.headers).has("authorization")) return page(new URL(input));
    throw Object.assign(new Error("Unable to connect"), { code: "ConnectionRefused" });
  };
  const net: Net = { fetch, now: () => new Date(), signal: new AbortController().signal };
  return { fake, net, app: { id: fake.app.id, secret: fake.app.secret } };
}

async function open(switches: Partial<Switches> = {}, page?: (url: URL) => Response) {
  const { fake, net, app } = await start(switches, page);
  const session: Session = { ...net, app, ...(await connect(fake, net, app)) };
  return { fake, session };
}

async function connect(fake: LinkedInFake, net: Net, app: App, redirectUri = REDIRECT) {
  const request = { form: {}, app, redirectUri: REDIRECT, state: "a-state", challenge: "of-no-use-here" };
  const { url } = await linkedin.authorize(request, net);
  const answer = await fake.consent(url);
  return linkedin.exchange(
    { ...request, redirectUri, verifier: "of-no-use-here", code: answer["code"] ?? "", answer },
    net,
  );
}

const image = (id: string, alt?: string): Media => ({
  id,
  kind: "image",
  mime: "image/png",
  bytes: PIXEL.length,
  ...(alt ? { alt } : {}),
  open: async () => new Blob([PIXEL], { type: "image/png" }),
});
const pdf = (id: string): Media => ({
  ...image(id),
  kind: "document",
  mime: "application/pdf",
  open: async () => new Blob(["%PDF-1.4"], { type: "application/pdf" }),
});

async function ready(value: Post | string, session: Session): Promise<PublishRequest<Body>> {
  const request = only(value);
  return request.unit.prepare ? { ...request, prepared: await prepareAll(linkedin, request, session) } : request;
}

async function publishAll(value: Post, session: Session): Promise<Ref[]> {
  const refs: Ref[] = [];
  for (const request of requestsOf(value)) {
    const [root, parent] = [refs[0], refs.at(-1)];
    const prepared = request.unit.prepare ? await prepareAll(linkedin, request, session) : null;
    refs.push(await publish({ ...request, prepared, ...(root && parent ? { root, parent } : {}) }, session));
  }
  return refs;
}

describe("connecting", () => {
  test("who it is, what was granted, for how long", async () => {
    const { fake, session } = await open();
    expect(session.profile).toEqual({
      subject: SUBJECT,
      handle: MEMBER.name,
      url: "https://www.linkedin.com/",
      home: "https://www.linkedin.com",
    });
    expect(session.credentials).toEqual({
      access: expect.any(String),
      expiresAt: expect.any(Date),
      scopes: ["openid", "profile", "w_member_social"],
    });
    const lives = (session.credentials.expiresAt?.getTime() ?? 0) - Date.now();
    expect(Math.abs(lives - 60 * DAY_MS)).toBeLessThan(10_000);
    expect(await linkedin.identify(session)).toEqual(session.profile);
    expect(fake.posts).toEqual([]);
  });

  test("no consent, a product that is missing, another redirect, a wrong secret, no app", async () => {
    const { fake, net, app } = await start();
    fake.switches.grants = null;
    expect(await failure(connect(fake, net, app))).toMatchObject({ code: "AUTH_REVOKED" });
    fake.switches.grants = ["openid", "profile"];
    expect(await failure(connect(fake, net, app))).toMatchObject({
      code: "AUTH_SCOPE",
      message: "the consent does not include w_member_social",
    });
    fake.switches.grants = "all";
    fake.switches.scopes = ["openid", "profile"];
    expect(await failure(connect(fake, net, app))).toMatchObject({ code: "AUTH_REVOKED" });
    fake.switches.scopes = ["openid", "profile", "w_member_social"];
    expect(await failure(connect(fake, net, app, "http://127.0.0.1:1/"))).toMatchObject({ code: "AUTH_REVOKED" });
    const error = await failure(connect(fake, net, { ...app, secret: "not-the-secret" }));
    expect(error).toMatchObject({ code: "APP_REFUSED" });
    expect(JSON.stringify(error)).not.toContain("not-the-secret");
    const bare = { form: {}, redirectUri: REDIRECT, state: "s", challenge: "c" };
    await expect(linkedin.authorize(bare, net)).rejects.toMatchObject({ code: "APP_MISSING" });
  });

  test("without a refresh token, which is the rule, only the person can help, and nothing is asked", async () => {
    const { fake, session } = await open();
    const asked = fake.requests.length;
    expect(await failure(linkedin.refresh(session))).toMatchObject({
      code: "AUTH_REVOKED",
      message: expect.stringContaining("60 days"),
    });
    expect(fake.requests).toHaveLength(asked);
  });

  test("a partner's app is given one, which stays the same until its year is over", async () => {
    const { fake, session } = await open({ renews: true });
    fake.switches.clockAheadMs = 59 * DAY_MS;
    const credentials = await linkedin.refresh(session);
    expect(credentials.access).not.toBe(session.credentials.access);
    expect(credentials.refresh).toBe(session.credentials.refresh);
    await publish(only("x"), { ...session, credentials });
    // Nor is it lost where the answer does not repeat it.
    const silent: Fetch = async (input, init) => {
      const answer = Object(await (await session.fetch(input, init)).json());
      return Response.json({ access_token: answer.access_token, expires_in: answer.expires_in });
    };
    expect((await linkedin.refresh({ ...session, fetch: silent })).refresh).toBe(session.credentials.refresh);
    fake.switches.clockAheadMs = 366 * DAY_MS;
    expect(await failure(linkedin.refresh({ ...session, credentials }))).toMatchObject({ code: "AUTH_REVOKED" });
  });

  test("a token that has expired, one that was taken back, and one that may not", async () => {
    const { fake, session } = await open();
    fake.switches.clockAheadMs = 61 * DAY_MS;
    expect(await failure(publish(only("x"), session))).toMatchObject({ code: "AUTH_EXPIRED", retry: "refresh" });
    fake.switches.clockAheadMs = 0;
    fake.refusals.push(
      Response.json({ status: 403, code: "ACCESS_DENIED", message: "Not enough permissions" }, { status: 403 }),
    );
    expect(await failure(publish(only("x"), session))).toMatchObject({ code: "AUTH_SCOPE" });
    fake.forget();
    expect(await failure(publish(only("x"), session))).toMatchObject({ code: "AUTH_REVOKED", retry: "never" });
    expect(fake.posts).toEqual([]);
  });

  test("disconnecting takes both tokens back, twice if asked", async () => {
    const { fake, session } = await open({ renews: true });
    expect(fake.tokens()).toEqual({ access: 1, refresh: 1 });
    await linkedin.revoke(session);
    expect(fake.tokens()).toEqual({ access: 0, refresh: 0 });
    await linkedin.revoke(session);
    await expect(linkedin.identify(session)).rejects.toMatchObject({ code: "AUTH_REVOKED" });
  });
});

describe("publishing", () => {
  test("what is typed is what is read, with its mentions and hashtags", async () => {
    const { fake, session } = await open();
    const typed =
      "(a) [b] {c} <d> e_f *g* ~h~ \\ | i@j.example #1 C# #Zwölf_12 https://k.example/l_(m)#n — @[Ada " +
      "(L.)](urn:li:person:a-B_1), @[Acme](urn:li:organization:9)!";
    const request = await ready(typed, session);
    await publish(request, session);
    const read = typed
      .replace("@[Ada (L.)](urn:li:person:a-B_1)", "Ada (L.)")
      .replace("@[Acme](urn:li:organization:9)", "Acme");
    expect(fake.posts[0]).toMatchObject({
      text: read,
      hashtags: ["Zwölf_12"],
      mentions: ["urn:li:person:a-B_1", "urn:li:organization:9"],
      visibility: "PUBLIC",
    });
    expect(request.unit.text).toBe(read);
  });

  test("by LinkedIn's grammar a reader sees what was typed, whatever it was", () => {
    const piece = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 20 }),
      fc.constantFrom(
        "#tag",
        "#a_b",
        "(",
        "]",
        "\\",
        "{hashtag|",
        "https://a.example/b_(c)#d",
        "@[Ada B](urn:li:person:x-_1)",
        "\uFDD1",
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), (pieces) => {
        const composed = linkedin.compose(post(text(pieces.join(""))), linkedin.capabilities);
        if (!composed.ok) return;
        const [{ body, text: shown, length }] = composed.units;
        expect(readLittle(body.kind === "post" ? body.commentary : "").text).toBe(shown);
        expect(length).toBe(shown.length);
      }),
      { numRuns: 500 },
    );
  });

  test("one image, several, a document, for connections only", async () => {
    const { fake, session } = await open();
    const one = await publish(await ready(post(text("one", [image("a", "first")])), session), session);
    const two = await publish(await ready(post(text("", [image("a"), image("b", "second")])), session), session);
    const value: Post = { ...post(text("read", [pdf("d")])), title: "Annual (report)", visibility: "followers" };
    const three = await publish(await ready(value, session), session);
    expect(fake.posts.map(({ urn }) => urn)).toEqual([one.id, two.id, three.id]);
    expect(
      fake.posts.map(({ visibility, media }) => [visibility, media.map(({ altText, title }) => [altText, title])]),
    ).toEqual([
      ["PUBLIC", [["first", null]]],
      [
        "PUBLIC",
        [
          [null, null],
          ["second", null],
        ],
      ],
      ["CONNECTIONS", [[null, "Annual (report)"]]],
    ]);
    expect([...fake.media.values()].map(({ kind, mime, bytes }) => [kind, mime, bytes])).toContainEqual([
      "document",
      "application/pdf",
      8,
    ]);
    expect(three.url).toBe(`https://www.linkedin.com/feed/update/${three.id}/`);
    expect(three.id).toMatch(/^urn:li:ugcPost:\d+$/);
  });

  test("it waits for what LinkedIn works on, gives up what LinkedIn cannot use, a stop ends the wait", async () => {
    const { fake, session } = await open({ processing: 2 });
    const value = post(text("x", [image("a")]));
    await ready(value, session);
    expect(fake.requests.filter((line) => line.startsWith("GET /rest/images/urn%3Ali%3Aimage%3A"))).toHaveLength(3);
    fake.switches.processingFails = true;
    expect(await failure(ready(value, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      message: "LinkedIn cannot use the image",
    });
    expect(await failure(ready(post(text("x", [pdf("d")])), session))).toMatchObject({
      hint: expect.stringContaining("300 pages"),
    });
    fake.switches.processing = 1_000;
    await expect(ready(value, { ...session, signal: AbortSignal.timeout(400) })).rejects.toThrow();
  });

  test("an app that may not ask for a file's state uploads all the same", async () => {
    const { fake, session } = await open({ mayAsk: false });
    await ready(post(text("x", [image("a")])), session);
    expect(fake.requests.filter((line) => line.startsWith("GET /rest/images/"))).toHaveLength(1);
  });

  test("bytes and token go to no address but LinkedIn's", async () => {
    const { fake, session } = await open({}, () => new Response(null, { status: 201 }));
    for (const host of ["https://linkedin.com.example", "https://notlinkedin.com", "http://www.linkedin.com"]) {
      fake.switches.uploadHost = host;
      expect(await failure(ready(post(text("x", [image("a")])), session))).toMatchObject({ code: "PLATFORM_CHANGED" });
    }
  });

  test("a link becomes a card with what its page says; no trouble with a card stops the post", async () => {
    const page = (url: URL): Response => {
      if (url.pathname === "/picture.png") return new Response(PIXEL, { headers: { "content-type": "image/png" } });
      if (url.pathname === "/gone") return new Response("", { status: 404 });
      const html = `<head><meta property="og:title" content="Wombats">
        <meta property="og:description" content="All of them">
        <meta property="og:image" content="/picture.png"></head>`;
      return new Response(html, { headers: { "content-type": "text/html" } });
    };
    const { fake, session } = await open({}, page);
    const source = "https://news.example/a_(b)";
    await publish(await ready(`Read ${source}!`, session), session);
    await publish(await ready("Read https://news.example/gone", session), session);
    fake.switches.processingFails = true;
    await publish(await ready(`Read again ${source}`, session), session);
    expect(fake.posts.map(({ article }) => article)).toEqual([
      { source, title: "Wombats", description: "All of them", thumbnail: expect.stringMatching(/^urn:li:image:/) },
      { source: "https://news.example/gone", title: "news.example" },
      { source, title: "Wombats", description: "All of them" },
    ]);
  });

  test("what was not prepared, and a comment without its post, are mistakes", async () => {
    const { fake, session } = await open();
    expect(await failure(publish(only(post(text("x", [image("a")]))), session))).toMatchObject({ code: "BUG" });
    const [, comment] = requestsOf(post(text("a"), text("b")));
    if (!comment) throw new Error("no comment");
    expect(await failure(publish(comment, session))).toMatchObject({ code: "BUG" });
    expect(fake.posts).toEqual([]);
  });
});

describe("comments", () => {
  test.each(["commentUrn", "$URN", "id", "header"] as const)(
    "the parts after the first, named by %s, and their removal",
    async (commentNames) => {
      const { fake, session } = await open({ comments: true, commentNames });
      const [root, second, third] = await publishAll(
        post(text("one"), text("two (of #three) {x}"), text("three")),
        session,
      );
      if (!root || !second || !third) throw new Error("three units");
      expect(fake.comments.map(({ urn, post: on, text: words }) => [urn, on, words])).toEqual([
        [second.id, root.id, "two (of #three) {x}"],
        [third.id, root.id, "three"],
      ]);
      expect(second.url).toMatch(
        /^https:\/\/www\.linkedin\.com\/feed\/update\/urn:li:share:\d+\/\?commentUrn=urn%3Ali%3Acomment%3A/,
      );
      await linkedin.remove(second, session);
      expect(fake.comments.map(({ text: words }) => words)).toEqual(["three"]);
      await linkedin.remove(second, session);
      await linkedin.remove(root, session);
      await linkedin.remove(third, session);
      expect([...fake.posts, ...fake.comments]).toEqual([]);
    },
  );

  test("an app without the Community Management API may not comment, and is told so", async () => {
    const { fake, session } = await open();
    const error = await failure(publishAll(post(text("one"), text("two")), session));
    expect(error).toMatchObject({ code: "AUTH_SCOPE", hint: expect.stringContaining("Community Management API") });
    expect([fake.posts.length, fake.comments.length]).toEqual([1, 0]);
  });

  test("a post that is too new to be commented on is waited for, one that is gone is not", async () => {
    const { fake, session } = await open({ comments: true, settling: 2 });
    const [first, second] = requestsOf(post(text("one"), text("two")));
    if (!first || !second) throw new Error("two units");
    const root = await publish(first, session);
    const request = { ...second, root, parent: root };
    expect(await failure(publish(request, session))).toMatchObject({
      code: "PLATFORM_DOWN",
      retry: "backoff",
      retryAfterMs: 30_000,
    });
    expect(fake.comments).toEqual([]);
    // Where psn knows when it was published, it asks again within seconds.
    const soon = await failure(publish({ ...request, parentAt: new Date() }, session));
    expect(soon).toMatchObject({ code: "PLATFORM_DOWN", retryAfterMs: 2_000 });
    await publish(request, session);
    expect(fake.comments).toHaveLength(1);
    await linkedin.remove(root, session);
    // Every attempt that made nothing begins at an instant of its own: what counts is how old the post is.
    const at = new Date(Date.now() + 11 * 60_000);
    expect(await failure(publish({ ...request, at }, { ...session, now: () => at }))).toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining(root.url),
    });
  });

  test.each([...FAULTS_AFTER, "reset-before", "500-before"] as const)(
    "one whose answer was lost (%s) is a person's to settle",
    async (fault) => {
      const { fake, session } = await open({ comments: true });
      const [first, second] = requestsOf(post(text("one"), text("two")));
      if (!first || !second) throw new Error("two units");
      const root = await publish(first, session);
      const request = { ...second, root, parent: root };
      fake.faults.push(fault);
      expect(await failure(publish(request, session))).toMatchObject({ retry: "reconcile" });
      const asked = fake.requests.length;
      const error = await failure(publish({ ...request, again: true }, session));
      expect(error).toMatchObject({ code: "UNCONFIRMED", message: expect.stringContaining(root.url) });
      expect(fake.requests).toHaveLength(asked);
      // Not `failed`, from which it could be sent anew.
      if (error instanceof PsnError) expect(failedAgain(1, { error, ageMs: 60_000 }).state).toBe("unconfirmed");
    },
  );
});

describe("a refusal by its reason", () => {
  test("a version that was switched off is a newer psn's to speak", async () => {
    const { fake, session } = await open();
    expect(fake.switches.versions).toContain(VERSION);
    const request = await ready("x", session);
    fake.switches.versions = ["209901"];
    expect(await failure(publish(request, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      retry: "never",
      message: expect.stringContaining(VERSION),
      hint: "update psn",
    });
    expect(await failure(publish({ ...request, again: true }, session))).toMatchObject({
      retry: "reconcile",
      hint: "update psn",
    });
    expect(await failure(ready(post(text("x", [image("a")])), session))).toMatchObject({ hint: "update psn" });
  });

  test("a day's limit lasts until midnight UTC by LinkedIn's clock, unless it says how long", async () => {
    const { fake, session } = await open({ daily: 0 });
    for (const clockAheadMs of [0, 5 * 3_600_000]) {
      fake.switches.clockAheadMs = clockAheadMs;
      const error = await failure(publish(only("x"), session));
      expect(error).toMatchObject({ code: "RATE_LIMITED" });
      const left = DAY_MS - (fake.now() % DAY_MS);
      expect(Math.abs((error instanceof PsnError ? (error.retryAfterMs ?? 0) : 0) - left)).toBeLessThan(atMost(3_000));
    }
    fake.switches.daily = 10;
    fake.refusals.push(
      Response.json({ status: 429, code: "TOO_MANY_REQUESTS" }, { status: 429, headers: { "retry-after": "90" } }),
    );
    expect(await failure(publish(only("x"), session))).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 90_000 });
    expect(fake.posts).toEqual([]);
  });

  test.each([
    ["two writes that met", 409, "CONFLICT", "PLATFORM_DOWN"],
    ["a text that LinkedIn finds too long", 400, "FIELD_LENGTH_TOO_LONG", "PLATFORM_REJECTED"],
    ["a field it does not like", 422, "INVALID_VALUE_FOR_FIELD", "PLATFORM_REJECTED"],
  ])("%s", async (_, status, code, expected) => {
    const { fake, session } = await open();
    fake.refusals.push(Response.json({ status, code, message: "zanzibar wombats waltz is refused" }, { status }));
    const error = await failure(publish(only("zanzibar wombats waltz"), session));
    expect(error).toMatchObject({ code: expected });
    expect(JSON.stringify(error)).not.toContain("wombats");
    expect(fake.posts).toEqual([]);
  });
});

describe("the same content twice", () => {
  test.each(FAULTS_AFTER)("a post whose answer was lost (%s) is out once, with its own ref", async (fault) => {
    const { fake, session } = await open();
    const request = await ready(post(text("good morning", [image("a")])), session);
    fake.faults.push(fault);
    expect(await failure(publish(request, session))).toMatchObject({ retry: "reconcile" });
    const ref = await publish({ ...request, again: true }, session);
    expect(fake.posts.map(({ urn }) => urn)).toEqual([ref.id]);
  });

  test.each(["reset-before", "500-before"] as const)("one that never arrived (%s) is out once too", async (fault) => {
    const { fake, session } = await open();
    const request = only("good morning");
    fake.faults.push(fault);
    expect(await failure(publish(request, session))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    const ref = await publish({ ...request, again: true }, session);
    expect(fake.posts.map(({ urn }) => urn)).toEqual([ref.id]);
  });

  test("on a first attempt it is an older post's, which is named; deleting that one does not help", async () => {
    const { fake, session } = await open();
    const { id, url } = await publish(only("good morning"), session);
    const refused = { code: "PLATFORM_REJECTED", retry: "never", message: expect.stringContaining(url) };
    expect(await failure(publish(only("good morning"), session))).toMatchObject(refused);
    await linkedin.remove({ id, url }, session);
    expect(await failure(publish(only("good morning"), session))).toMatchObject(refused);
    expect(fake.posts).toEqual([]);
  });

  test.each([0, 3_600_000, -3_600_000])(
    "again, it is the unit's own only if it is not older, LinkedIn's clock being %d ms ahead",
    async (clockAheadMs) => {
      const { fake, session } = await open({ clockAheadMs });
      await publish(only("good morning"), session);
      fake.switches.clockAheadMs += 30 * 60_000;
      // Half an hour later the same words: the first attempt is lost before it arrives, and LinkedIn names the post of
      // half an hour ago.
      const later: Session = { ...session, now: () => new Date(Date.now() + 30 * 60_000) };
      const request = { ...only("good morning"), at: later.now() };
      fake.faults.push("reset-before");
      expect(await failure(publish(request, later))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
      expect(await failure(publish({ ...request, again: true }, later))).toMatchObject({ code: "PLATFORM_REJECTED" });
      const own = { ...only("good evening"), at: later.now() };
      fake.faults.push("reset-after");
      await failure(publish(own, later));
      expect((await publish({ ...own, again: true }, later)).id).toBe(fake.posts[1]?.urn);
      expect(fake.posts).toHaveLength(2);
    },
  );

  test("a refusal that names no post leaves the outcome unknown, and on a first attempt is a refusal", async () => {
    const { fake, session } = await open({ duplicateNames: false });
    const request = only("good morning");
    fake.faults.push("reset-after");
    await failure(publish(request, session));
    expect(await failure(publish({ ...request, again: true }, session))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(await failure(publish(only("good morning"), session))).toMatchObject({ code: "PLATFORM_REJECTED" });
    expect(fake.posts).toHaveLength(1);
  });

  test("what LinkedIn may not know again is not sent again: no text, or half a day later", async () => {
    const { fake, session } = await open();
    const wordless = await ready(post(text("", [image("a")])), session);
    const old = { ...only("good morning"), at: new Date(Date.now() - DAY_MS / 2 - 1_000) };
    const asked = fake.requests.length;
    for (const request of [wordless, old])
      expect(await failure(publish({ ...request, again: true }, session))).toMatchObject({ code: "UNCONFIRMED" });
    expect(fake.requests).toHaveLength(asked);
    await publish({ ...old, at: new Date(Date.now() - DAY_MS / 2 + 60_000), again: true }, session);
    expect(fake.posts).toHaveLength(1);
  });
});

test("the fake reads little text as LinkedIn does: an unescaped sign is the end", () => {
  expect(readLittle("Hello (world)").text).toBe("Hello ");
  expect(readLittle("a\\(b\\) #c_d").text).toBe("a(b) #c");
  expect(readLittle("x @[A](https://a.example) y").text).toBe("x ");
  expect(readLittle("{hashtag|\\#|a\\_b} @[A](urn:li:person:b\\_1)")).toEqual({
    text: "#a_b A",
    hashtags: ["a_b"],
    mentions: ["urn:li:person:b_1"],
  });
});
