import { readFile } from "node:fs/promises";
import { AppBskyFeedPost, AtpAgent, RichText } from "@atproto/api";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media, Post } from "@psn/core/types/post.ts";
import { contentsOf } from "@psn/domain/markdown/parse.ts";
import type { Body } from "@psn/platforms/bluesky/compose.ts";
import bluesky from "@psn/platforms/bluesky/index.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepareAll } from "../support/adapter.ts";
import { type Pds, type PdsAccount, startPds } from "../support/pds.ts";

/*
 * The adapter against a real PDS, read back by the official library. What only the rest of the network can tell
 * (how the app shows it) is not tested here.
 */

const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);
const AT = new Date("2026-11-02T12:00:00.000Z");

let pds: Pds;
let site: ReturnType<typeof Bun.serve>;
let names = 0;

beforeAll(async () => {
  pds = await startPds();
  site = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) => {
      if (url.endsWith("/picture")) return new Response(PIXEL, { headers: { "content-type": "image/png" } });
      if (url.endsWith("/text"))
        return new Response("this is no picture", { headers: { "content-type": "image/png" } });
      const picture = url.endsWith("/broken") ? "/text" : "/picture";
      const head = `<meta property="og:title" content="A page"><meta property="og:image" content="${picture}">`;
      return new Response(`<head>${head}</head>`, { headers: { "content-type": "text/html" } });
    },
  });
});
afterAll(async () => {
  await site?.stop(true);
  await pds?.stop();
});

interface Connected extends Session {
  readonly account: PdsAccount;
}

async function connected(): Promise<Connected> {
  names += 1;
  const account = await pds.createAccount(`ada-${names}.test`);
  const net = { fetch: globalThis.fetch, now: () => new Date(), signal: new AbortController().signal };
  return {
    ...net,
    account,
    ...(await bluesky.connect({ identifier: account.handle, password: account.password, server: pds.url }, net)),
  };
}

const withTokens = (session: Connected, tokens: Partial<Session["credentials"]>): Connected => ({
  ...session,
  credentials: { ...session.credentials, ...tokens },
});

const picture: Media = {
  id: "m1",
  kind: "image",
  mime: "image/png",
  bytes: PIXEL.length,
  width: 3,
  height: 2,
  alt: "Ein Bild: größer",
  open: async () => new Blob([PIXEL]),
};

describe("images over the server's own limit", () => {
  // PDS 0.4.217 was built with the lexicon of 1,000,000 bytes.
  const large: Media = { ...picture, bytes: 1_646_172, open: async () => new Blob([new Uint8Array(1_646_172)]) };

  test("connecting learns the limit, posts nothing, and composing keeps to it", async () => {
    const session = await connected();
    expect(session.profile.limits?.images?.maxBytes).toBe(1_000_000);
    const { records } = await (
      await fetch(
        `${pds.url}/xrpc/com.atproto.repo.listRecords?repo=${session.account.did}&collection=app.bsky.feed.post`,
      )
    ).json();
    expect(records).toEqual([]);
    const composed = bluesky.compose(
      { id: "p", parts: [{ text: "", media: [large] }] },
      { ...bluesky.capabilities, ...session.profile.limits },
    );
    expect(composed).toMatchObject({
      ok: false,
      issues: [{ code: "media.too-large", message: expect.stringContaining("1000000") }],
    });
  });

  test("an account connected before that is refused before anything is uploaded", async () => {
    const whole = await connected();
    const { limits: _limits, ...profile } = whole.profile;
    const session = { ...whole, profile };
    const asked: string[] = [];
    const fetchSeen: Session["fetch"] = (input, init) => {
      asked.push(String(input));
      return session.fetch(input, init);
    };
    await expect(
      requestsFor({ ...session, fetch: fetchSeen }, { parts: [{ text: "", media: [large] }] }, [large]),
    ).rejects.toMatchObject({
      code: "PLATFORM_REJECTED",
      message: expect.stringMatching(/has 1646172 bytes, and localhost:\d+ accepts at most 1000000/),
      hint: expect.stringContaining("save the image smaller"),
    });
    expect(asked.filter((url) => url.includes("uploadBlob"))).toEqual([]);
  });
});

async function requestsFor(
  session: Session,
  post: Omit<Post, "id">,
  media: readonly Media[] = [],
): Promise<PublishRequest<Body>[]> {
  const composed = bluesky.compose({ id: "p", ...post }, bluesky.capabilities);
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  const requests: PublishRequest<Body>[] = [];
  for (const [index, unit] of composed.units.entries()) {
    const request: PublishRequest<Body> = {
      unit,
      prepared: null,
      media: media.filter(({ id }) => unit.media.includes(id)),
      key: crypto.randomUUID(),
      at: new Date(AT.getTime() + index),
    };
    requests.push(unit.prepare ? { ...request, prepared: await prepareAll(bluesky, request, session) } : request);
  }
  return requests;
}

