import { createHash } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import type { Fetch, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import type { Body } from "@psn/platforms/x/compose.ts";
import x from "@psn/platforms/x/index.ts";
import { afterEach, describe, expect, test } from "vitest";
import { adapter, failure, post, prepareAll, text } from "../support/adapter.ts";
import type { App } from "../support/x/oauth.ts";
import { FAULTS_AFTER, FOREIGN, type Switches, startX, USER, type XFake } from "../support/x.ts";

const { requestsOf, only, publish } = adapter(x);

const started: XFake[] = [];
afterEach(async () => {
  for (const fake of started.splice(0)) await fake.stop();
});

const VERIFIER = "a-verifier-of-at-least-forty-three-characters-in-all";
const REDIRECT = "http://127.0.0.1:8910/callback";

interface Open {
  readonly fake: XFake;
  readonly session: Session;
}

async function start(switches: Partial<Switches> = {}, app: Partial<App> = {}) {
  const fake = await startX(switches, app);
  started.push(fake);
  const fetch: Fetch = (input, init) => globalThis.fetch(String(input).replace("https://api.x.com", fake.origin), init);
  const { id, secret } = fake.app;
  return {
    fake,
    net: { fetch, now: () => new Date(), signal: new AbortController().signal },
    app: { id, ...(secret ? { secret } : {}) },
  };
}

async function open(switches: Partial<Switches> = {}, app: Partial<App> = {}): Promise<Open> {
  const { fake, net, app: own } = await start(switches, app);
  return { fake, session: { ...net, app: own, ...(await connect(fake, net, own)) } };
}

async function connect(
  fake: XFake,
  net: Parameters<typeof x.exchange>[1],
  app: { id: string; secret?: string },
  verifier = VERIFIER,
) {
  const challenge = createHash("sha256").update(VERIFIER).digest("base64url");
  const request = { form: {}, app, redirectUri: REDIRECT, state: "a-state", challenge };
  const { url } = await x.authorize(request, net);
  const answer = await fake.consent(url);
  return x.exchange({ ...request, verifier, code: answer["code"] ?? "", answer }, net);
}

const image = (id: string, alt?: string, bytes = 20): Media => ({
  id,
  kind: "image",
  mime: "image/png",
  bytes,
  ...(alt ? { alt } : {}),
  open: async () => new Blob([new Uint8Array(bytes).fill(7)], { type: "image/png" }),
});
const gif = (id: string, alt?: string): Media => ({ ...image(id, alt), mime: "image/gif" });
const video = (id: string, bytes = 20): Media => ({
  ...image(id, "not for videos", bytes),
  kind: "video",
  mime: "video/mp4",
});

async function prepared(request: PublishRequest<Body>, session: Session): Promise<PublishRequest<Body>> {
  return { ...request, prepared: await prepareAll(x, request, session), at: new Date() };
}

const found = (request: PublishRequest<Body>, session: Session, known: string[] = []) =>
  x.lookup(request, session, new Set(known));
const tells = (status: number, detail: string, more: object = {}, headers: Record<string, string> = {}) =>
  Response.json({ title: "Forbidden", detail, type: "about:blank", status, ...more }, { status, headers });

describe("connecting", () => {
  test("a confidential client: who it is, what was granted, for how long", async () => {
    const { fake, session } = await open();
    expect(session.profile).toEqual({
      subject: USER.id,
      handle: USER.username,
      url: `https://x.com/${USER.username}`,
      home: "https://x.com",
    });
    expect(session.credentials.scopes).toEqual([
      "tweet.read",
      "tweet.write",
      "users.read",
      "media.write",
      "offline.access",
    ]);
    expect(session.credentials.refresh).toMatch(/^rt-/);
    expect((session.credentials.expiresAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(7_100_000);
    expect(await x.identify(session)).toEqual(session.profile);
    expect(fake.posts).toEqual([]);
  });

  test("a public client has no secret and goes by its id", async () => {
    const { session } = await open({}, { secret: "" });
    expect(session.app).toEqual({ id: expect.any(String) });
    expect(await x.refresh(session)).toMatchObject({ access: expect.stringMatching(/^at-/) });
  });

  test("no consent, a consent that lacks something, a wrong verifier, a wrong secret, no app", async () => {
    const { fake, net, app } = await start();
    fake.switches.grants = null;
    expect(await failure(connect(fake, net, app))).toMatchObject({ code: "AUTH_REVOKED" });
    fake.switches.grants = ["tweet.read", "users.read", "offline.access"];
    expect(await failure(connect(fake, net, app))).toMatchObject({
      code: "AUTH_SCOPE",
      message: "the consent does not include tweet.write, media.write",
    });
    fake.switches.grants = "all";
    expect(await failure(connect(fake, net, app, "another"))).toMatchObject({ code: "AUTH_REVOKED" });
    const error = await failure(connect(fake, net, { ...app, secret: "not-the-secret" }));
    expect(error).toMatchObject({ code: "APP_REFUSED" });
    expect(JSON.stringify(error)).not.toContain("not-the-secret");
    const bare = { form: {}, redirectUri: REDIRECT, state: "s", challenge: "c" };
    await expect(x.authorize(bare, net)).rejects.toMatchObject({ code: "APP_MISSING" });
  });

  test("a refresh token works once, and its successor is kept", async () => {
    const { fake, session } = await open();
    const credentials = await x.refresh(session);
    expect(credentials.refresh).not.toBe(session.credentials.refresh);
    expect(await failure(x.refresh(session))).toMatchObject({ code: "AUTH_REVOKED" });
    expect(await x.refresh({ ...session, credentials })).toMatchObject({ refresh: expect.any(String) });
    expect(fake.tokens().refresh).toBe(1);
  });

  test("an expired token is AUTH_EXPIRED, and a refresh mends it", async () => {
    const { fake, session } = await open();
    fake.switches.clockAheadMs += 2 * 3_600_000 + 1;
    expect(await failure(publish(only(post(text("x"))), session))).toMatchObject({ code: "AUTH_EXPIRED" });
    expect(fake.posts).toEqual([]);
    await publish(only(post(text("x"))), { ...session, credentials: await x.refresh(session) });
    expect(fake.posts).toHaveLength(1);
  });

  test("disconnecting takes both tokens back, twice if asked", async () => {
    const { fake, session } = await open();
    expect(fake.tokens()).toEqual({ access: 1, refresh: 1 });
    await x.revoke(session);
    expect(fake.tokens()).toEqual({ access: 0, refresh: 0 });
    await x.revoke(session);
    await expect(x.identify(session)).rejects.toMatchObject({ code: "AUTH_EXPIRED" });
  });
});

describe("publishing", () => {
  test("a thread with every kind of media, alt texts for those that have them", async () => {
    const { fake, session } = await open();
    const value = post(
      text("one 👩‍🚀", [image("a", "first"), image("b")]),
      text("two", [gif("g", "moves")]),
      text("", [video("v")]),
    );
    const refs: Ref[] = [];
    for (const request of requestsOf(value)) {
      const parent = refs.at(-1);
      refs.push(await publish({ ...(await prepared(request, session)), ...(parent ? { parent } : {}) }, session));
    }
    expect(fake.posts.map(({ id }) => id)).toEqual(refs.map(({ id }) => id));
    expect(fake.posts.map((one) => [one.text, one.parent, one.media.length])).toEqual([
      ["one 👩‍🚀", null, 2],
      ["two", refs[0]?.id, 1],
      ["", refs[1]?.id, 1],
    ]);
    expect([...fake.media.values()].map(({ category, alt }) => [category, alt])).toEqual([
      ["tweet_image", "first"],
      ["tweet_image", null],
      ["tweet_gif", "moves"],
      ["tweet_video", null],
    ]);
    expect(refs[0]?.url).toBe(`https://x.com/${USER.username}/status/${refs[0]?.id}`);
  });

  test("a large file goes in segments", async () => {
    const { fake, session } = await open();
    const size = 9 * 1024 * 1024 + 1;
    await publish(await prepared(only(post(text("x", [video("v", size)]))), session), session);
    expect([...fake.media.values()].map(({ segments }) => segments)).toEqual([[4194304, 4194304, 1048577]]);
  });

  test("it waits for what X works on, gives up on what X cannot use, and a stop ends the wait", async () => {
    const { fake, session } = await open({ processing: 3 });
    await prepared(only(post(text("x", [gif("g")]))), session);
    expect(fake.requests.filter((line) => line.startsWith("GET /2/media/upload?command=STATUS"))).toHaveLength(3);
    fake.switches.processingFails = true;
    expect(await failure(prepared(only(post(text("x", [video("v")]))), session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      message: expect.stringContaining("InvalidMedia"),
    });
    fake.switches.processing = 1_000;
    const stopped = { ...session, signal: AbortSignal.timeout(300) };
    await expect(prepared(only(post(text("x", [gif("g")]))), stopped)).rejects.toThrow();
  });

  test("options reach X; quoting wants Enterprise", async () => {
    const { fake, session } = await open({ enterprise: true });
    await publish(only({ ...post(text("x")), options: { reply: "subscribers", quote: FOREIGN } }), session);
    expect(fake.posts[0]).toMatchObject({ replySettings: "subscribers", quoted: FOREIGN });
    fake.switches.enterprise = false;
    expect(await failure(publish(only({ ...post(text("y")), options: { quote: FOREIGN } }), session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining("Enterprise"),
    });
  });

  test("uploaded media that X has forgotten, a parent that is gone, media that were not uploaded", async () => {
    const { fake, session } = await open();
    const ready = await prepared(only(post(text("x", [image("a")]))), session);
    fake.media.clear();
    expect(await failure(publish(ready, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      message: expect.stringContaining("about a day"),
    });
    const answer = { ...only(post(text("y"))), parent: { id: "1", url: "https://x.com/a/status/1" } };
    expect(await failure(publish(answer, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining("may be deleted"),
    });
    expect(await failure(publish({ ...answer, parent: { ...answer.parent, id: FOREIGN } }, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
    });
    expect(await failure(publish({ ...ready, prepared: null }, session))).toMatchObject({ code: "BUG" });
    expect(fake.posts).toHaveLength(0);
  });
});

describe("a refusal by its reason", () => {
  test.each([
    [
      "a suspended account",
      tells(403, "Your account is suspended and is not permitted to access this feature."),
      "AUTH_REVOKED",
    ],
    [
      "a locked account",
      tells(403, "", { errors: [{ code: "326", message: "this account is temporarily locked" }] }),
      "AUTH_REVOKED",
    ],
    [
      "a suspended app",
      tells(403, "", { errors: [{ code: 416, message: "Invalid or suspended application." }] }),
      "APP_REFUSED",
    ],
    [
      "a token that may only read",
      tells(403, "Forbidden", { type: "https://api.twitter.com/2/problems/oauth1-permissions" }),
      "AUTH_SCOPE",
    ],
    ["an app outside a project", tells(403, "x", { reason: "client-not-enrolled" }), "AUTH_SCOPE"],
    ["nothing more than no", tells(403, "You are not permitted to perform this action."), "AUTH_SCOPE"],
    ["a long text", tells(403, "Your Tweet text is too long."), "PLATFORM_REJECTED"],
    [
      "a long video",
      tells(403, "This user is not allowed to post a video longer than 20 minutes."),
      "PLATFORM_REJECTED",
    ],
    ["two cashtags", tells(403, "Posts are limited to 1 cashtag."), "PLATFORM_REJECTED"],
    [
      "too many posts",
      tells(403, "", { errors: [{ code: 185, message: "User is over daily status update limit." }] }),
      "RATE_LIMITED",
    ],
    [
      "a spent cap",
      tells(429, "Usage cap exceeded", { type: "https://api.twitter.com/2/problems/usage-capped" }),
      "PLATFORM_REJECTED",
    ],
  ])("%s", async (_, refusal, code) => {
    const { fake, session } = await open();
    fake.refusals.push(refusal);
    const error = await failure(publish(only(post(text("zanzibar wombats waltz"))), session));
    expect(error).toMatchObject({ code });
    expect(JSON.stringify(error)).not.toContain("wombats");
    expect(fake.posts).toHaveLength(0);
  });

  test("without credits the hint says where they are bought", async () => {
    const { fake, session } = await open();
    fake.refusals.push(
      tells(402, "Your enrolled account does not have any credits to fulfill this request.", {
        title: "CreditsDepleted",
      }),
    );
    expect(await failure(publish(only(post(text("x"))), session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      retry: "never",
      hint: expect.stringContaining("https://console.x.com"),
    });
  });

  test("a limit of a quarter of an hour, and the longer one of a day, by X's clock", async () => {
    const { fake, session } = await open({ posts: 1 });
    fake.switches.clockAheadMs = 3_600_000;
    const credentials = session.credentials;
    const pause = async (words: string) => {
      const error = await failure(publish(only(post(text(words))), { ...session, credentials }));
      expect(error).toMatchObject({ code: "RATE_LIMITED" });
      return error instanceof PsnError ? (error.retryAfterMs ?? 0) : 0;
    };
    await publish(only(post(text("first"))), session);
    const quarter = await pause("second");
    expect(quarter).toBeGreaterThan(14 * 60_000);
    expect(quarter).toBeLessThanOrEqual(15 * 60_000 + 2_000);
    fake.switches.dailyPosts = 2;
    expect(await pause("third")).toBeGreaterThan(23 * 3_600_000);
    // A window that is not used up asks for nothing.
    fake.switches.dailyPosts = 1_000;
    expect(await pause("fourth")).toBeLessThanOrEqual(15 * 60_000 + 2_000);
    expect(fake.posts).toHaveLength(1);
  });
});

describe("the same text twice", () => {
  test("at once, as a post of its own, is refused and not taken for the one that has it", async () => {
    const { fake, session } = await open();
    await publish(only("good morning"), session);
    expect(await failure(publish(only("good morning"), session))).toMatchObject({ code: "PLATFORM_REJECTED" });
    expect(fake.posts).toHaveLength(1);
  });

  test("an attempt that was lost and is made again is out once, with its own ref", async () => {
    const { fake, session } = await open();
    const request = only(post(text("good morning https://example.com/a?b=1&c=2")));
    fake.faults.push("reset-after");
    expect(await failure(publish(request, session))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    const ref = await publish({ ...request, again: true }, session);
    expect(fake.posts.map(({ id }) => id)).toEqual([ref.id]);
  });

  test.each([60_000, 3_600_000])(
    "an older post of the same words, %i ms ago, is not this one: refused",
    async (ago) => {
      const { fake, session } = await open();
      fake.switches.clockAheadMs = -ago;
      // A token from now is valid in the past too.
      await publish({ ...only(post(text("good morning"))), at: new Date() }, session);
      fake.switches.clockAheadMs = 0;
      expect(await failure(publish(only(post(text("good morning"))), session))).toMatchObject({
        code: "PLATFORM_REJECTED",
        message: expect.stringContaining("a text that you posted before"),
      });
      expect(fake.posts).toHaveLength(1);
    },
  );

  test("refused, and not yet in the timeline: still a refusal, never a second post", async () => {
    const { fake, session } = await open({ lagMs: 60_000 });
    const request = only(post(text("good morning")));
    await publish(request, session);
    expect(await failure(publish(request, session))).toMatchObject({ code: "PLATFORM_REJECTED" });
    expect(fake.posts).toHaveLength(1);
  });
});

describe("a lost answer", () => {
  const awkward =
    "Look: https://www.example.com/a/b?x=1&y=<2> and example.org/ \n\n<b>bold</b> & “quoted” &amp; 👋 #tag @grace";

  test.each(FAULTS_AFTER)("%s: lookup finds every part of a thread, and no other", async (fault) => {
    const { fake, session } = await open({ page: 2 });
    const value = post(
      text(awkward, [image("a", "alt")]),
      text("the second"),
      text("", [gif("g")]),
      text("the last: https://x.com/ada/status/1"),
    );
    const known: string[] = [];
    let parent: Ref | undefined;
    for (const request of requestsOf(value)) {
      const ready = {
        ...(request.unit.prepare ? await prepared(request, session) : request),
        ...(parent ? { parent } : {}),
        at: new Date(),
      };
      expect(await found(ready, session, known)).toBeUndefined();
      fake.faults.push(fault);
      expect(await failure(publish(ready, session))).toMatchObject({ retry: "reconcile" });
      parent = await found(ready, session, known);
      expect(parent?.id).toBe(fake.posts.at(-1)?.id);
      known.push(parent?.id ?? "");
    }
    expect(fake.posts).toHaveLength(4);
  });

  test.each(["reset-before", "500-before"] as const)("%s: nothing is found, for nothing is there", async (fault) => {
    const { fake, session } = await open();
    const request = only(post(text("x")));
    fake.faults.push(fault);
    expect(await failure(publish(request, session))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(await found(request, session)).toBeUndefined();
  });

  test.each([0, 3_600_000, -3_600_000])(
    "X's clock is %i ms ahead: this post, not the one of an hour before",
    async (clockAheadMs) => {
      const { fake, session } = await open({ clockAheadMs });
      fake.seed({ text: "good morning", createdAt: new Date(fake.now() - 3_600_000) });
      const request = only(post(text("good morning")));
      expect(await found(request, session)).toBeUndefined();
      const ref = await publish(request, session);
      expect(await found(request, session)).toEqual(ref);
      expect(await found(request, session, [ref.id])).toBeUndefined();
    },
  );

  test("not another's words, parent, media, quoted post, repost, or unit", async () => {
    const { fake, session } = await open({ enterprise: true });
    const root = fake.seed({ text: "a root" });
    fake.seed({ text: "good evening" });
    fake.seed({ text: "good morning", parent: root.id });
    fake.seed({ text: "good morning", repost: true });
    const known = fake.seed({ text: "good morning" });
    const quoting = only({ ...post(text("good morning")), options: { quote: FOREIGN } });
    const pictured = await prepared(only(post(text("good morning", [image("a")]))), session);
    expect(await found(quoting, session)).toBeUndefined();
    expect(await found(pictured, session)).toBeUndefined();
    expect(await found(only(post(text("good morning"))), session, [known.id])).toBeUndefined();
    expect(await found(only(post(text("good morning"))), session)).toMatchObject({ id: known.id });
    const ref = await publish(pictured, session);
    expect(await found(pictured, session)).toEqual(ref);
    const quote = fake.seed({ text: "good morning", quoted: FOREIGN });
    expect(await found(quoting, session)).toMatchObject({ id: quote.id });
  });

  test("one that ends with a link to a post, which X shows as quoted", async () => {
    const { fake, session } = await open();
    const request = only(`worth reading https://x.com/grace/status/${FOREIGN}`);
    const ref = await publish(request, session);
    expect(fake.posts).toHaveLength(1);
    const timeline: Fetch = async (input, init) => {
      const answer = await session.fetch(input, init);
      const body = (await answer.json()) as { data?: object[] };
      const data = body.data?.map((one) => ({ ...one, referenced_tweets: [{ type: "quoted", id: FOREIGN }] }));
      return Response.json({ ...body, data }, { headers: answer.headers });
    };
    expect(await found(request, { ...session, fetch: timeline })).toEqual(ref);
  });

  test("a post at an address is the account's own, and there", async () => {
    const { fake, session } = await open();
    const held = fake.seed({ text: "good morning" });
    expect(await x.locate?.(`https://twitter.com/anybody/status/${held.id}?s=20`, session)).toEqual({
      id: held.id,
      url: `https://x.com/${USER.username}/status/${held.id}`,
    });
    expect(await x.locate?.(`https://x.com/somebody/status/${FOREIGN}`, session)).toBeUndefined();
    expect(await x.locate?.("https://x.com/ada_x/status/20", session)).toBeUndefined();
    expect(await x.locate?.("https://x.com/ada_x", session)).toBeUndefined();
  });

  test("a timeline that lags has it later; more posts than psn reads is no answer", async () => {
    const { fake, session } = await open({ lagMs: 500 });
    const request = only(post(text("good morning")));
    const ref = await publish(request, session);
    expect(await found(request, session)).toBeUndefined();
    fake.switches.lagMs = 0;
    expect(await found(request, session)).toEqual(ref);
    for (let index = 0; index < 12; index += 1) fake.seed({ text: `new ${index}` });
    fake.switches.page = 1;
    expect(await failure(found(request, session))).toMatchObject({ code: "PLATFORM_DOWN" });
  });
});

describe("remove", () => {
  test("takes back this post, twice if asked", async () => {
    const { fake, session } = await open();
    const { id } = fake.seed({ text: "x" });
    const kept = fake.seed({ text: "y" });
    await x.remove({ id, url: "https://x.com/a/status/1" }, session);
    await x.remove({ id, url: "https://x.com/a/status/1" }, session);
    expect(fake.posts).toEqual([kept]);
  });

  test("an X that does not is not believed", async () => {
    const { fake, session } = await open({ deletes: false });
    const { id } = fake.seed({ text: "x" });
    const url = `https://x.com/ada_x/status/${id}`;
    expect(await failure(x.remove({ id, url }, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining(url),
    });
  });
});

describe("a thread's next post", () => {
  test("waits while X does not see the one before it, and then goes out", async () => {
    const { fake, session } = await open({ answerableAfterMs: 60_000 });
    const [first, second] = requestsOf(post(text("one"), text("two")), session);
    if (!first || !second) throw new Error("two units");
    const parent = await publish(first, session);
    const request = { ...second, root: parent, parent, parentAt: new Date() };
    const error = await failure(publish(request, session));
    expect(error).toMatchObject({ code: "PLATFORM_DOWN", retry: "backoff", retryAfterMs: 2_000 });
    expect(String(error)).toContain("deleted or not visible to you");
    fake.switches.answerableAfterMs = 0;
    await publish(request, session);
    expect(fake.posts.map((one) => one.text)).toEqual(["one", "two"]);
  });

  test("is refused in X's words when the one before stays unseen, at once when it may not be answered", async () => {
    const { session } = await open();
    const [, second] = requestsOf(post(text("one"), text("two")), session);
    if (!second) throw new Error("two units");
    const gone = { id: "1111111111111111111", url: "https://x.com/ada_x/status/1111111111111111111" };
    const long = new Date(Date.now() - 10 * 60_000);
    expect(await failure(publish({ ...second, parent: gone, parentAt: long }, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      message: expect.stringContaining("deleted or not visible to you"),
    });
    const foreign = { id: FOREIGN, url: "https://x.com/i/status/1" };
    expect(await failure(publish({ ...second, parent: foreign, parentAt: new Date() }, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
    });
  });
});

test("the same text twice: what to do stands in the message, which is what is kept", async () => {
  const { session } = await open();
  const request = only("the very same words");
  await publish(request, session);
  const error = await failure(publish({ ...request, key: crypto.randomUUID() }, session));
  expect(error).toMatchObject({
    code: "PLATFORM_REJECTED",
    message: expect.stringContaining("refuses a text that you posted before: change the text"),
  });
});

test("X's own reason stands before its general words, and media are to blame only where X says so", async () => {
  const { fake, session } = await open();
  const [request] = requestsOf(post(text("x", [image("a")])), session);
  if (!request) throw new Error("no unit");
  const ready = await prepared(request, session);
  const bad = await failure(
    publish(
      {
        ...ready,
        unit: { ...ready.unit, body: { ...ready.unit.body, reply_settings: "nobody" } } as typeof ready.unit,
      },
      session,
    ),
  );
  expect(String(bad)).toMatch(/reply_settings\] is none of .*: One or more parameters/);
  expect(String(bad)).not.toContain("about a day");
  fake.media.clear();
  expect(await failure(publish(ready, session))).toMatchObject({
    message: expect.stringContaining("X keeps uploaded media for about a day"),
  });
});
