import { createHash } from "node:crypto";
import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Fetch, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media, Post } from "@psn/core/types/post.ts";
import * as delivery from "@psn/domain/delivery.ts";
import type { Body } from "@psn/platforms/threads/compose.ts";
import threads from "@psn/platforms/threads/index.ts";
import { afterEach, describe, expect, test } from "vitest";
import { adapter, failure, post, prepareAll, text } from "../support/adapter.ts";
import type { App } from "../support/threads/oauth.ts";
import { FAULTS_AFTER, type Switches, startThreads, type ThreadsFake, USER } from "../support/threads.ts";

const started: ThreadsFake[] = [];
afterEach(async () => {
  for (const fake of started.splice(0)) await fake.stop();
});

const REDIRECT = "https://psn.example/callback";
const DAY_MS = 24 * 3_600_000;

/** What left psn: the address with its query, the headers and the body. */
interface Sent {
  readonly url: URL;
  readonly all: string;
}

async function start(switches: Partial<Switches> = {}, app: Partial<App> = {}) {
  const fake = await startThreads(switches, app);
  started.push(fake);
  const sent: Sent[] = [];
  const fetch: Fetch = (input, init) => {
    sent.push({
      url: new URL(String(input)),
      all: JSON.stringify([input, [...new Headers(init?.headers)], init?.body ?? ""]),
    });
    return globalThis.fetch(String(input).replace("https://graph.threads.net", fake.origin), init);
  };
  const { id, secret } = fake.app;
  return {
    fake,
    sent,
    app: { id, secret },
    net: { fetch, now: () => new Date(), signal: new AbortController().signal },
  };
}

type Started = Awaited<ReturnType<typeof start>>;

async function connect(
  { fake, net, app }: Started,
  change: Partial<{ redirectUri: string; secret: string; code: string }> = {},
) {
  const challenge = createHash("sha256").update("verifier").digest("base64url");
  const own = { ...app, ...(change.secret === undefined ? {} : { secret: change.secret }) };
  const request = { form: {}, app: own, redirectUri: change.redirectUri ?? REDIRECT, state: "a-state", challenge };
  const { url } = await threads.authorize(request, net);
  const answer = await fake.consent(url);
  return threads.exchange({ ...request, verifier: "verifier", code: change.code ?? answer["code"] ?? "", answer }, net);
}

async function open(switches: Partial<Switches> = {}) {
  const begun = await start(switches);
  const session: Session = { ...begun.net, app: begun.app, ...(await connect(begun)) };
  return { ...begun, session };
}

const image = (id: string, more: Partial<Media> = {}): Media => ({
  id,
  kind: "image",
  mime: "image/png",
  bytes: 20,
  open: async () => new Blob([new Uint8Array(20).fill(7)], { type: more.mime ?? "image/png" }),
  ...more,
});
const video = (id: string, more: Partial<Media> = {}): Media =>
  image(id, { kind: "video", mime: "video/mp4", durationMs: 3_000, ...more });

const { publish, ...bare } = adapter(threads);

/** With `fake`, its media can be fetched from a bucket. */
function requestsOf(value: Post, fake?: ThreadsFake): PublishRequest<Body>[] {
  const requests = bare.requestsOf(value);
  if (!fake) return requests;
  return requests.map((request) => ({
    ...request,
    media: request.media.map((one) => ({ ...one, link: () => fake.host(one) })),
  }));
}

function only(value: Post, fake?: ThreadsFake): PublishRequest<Body> {
  const [request] = requestsOf(value, fake);
  if (!request) throw new Error("no unit");
  return request;
}

async function prepared(request: PublishRequest<Body>, session: Session): Promise<PublishRequest<Body>> {
  return { ...request, prepared: await prepareAll(threads, request, session), at: session.now() };
}

const ready = (words: string, session: Session) => prepared(only(post(text(words))), session);

const found = (request: PublishRequest<Body>, session: Session, known: string[] = []) =>
  threads.lookup(request, session, new Set(known));
const graph = (status: number, code: number, more: object = {}, headers: Record<string, string> = {}) =>
  Response.json(
    { error: { message: "Something is wrong", type: "OAuthException", code, ...more } },
    { status, headers },
  );
const codes = (value: Post) => {
  const composed = threads.compose(value, threads.capabilities);
  return composed.ok ? [] : composed.issues.map(({ code }) => code);
};