async function only(session: Session, text: string, media: readonly Media[] = []): Promise<PublishRequest<Body>> {
  const [request] = await requestsFor(session, { parts: [{ text, media }] }, media);
  if (!request) throw new Error("no unit");
  return request;
}

async function publish(request: PublishRequest<Body>, session: Session): Promise<Ref> {
  const outcome = await bluesky.publish(request, session);
  if (outcome.status !== "published") throw new Error(outcome.status);
  return outcome.ref;
}

const reader = () => new AtpAgent({ service: pds.url });

async function recordsOf({ did }: PdsAccount) {
  const { data } = await reader().com.atproto.repo.listRecords({
    repo: did,
    collection: "app.bsky.feed.post",
    reverse: true,
  });
  return data.records.map(({ uri, cid, value }) => {
    const checked = AppBskyFeedPost.validateRecord(value);
    if (!checked.success) throw checked.error;
    return { uri, cid, value: checked.value };
  });
}

describe("connecting", () => {
  test("names the account, and identify says the same", async () => {
    const session = await connected();
    const { did, handle } = session.account;
    expect(session.profile).toEqual({
      subject: did,
      handle,
      url: `https://bsky.app/profile/${handle}`,
      home: pds.url,
      limits: expect.anything(),
    });
    expect(session.credentials.expiresAt?.getTime()).toBeGreaterThan(Date.now());
    expect(await bluesky.identify(session)).toEqual(session.profile);
  });

  test("with a wrong password or handle is AUTH_REVOKED", async () => {
    const { account, ...net } = await connected();
    for (const form of [
      { identifier: account.handle, password: "wrong" },
      { identifier: "nobody.test", password: account.password },
    ]) {
      await expect(bluesky.connect({ ...form, server: pds.url }, net)).rejects.toMatchObject({
        code: "AUTH_REVOKED",
        hint: expect.stringContaining("app password"),
      });
    }
  });
});