describe("connecting", () => {
  test("who it is, for how long, and something to renew it with", async () => {
    const { session, fake } = await open();
    expect(session.profile).toMatchObject({ subject: USER.id, handle: USER.username });
    expect(session.profile.url).toContain(`/@${USER.username}`);
    const { access, refresh, expiresAt } = session.credentials;
    expect(refresh, "psn renews only what has something to renew it with").toBe(access);
    expect((expiresAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(59 * DAY_MS);
    expect(await threads.identify(session)).toEqual(session.profile);
    expect(fake.posts).toEqual([]);
  });

  test("Meta takes a redirect by https only, and the code as a person copies it", async () => {
    const begun = await start({}, { redirects: [REDIRECT, "http://127.0.0.1:8910/callback"] });
    await expect(connect(begun, { redirectUri: "http://127.0.0.1:8910/callback" })).rejects.toThrow("https");
    const { url } = await threads.authorize(
      { form: {}, app: begun.app, redirectUri: REDIRECT, state: "s", challenge: "c" },
      begun.net,
    );
    const { code } = await begun.fake.consent(url);
    expect(await connect(begun, { code: `${code}#_` })).toMatchObject({ profile: { subject: USER.id } });
  });

  test("no consent, a code that was used, a wrong secret: nothing secret in what is said", async () => {
    const begun = await start({ grants: null });
    expect(await failure(connect(begun))).toMatchObject({ code: "AUTH_REVOKED" });
    begun.fake.switches.grants = "all";
    expect(await failure(connect(begun, { code: "AQ-used-already" }))).toMatchObject({ code: "AUTH_REVOKED" });
    const error = await failure(connect(begun, { secret: "not-the-secret-of-this-app" }));
    expect(error).toMatchObject({ code: "APP_REFUSED" });
    expect(JSON.stringify(error)).not.toContain("not-the-secret");
  });

  test.each(["/access_token", "/refresh_access_token"])(
    "the address of %s never gets into an error, nor what caused it",
    async (path) => {
      const begun = await start({ renewableAfterMs: 0 });
      const session = { ...begun.net, app: begun.app, ...(await connect(begun)) };
      const breaking: Fetch = (input, init) => {
        if (new URL(String(input)).pathname !== path) return begun.net.fetch(input, init);
        throw Object.assign(new Error(`failed: ${input}`), { code: "ECONNRESET", path: String(input) });
      };
      const broken = { ...begun, net: { ...begun.net, fetch: breaking } };
      const error = await failure(
        path === "/access_token" ? connect(broken) : threads.refresh({ ...session, fetch: breaking }),
      );
      expect(error).toMatchObject({ code: "PLATFORM_DOWN" });
      const shown = `${String(error)} ${JSON.stringify(error)} ${error instanceof PsnError ? String(error.cause) : ""}`;
      for (const secret of [begun.app.secret, session.credentials.access, "client_secret", "access_token="])
        expect(shown).not.toContain(secret);
    },
  );

  test("secrets go to Graph alone, and in an address only where Meta wants them there", async () => {
    const { fake, sent, session, app } = await open({ renewableAfterMs: 0 });
    const request = await prepared(only(post(text("x", [image("a")])), fake), session);
    const ref = await publish(request, session);
    await found(request, session);
    await threads.remove(ref, session);
    const { access } = await threads.refresh(session);
    for (const { url, all } of sent) {
      expect(url.origin).toBe("https://graph.threads.net");
      for (const secret of [app.secret, session.credentials.access, access]) {
        if (url.href.includes(secret)) expect(["/access_token", "/refresh_access_token"]).toContain(url.pathname);
        if (all.includes(app.secret)) expect(["/oauth/access_token", "/access_token"]).toContain(url.pathname);
      }
    }
  });

  test("a token renews itself from its second day on, and not after sixty", async () => {
    const { fake, session } = await open();
    expect(await failure(threads.refresh(session))).toMatchObject({ code: "AUTH_REVOKED" });
    fake.switches.clockAheadMs = 2 * DAY_MS;
    const credentials = await threads.refresh(session);
    expect(credentials.access).not.toBe(session.credentials.access);
    expect(credentials.refresh).toBe(credentials.access);
    expect(credentials.scopes).toEqual(session.credentials.scopes);
    await threads.identify({ ...session, credentials });
    fake.switches.clockAheadMs = 63 * DAY_MS;
    expect(await failure(threads.identify({ ...session, credentials }))).toMatchObject({ code: "AUTH_EXPIRED" });
    expect(await failure(threads.refresh({ ...session, credentials }))).toMatchObject({ code: "AUTH_REVOKED" });
  });

  test.each([
    [2, {}, "PLATFORM_DOWN"],
    [-2, {}, "PLATFORM_DOWN"],
    [4, {}, "RATE_LIMITED"],
    [613, {}, "RATE_LIMITED"],
    [9_999, { is_transient: true }, "PLATFORM_DOWN"],
  ])("Graph's %i says nothing of the token that was to be renewed", async (number, more, code) => {
    const { fake, session } = await open();
    fake.anyRefusals.push(graph(400, number, more));
    expect(await failure(threads.refresh(session))).toMatchObject({ code });
  });
});

describe("composing", () => {
  test("an emoji counts its bytes", () => {
    expect(codes(post(text("👍".repeat(125))))).toEqual([]);
    expect(codes(post(text(`${"👍".repeat(125)}a`)))).toEqual(["text.too-long"]);
    const family = "👩‍👩‍👧 ".repeat(60);
    for (const { unit } of requestsOf({ ...post(text(family)), split: true, numbered: true })) {
      expect(unit.length).toBeLessThanOrEqual(500);
      expect(unit.text).not.toContain("\ufffd");
      expect(unit.text.replaceAll("👩‍👩‍👧", "").replace(/[\s\d/()]/g, "")).toBe("");
    }
  });

  test("five different links, twenty files, five minutes, 8 MB, no PDF", () => {
    const links = (count: number) => Array.from({ length: count }, (_, n) => `https://example.com/${n}`).join(" ");
    expect(codes(post(text(`${links(5)} ${links(5)}`)))).toEqual([]);
    expect(codes(post(text(links(6))))).toHaveLength(1);
    const files = (count: number) => Array.from({ length: count }, (_, n) => (n % 2 ? image(`${n}`) : video(`${n}`)));
    expect(codes(post(text("", files(20))))).toEqual([]);
    expect(codes(post(text("", files(21))))).toEqual(["media.too-many"]);
    expect(codes(post(text("", [video("v", { durationMs: 300_000 })])))).toEqual([]);
    expect(codes(post(text("", [video("v", { durationMs: 300_001 })])))).toHaveLength(1);
    expect(codes(post(text("", [image("i", { bytes: 9_000_000 })])))).toEqual(["media.too-large"]);
    expect(codes(post(text("", [image("d", { kind: "document", mime: "application/pdf" })])))).toEqual(["media.type"]);
    expect(codes(post(text("", [image("g", { mime: "image/gif" })])))).toEqual(["media.type"]);
  });

  test("a topic and who may answer: what they may be", () => {
    const options = (given: Record<string, string>) => codes({ ...post(text("x")), options: given });
    expect(options({ topic: "Wombats at night", reply: "followers_only" })).toEqual([]);
    for (const topic of ["", "a.b", "a & b", "x".repeat(51)]) expect(options({ topic })).toEqual(["option.topic"]);
    expect(options({ reply: "nobody" })).toEqual(["option.reply"]);
    expect(options({ colour: "blue" })).toEqual(["option"]);
  });
});

describe("publishing", () => {
  test("a thread with every kind of media: alt texts, options on its beginning, answers in order", async () => {
    const { fake, session } = await open();
    const parts = post(
      text("one 👩‍🚀 #wombats", [
        image("a", { alt: "first" }),
        video("v", { alt: "moves" }),
        image("b", { mime: "image/jpeg" }),
      ]),
      text("two", [video("w")]),
      text("", [image("c", { alt: "last" })]),
      text("four"),
    );
    const refs: Ref[] = [];
    for (const request of requestsOf({ ...parts, options: { topic: "Wombats", reply: "followers_only" } }, fake)) {
      const parent = refs.at(-1);
      refs.push(await publish(await prepared({ ...request, ...(parent ? { parent } : {}) }, session), session));
    }
    expect(fake.posts.map(({ kind, parent, topic, reply }) => [kind, parent, topic, reply])).toEqual([
      ["CAROUSEL_ALBUM", null, "Wombats", "followers_only"],
      ["VIDEO", refs[0]?.id, null, null],
      ["IMAGE", refs[1]?.id, null, null],
      ["TEXT_POST", refs[2]?.id, null, null],
    ]);
    expect(fake.posts[0]?.media).toEqual([
      { kind: "IMAGE", alt: "first" },
      { kind: "VIDEO", alt: "moves" },
      { kind: "IMAGE", alt: null },
    ]);
    expect(refs[0]?.url).toBe(`https://www.threads.net/@${USER.username}/post/C${refs[0]?.id}`);
  });

  test("without a bucket nothing is sent, and the post waits for one", async () => {
    const { fake, session } = await open();
    const before = fake.requests.length;
    const error = toPsnError(await failure(prepared(only(post(text("x", [image("a")]))), session)));
    expect(error).toMatchObject({ hint: "psn config set S3_BUCKET; if the hub uses Trigger.dev, then: psn deploy" });
    expect(delivery.isHubs(error.code)).toBe(true);
    expect(fake.requests).toHaveLength(before);
  });

  test.each([
    ["an image", [image("a")]],
    ["a video", [video("v")]],
    ["a carousel", [image("a"), video("v")]],
  ])("a file that Threads could not fetch, and psn can read, is tried again (%s)", async (_, files) => {
    const { fake, session } = await open();
    const request = only(post(text("x", files)), fake);
    fake.switches.hosting = false;
    const error = toPsnError(await failure(prepared(request, session)));
    expect(error).toMatchObject({ code: "PLATFORM_DOWN", hint: expect.stringContaining("psn doctor") });
    expect(JSON.stringify(error)).not.toContain("/media/");
    expect(delivery.failed(0, { error, attempt: 1, random: 0 }).state).toBe("scheduled");
    expect(delivery.failed(0, { error, attempt: 30, random: 0 }).state).toBe("failed");
    expect(fake.posts).toEqual([]);
    fake.switches.hosting = true;
    await publish(await prepared(request, session), session);
    expect(fake.posts).toHaveLength(1);
  });

  test.each([
    ["an image", image("a")],
    ["a video", video("v")],
  ])("a file that psn cannot read either is the bucket's trouble, for which the post waits (%s)", async (_, file) => {
    const { fake, session } = await open();
    const request = only(post(text("x", [file])), fake);
    const wrongKey = new PsnError("VENDOR_AUTH", "the secret of the bucket's key is wrong", {
      hint: "psn config set S3_SECRET_ACCESS_KEY",
    });
    const host = () => fake.host(file);
    const media = request.media.map((one) => ({ ...one, link: host, open: () => Promise.reject(wrongKey) }));
    fake.switches.hosting = false;
    expect(await failure(prepared({ ...request, media }, session))).toMatchObject({
      code: "VENDOR_AUTH",
      hint: wrongKey.hint,
    });
    expect(delivery.isHubs("VENDOR_AUTH")).toBe(true);
  });

  test("a download that took too long asks the bucket too", async () => {
    const { fake, session } = await open();
    const away = new PsnError("VENDOR_UNREACHABLE", "the bucket's service does not answer");
    const request = only(post(text("x", [image("a")])), fake);
    const media = request.media.map((one) => ({ ...one, open: () => Promise.reject(away) }));
    fake.anyRefusals.push(Response.json({ data: [] }), graph(400, -2, { error_subcode: 2207003 }));
    expect(await failure(prepared({ ...request, media }, session))).toMatchObject({ code: "VENDOR_UNREACHABLE" });
  });

  test("it waits for what is worked on or not known yet, gives up what is unusable, a stop ends it", async () => {
    const { fake, session } = await open({ unknownFor: 1, processing: 2 });
    await publish(await prepared(only(post(text("x", [video("v")])), fake), session), session);
    expect(fake.posts).toHaveLength(1);
    fake.switches.processingFails = "FAILED_PROCESSING_VIDEO";
    expect(await failure(prepared(only(post(text("x", [video("w")])), fake), session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      message: expect.stringContaining("FAILED_PROCESSING_VIDEO"),
    });
    fake.switches.processing = 1_000;
    const stopped = { ...session, signal: AbortSignal.timeout(300) };
    await expect(prepared(only(post(text("x", [video("y")])), fake), stopped)).rejects.toThrow();
  });

  test("a day's posts used up, and a day's answers: a pause before anything is made", async () => {
    const { fake, session } = await open({ quota: { posts: 1, answers: 1 } });
    const root = await publish(await ready("one", session), session);
    const answer = { ...only(post(text("two"))), parent: root };
    await publish(await prepared(answer, session), session);
    const made = fake.containers.size;
    for (const request of [only(post(text("three"))), answer]) {
      const error = await failure(prepared(request, session));
      expect(error).toMatchObject({ code: "RATE_LIMITED" });
      expect(error instanceof PsnError ? error.retryAfterMs : 0).toBeGreaterThan(0);
    }
    expect(fake.containers.size).toBe(made);
  });

  test("a post that Graph does not know yet is waited for, and after a while refused in Graph's words", async () => {
    const { fake, session } = await open();
    const parent = { id: "17900000000000001", url: "https://www.threads.com/@ada/post/x" };
    const answer = (ms: number) =>
      prepared({ ...only(post(text("two"))), parent, parentAt: new Date(Date.now() - ms) }, session);
    expect(await failure(answer(1_000))).toMatchObject({
      code: "PLATFORM_DOWN",
      retry: "backoff",
      retryAfterMs: 2_000,
    });
    const error = await failure(answer(180_000));
    expect(error).toMatchObject({ code: "PLATFORM_REJECTED", message: expect.stringContaining("does not exist") });
    expect(fake.posts).toEqual([]);
  });

  test("a post is out, whatever becomes of the question for its address", async () => {
    const { fake, session } = await open();
    const failing: Fetch = (input, init) => {
      if (String(input).includes("fields=permalink")) throw new Error("no answer");
      return session.fetch(input, init);
    };
    const ref = await publish(await ready("x", session), { ...session, fetch: failing });
    expect(ref).toEqual({ id: fake.posts[0]?.id, url: session.profile.url });
    fake.switches.permalinks = false;
    expect(await publish(await ready("y", session), session)).toMatchObject({ url: session.profile.url });
  });

  test("an expired container is a clear refusal: nothing was published, and a retry makes it anew", async () => {
    const { fake, session } = await open();
    const request = await ready("x", session);
    fake.switches.clockAheadMs = DAY_MS + 60_000;
    expect(await failure(publish(request, session))).toMatchObject({ code: "PLATFORM_REJECTED", hint: "psn retry ID" });
    expect(await found(request, session)).toBeUndefined();
    expect(fake.posts).toEqual([]);
  });

  test("ready, and not known where it is published: later, and not never", async () => {
    const { fake, session } = await open();
    const request = await ready("x", session);
    fake.refusals.push(graph(400, 24, { error_subcode: 4279009, error_user_title: "Media Not Found" }));
    expect(await failure(publish(request, session))).toMatchObject({ code: "PLATFORM_DOWN", retry: "backoff" });
    await publish(request, session);
    expect(fake.posts).toHaveLength(1);
  });

  test("a unit whose container was not made is a mistake in psn", async () => {
    const { session } = await open();
    expect(await failure(publish(only(post(text("x"))), session))).toMatchObject({ code: "BUG" });
  });
});

describe("a refusal by Graph's number, whatever its status", () => {
  test.each([
    ["an expired token", 400, 190, { error_subcode: 463 }, "AUTH_EXPIRED"],
    ["an app that was removed", 400, 190, { error_subcode: 458 }, "AUTH_REVOKED"],
    ["a password that was changed", 401, 190, { error_subcode: 460 }, "AUTH_REVOKED"],
    ["a token that is invalid", 400, 190, { error_subcode: 467 }, "AUTH_REVOKED"],
    ["a permission that is missing", 400, 10, {}, "AUTH_SCOPE"],
    ["another one", 403, 200, {}, "AUTH_SCOPE"],
    ["the app's limit", 400, 4, {}, "RATE_LIMITED"],
    ["the user's limit", 403, 17, {}, "RATE_LIMITED"],
    ["a page's limit", 400, 32, {}, "RATE_LIMITED"],
    ["a custom limit", 400, 613, {}, "RATE_LIMITED"],
    ["a parameter", 400, 100, {}, "PLATFORM_REJECTED"],
    ["something unknown", 500, 1, {}, "OUTCOME_UNKNOWN"],
    ["a service that is down", 400, 2, {}, "OUTCOME_UNKNOWN"],
    ["weather", 400, 9999, { is_transient: true }, "OUTCOME_UNKNOWN"],
    // As reported in tirthpatell/fia-f1-docs-bot#52: the post was out all the same.
    ["a missing permission that is a 500", 500, 10, {}, "OUTCOME_UNKNOWN"],
  ])("publishing: %s", async (_, status, number, more, code) => {
    const { fake, session } = await open();
    const request = await ready("zanzibar wombats waltz", session);
    fake.refusals.push(
      graph(status, number, { ...more, error_user_msg: `no zanzibar wombats waltz for ${session.credentials.access}` }),
    );
    const error = await failure(publish(request, session));
    expect(error).toMatchObject({ code });
    expect(JSON.stringify(error)).not.toContain(session.credentials.access);
    expect(fake.posts).toEqual([]);
  });

  test("reading: what would be unknown is only weather", async () => {
    const { fake, session } = await open();
    fake.anyRefusals.push(graph(500, 1), graph(400, 2));
    for (const _ of [1, 2]) expect(await failure(threads.identify(session))).toMatchObject({ code: "PLATFORM_DOWN" });
  });

  test("a person who takes the access away", async () => {
    const { fake, session } = await open();
    fake.forget(458);
    expect(await failure(threads.identify(session))).toMatchObject({ code: "AUTH_REVOKED" });
    expect(await failure(threads.refresh(session))).toMatchObject({ code: "AUTH_REVOKED" });
  });
});

describe("a lost answer", () => {
  test.each(FAULTS_AFTER)("%s: lookup finds every part of a thread, and no other", async (fault) => {
    const { fake, session } = await open({ page: 2 });
    const value = post(
      text("Look: https://example.com/a?b=1 #tag @grace", [image("a")]),
      text("same words"),
      text("same words"),
    );
    const known: string[] = [];
    let parent: Ref | undefined;
    for (const request of requestsOf(value, fake)) {
      const one = await prepared({ ...request, ...(parent ? { parent } : {}) }, session);
      expect(await found(one, session, known)).toBeUndefined();
      fake.faults.push(fault);
      expect(await failure(publish(one, session))).toMatchObject({ retry: "reconcile" });
      parent = await found(one, session, known);
      expect(parent?.id).toBe(fake.posts.at(-1)?.id);
      known.push(parent?.id ?? "");
      expect(await publish({ ...one, again: true }, session), "sending again is harmless").toEqual(parent);
    }
    expect(fake.posts).toHaveLength(3);
  });

  test.each(["reset-before", "500-before"] as const)(
    "%s: it is not out, and the same container is sent again",
    async (fault) => {
      const { fake, session } = await open();
      const request = await ready("x", session);
      fake.faults.push(fault);
      expect(await failure(publish(request, session))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
      expect(await found(request, session)).toBeUndefined();
      const ref = await publish({ ...request, again: true }, session);
      expect(fake.posts.map(({ id }) => id)).toEqual([ref.id]);
    },
  );

  test.each([0, 3_600_000, -3_600_000])(
    "Threads' clock is %i ms ahead: this post, not the one of an hour before",
    async (clockAheadMs) => {
      const { fake, session } = await open();
      fake.switches.clockAheadMs = clockAheadMs;
      // A token from now is valid in the past too.
      const old = fake.seed({ text: "good morning", at: fake.now() - 3_600_000 });
      const request = await ready("good morning", session);
      const ref = await publish(request, session);
      expect(ref.id).not.toBe(old.id);
      expect(await found(request, session)).toEqual(ref);
      expect(await failure(found(request, session, [ref.id]))).toMatchObject({ code: "PLATFORM_DOWN" });
    },
  );

  test("the same words to another post are another answer", async () => {
    const { fake, session } = await open();
    const [root, other] = [fake.seed({ text: "a root" }), fake.seed({ text: "another" })];
    const parent = { id: root.id, url: "https://www.threads.net/@a/post/1" };
    const request = await prepared({ ...only(post(text("thanks"))), parent }, session);
    const ref = await publish(request, session);
    fake.seed({ text: "thanks", parent: other.id });
    expect(await found(request, session)).toEqual(ref);
  });

  test("published and not listed, removed, or only another's: no answer, and never sent again on it", async () => {
    const { fake, session } = await open({ lagMs: 60_000 });
    const request = await ready("good morning", session);
    const ref = await publish(request, session);
    expect(await failure(found(request, session))).toMatchObject({ code: "PLATFORM_DOWN" });
    expect(await failure(publish({ ...request, again: true }, session))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    fake.switches.lagMs = 0;
    expect(await found(request, session)).toEqual(ref);
    expect(await failure(found(request, session, [ref.id]))).toMatchObject({ code: "PLATFORM_DOWN" });
    await threads.remove(ref, session);
    for (const near of [
      { text: "good evening" },
      { text: "good morning", kind: "IMAGE" },
      { text: "good morning", parent: ref.id },
    ])
      fake.seed(near);
    expect(await failure(found(request, session))).toMatchObject({ code: "PLATFORM_DOWN" });
  });

  const no = () => Response.json({ error: { message: "Invalid parameter", code: 100 } }, { status: 400 });
  const before = Date.now() - 25 * 3_600_000;
  test.each([
    ["is ready", {}, { code: "PLATFORM_REJECTED", neverTaken: true }],
    ["is worked on", { asks: 9 }, { code: "PLATFORM_REJECTED", neverTaken: true }],
    ["failed", { error: "FAILED_PROCESSING_VIDEO" }, { code: "PLATFORM_REJECTED", neverTaken: true }],
    ["failed without a reason", { error: "UNKNOWN" }, { code: "PLATFORM_REJECTED", neverTaken: true }],
    ["has expired", { at: before }, { code: "PLATFORM_REJECTED", neverTaken: true }],
    ["is not known", { unknown: 9 }, { code: "OUTCOME_UNKNOWN", neverTaken: false }],
    ["is out, and not listed", { published: "17900000000000999" }, { code: "OUTCOME_UNKNOWN", neverTaken: false }],
  ])("a refused repeat whose container %s", async (_, state, becomes) => {
    const { fake, session } = await open();
    const request = await ready("good morning", session);
    Object.assign([...fake.containers.values()][0] ?? {}, state);
    fake.refusals.push(no());
    expect(await failure(publish({ ...request, again: true }, session))).toMatchObject(becomes);
  });

  test("a refused repeat whose container cannot be asked proves nothing", async () => {
    const { fake, session } = await open();
    const request = await ready("good morning", session);
    fake.refusals.push(no());
    const fetch: Fetch = (input, init) =>
      init?.method ? session.fetch(input, init) : Promise.reject(new Error("no answer"));
    expect(await failure(publish({ ...request, again: true }, { ...session, fetch }))).toMatchObject({
      neverTaken: false,
    });
  });

  test("whose container is forgotten is searched for by its words, and not to be found is an answer", async () => {
    const { fake, session } = await open();
    const old = fake.seed({ text: "good morning", at: fake.now() - 3_600_000 });
    const lost = {
      ...only(post(text("good morning"))),
      at: new Date(fake.now() - 1_800_000),
      prepared: null,
      searching: true as const,
    };
    expect(await found(lost, session)).toBeUndefined();
    const ref = await publish(await ready("good morning", session), session);
    expect(ref.id).not.toBe(old.id);
    expect(await found(lost, session)).toEqual(ref);
    expect(await found(lost, session, [ref.id])).toBeUndefined();
    expect(
      await found({ ...lost, parent: { id: old.id, url: "https://www.threads.net/@a/post/1" } }, session),
    ).toBeUndefined();
    for (let index = 0; index < 12; index += 1) fake.seed({ text: `new ${index}` });
    fake.switches.page = 1;
    expect(await failure(found(lost, session, [ref.id]))).toMatchObject({ code: "PLATFORM_DOWN" });
  });

  test("more posts than psn reads is no answer", async () => {
    const { fake, session } = await open();
    const request = await ready("good morning", session);
    await publish(request, session);
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
    for (const _ of [1, 2]) await threads.remove({ id, url: "https://www.threads.net/@a/post/1" }, session);
    expect(fake.posts).toEqual([kept]);
  });

  test("a Threads that does not is not believed, and a missing permission is named", async () => {
    const { fake, session } = await open({ deletes: false });
    const url = "https://www.threads.net/@a/post/1";
    const { id } = fake.seed({ text: "x" });
    expect(await failure(threads.remove({ id, url }, session))).toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining(url),
    });
    const begun = await start({ grants: ["threads_basic", "threads_content_publish"] });
    const weak = { ...begun.net, app: begun.app, ...(await connect(begun)) };
    expect(await failure(threads.remove({ id: begun.fake.seed({ text: "x" }).id, url }, weak))).toMatchObject({
      code: "AUTH_SCOPE",
    });
  });
});