describe("publishing", () => {
  test("marks links, mentions and tags where they stand, and leaves alone a handle nobody has", async () => {
    const session = await connected();
    const friend = await pds.createAccount(`friend-${names}.test`);
    const text = `👨‍👩‍👧‍👦 héllo @${friend.handle} @nobody.test @nobody.example.com: ${site.url.href}page and #日本語!`;
    const ref = await publish(await only(session, text), session);
    const [record] = await recordsOf(session.account);
    expect(record).toMatchObject({ uri: ref.id, cid: ref.revision, value: { text, createdAt: AT.toISOString() } });
    const segments = [...new RichText({ text, facets: record?.value.facets ?? [] }).segments()].filter(
      ({ facet }) => facet,
    );
    expect(segments.map(({ text: of, mention, link, tag }) => [of, mention?.did ?? link?.uri ?? tag?.tag])).toEqual([
      [`@${friend.handle}`, friend.did],
      [`${site.url.href}page`, `${site.url.href}page`],
      ["#日本語", "日本語"],
    ]);
    expect(ref.url).toBe(`https://bsky.app/profile/${session.account.handle}/post/${ref.id.split("/").at(-1)}`);
  });

  test("a file with everything in it: each link is its own words, at the right bytes", async () => {
    const session = await connected();
    const text = await readFile(new URL("../contract/golden/everything.md", import.meta.url), "utf8");
    const media = [{ ...picture, id: "image-1" }];
    const [content = []] = contentsOf([{ text, media }]);
    const requests = await requestsFor(session, { parts: [{ text, content, media }], split: true }, media);
    const refs: Ref[] = [];
    for (const request of requests) {
      const [root, parent] = [refs[0], refs.at(-1)];
      refs.push(await publish(root && parent ? { ...request, root, parent } : request, session));
    }
    const records = (await recordsOf(session.account)).map(({ value }) => value);
    expect(records.map((value) => value.text)).toEqual(requests.map(({ unit }) => unit.text));
    const links = records.flatMap((value) =>
      [...new RichText({ text: value.text, facets: value.facets ?? [] }).segments()].flatMap(
        ({ text: of, link, tag }) => (link || tag ? [[of, link?.uri ?? tag?.tag]] : []),
      ),
    );
    expect(links).toEqual([
      ["the docs", "https://example.com/docs/"],
      ["a page", "https://example.com/a_(b)"],
      ["https://example.org/x_y_z", "https://example.org/x_y_z"],
      ["a link", "https://example.com/two?a=1&b=2"],
      ["@ada", "https://example.com/@ada"],
      ["#wombats", "wombats"],
      ["https://example.net/c*d*e", "https://example.net/c*d*e"],
      ["https://example.com/note", "https://example.com/note"],
    ]);
    expect(JSON.parse(JSON.stringify(records[0]?.embed)).images).toMatchObject([{ alt: "Ein Bild: größer" }]);
  });

  test("makes a card of a link, with its picture where that is one", async () => {
    const session = await connected();
    await publish(await only(session, `${site.url.href}page`), session);
    await publish(await only(session, `${site.url.href}broken`), session);
    const embeds = (await recordsOf(session.account)).map(({ value }) => JSON.parse(JSON.stringify(value.embed)));
    const byUri = (path: string) => embeds.find(({ external }) => external.uri.endsWith(path));
    expect(byUri("page")).toMatchObject({
      external: { title: "A page", description: "", thumb: { mimeType: "image/png", size: PIXEL.length } },
    });
    expect(byUri("broken")).toMatchObject({ external: { title: "A page", description: "" } });
    expect(byUri("broken").external).not.toHaveProperty("thumb");
  });

  test("an image keeps its bytes, its alt text and its shape", async () => {
    const session = await connected();
    await publish(await only(session, "", [picture]), session);
    const [record] = await recordsOf(session.account);
    const embed = JSON.parse(JSON.stringify(record?.value.embed));
    expect(embed.images).toMatchObject([
      { alt: "Ein Bild: größer", aspectRatio: { width: 3, height: 2 }, image: { mimeType: "image/png" } },
    ]);
    const { data } = await reader().com.atproto.sync.getBlob({
      did: session.account.did,
      cid: embed.images[0].image.ref.$link,
    });
    expect(Buffer.from(data).equals(PIXEL)).toBe(true);
  });

  test("a thread of three answers itself, in order", async () => {
    const session = await connected();
    const requests = await requestsFor(session, {
      parts: [{ text: "Sentence one is here. ".repeat(36), media: [] }],
      split: true,
      numbered: true,
      language: "en",
    });
    expect(requests).toHaveLength(3);
    const refs: Ref[] = [];
    for (const request of requests) {
      const [root] = refs;
      const parent = refs.at(-1);
      refs.push(await publish({ ...request, ...(root && parent ? { root, parent } : {}) }, session));
    }
    const records = await recordsOf(session.account);
    expect(records.map(({ uri }) => uri)).toEqual(refs.map(({ id }) => id));
    const strong = (ref: Ref | undefined) => ({ uri: ref?.id, cid: ref?.revision });
    expect(records.map(({ value }) => value.reply)).toEqual([
      undefined,
      { root: strong(refs[0]), parent: strong(refs[0]) },
      { root: strong(refs[0]), parent: strong(refs[1]) },
    ]);
    expect(records.map(({ value }) => value.langs)).toEqual([["en"], ["en"], ["en"]]);
    expect(records.map(({ value }) => value.text.slice(-5))).toEqual(["(1/3)", "(2/3)", "(3/3)"]);
  });

  test("the longest text in characters and in bytes is taken", async () => {
    const session = await connected();
    for (const text of ["a".repeat(300), "é".repeat(300), "👨‍👩‍👧‍👦".repeat(120), "\u0301".repeat(1500)])
      await publish(await only(session, text), session);
    expect(await recordsOf(session.account)).toHaveLength(4);
  });

  test.each([
    "https://) https:///x https://[ http://a",
    `#${"á\u0301\u0301".repeat(60)} $BTC $btc`,
    "a\u0000b\ud83d",
    "@ada..test @-.test (@a.test)",
  ])("the PDS takes every text that composes: %j", async (text) => {
    const session = await connected();
    await publish(await only(session, text), session);
    expect(await recordsOf(session.account)).toHaveLength(1);
  });
});

describe("never twice", () => {
  test("publishing again, also all at once, leaves one record and gives the same ref", async () => {
    const session = await connected();
    const request = await only(session, "once", [picture]);
    const ref = await publish(request, session);
    expect(await publish(request, session)).toEqual(ref);
    const another = await only(session, "once", [picture]);
    const refs = await Promise.all(Array.from({ length: 8 }, () => publish(another, session)));
    expect(new Set(refs.map(({ id }) => id)).size).toBe(1);
    expect(await recordsOf(session.account)).toHaveLength(2);
  });

  test("a later attempt that was prepared anew finds the post that is there", async () => {
    const session = await connected();
    const request = await only(session, `${site.url.href}page`);
    const ref = await publish(request, session);
    const card = { uri: `${site.url.href}page`, title: "Another title", description: "", thumb: null };
    expect(await publish({ ...request, prepared: { images: [], mentions: [], card } }, session)).toEqual(ref);
    expect(JSON.stringify(await recordsOf(session.account))).not.toContain("Another title");
  });

  test("lookup finds this unit and no other", async () => {
    const session = await connected();
    const request = await only(session, "where is it");
    expect(await bluesky.lookup?.(request, session, new Set())).toBeUndefined();
    const ref = await publish(request, session);
    expect(await bluesky.lookup?.(request, session, new Set())).toEqual(ref);
    expect(await bluesky.lookup?.(request, session, new Set([ref.id]))).toBeUndefined();
    expect(await bluesky.lookup?.({ ...request, key: "another" }, session, new Set())).toBeUndefined();
  });

  test("what was sent under a key that nobody knows any more is searched for by its words, since then", async () => {
    const session = await connected();
    const [first, second] = await requestsFor(session, {
      parts: [
        { text: "where is it", media: [] },
        { text: "the rest", media: [] },
      ],
    });
    if (!first || !second) throw new Error("two units");
    const earlier = { ...first, key: "earlier", at: new Date(AT.getTime() - 3_600_000) };
    await publish(earlier, session);
    const lost = { ...first, key: "lost", at: new Date(AT.getTime() - 1_800_000), searching: true as const };
    const search = (request: PublishRequest<Body>, known: readonly string[] = []) =>
      bluesky.lookup?.(request, session, new Set(known));
    expect(await search(lost)).toBeUndefined();
    const root = await publish(first, session);
    expect(await search(lost)).toEqual(root);
    expect(await search(lost, [root.id])).toBeUndefined();
    const answer = { ...second, root, parent: root };
    expect(await search({ ...answer, searching: true })).toBeUndefined();
    const ref = await publish(answer, session);
    expect(await search({ ...answer, key: "lost", at: lost.at, searching: true })).toEqual(ref);
    expect(await search({ ...second, key: "lost", at: lost.at, searching: true })).toBeUndefined();
    // Behind a page of others.
    for (let index = 0; index < 101; index += 1)
      await publish(
        { ...first, unit: { ...first.unit, body: { ...first.unit.body, text: `${index}` } }, key: `${index}` },
        session,
      );
    expect(await search(lost)).toEqual(root);
  });
});

describe("tokens", () => {
  test("an expired token is AUTH_EXPIRED, garbage too, and a refreshed one publishes", async () => {
    const session = await connected();
    const request = await only(session, "later");
    for (const access of [pds.expire(session.credentials.access), "garbage"]) {
      const stale = withTokens(session, { access });
      await expect(bluesky.publish(request, stale)).rejects.toMatchObject({ code: "AUTH_EXPIRED" });
      await expect(bluesky.identify(stale)).rejects.toMatchObject({ code: "AUTH_EXPIRED" });
    }
    const fresh = await bluesky.refresh?.(session);
    expect(fresh?.refresh).not.toBe(session.credentials.refresh);
    expect(fresh?.secret).toBe(session.account.password);
    await publish(request, withTokens(session, fresh ?? {}));
    expect(await recordsOf(session.account)).toHaveLength(1);
  });

  test("a dead refresh token gives way to the app password", async () => {
    const session = await connected();
    const dead = { refresh: pds.expire(session.credentials.refresh ?? "") };
    const fresh = await bluesky.refresh?.(withTokens(session, dead));
    await publish(await only(session, "still here"), withTokens(session, fresh ?? {}));
    expect(await recordsOf(session.account)).toHaveLength(1);
    const { secret: _, ...without } = { ...session.credentials, ...dead };
    await expect(bluesky.refresh?.({ ...session, credentials: without })).rejects.toMatchObject({
      code: "AUTH_REVOKED",
    });
  });

  test("an app password that was taken back is AUTH_REVOKED", async () => {
    const session = await connected();
    await pds.revoke(session.account);
    const error: unknown = await bluesky.refresh?.(session).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "AUTH_REVOKED" });
    expect(String(error)).not.toContain(session.account.password);
  });
});

test("removing takes one post back, and again is success", async () => {
  const session = await connected();
  const kept = await publish(await only(session, "stays"), session);
  const gone = await publish(await only(session, "goes"), session);
  await bluesky.remove(gone, session);
  await bluesky.remove(gone, session);
  expect((await recordsOf(session.account)).map(({ uri }) => uri)).toEqual([kept.id]);
});
