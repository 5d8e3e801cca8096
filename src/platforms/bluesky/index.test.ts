import type { Limits } from "@psn/core/types/capabilities.ts";
import type { PublishRequest, Session, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo, Post } from "@psn/core/types/post.ts";
import { describe, expect, test } from "vitest";
import type { Body } from "./compose.ts";
import bluesky from "./index.ts";
import { recordOf, tidOf } from "./record.ts";
import { originOf } from "./session.ts";

const LIMITS: Limits = bluesky.capabilities;
const FAMILY = "👨‍👩‍👧‍👦";
const photo: MediaInfo = {
  id: "m1",
  kind: "image",
  mime: "image/jpeg",
  bytes: 1000,
  width: 800,
  height: 600,
  alt: "A photo",
};

const post = (text: string, more: Partial<Post> = {}, media: readonly MediaInfo[] = []): Post => ({
  id: "p",
  parts: [{ text, media }],
  ...more,
});

function unitsOf(from: Post): readonly Unit<Body>[] {
  const composed = bluesky.compose(from, LIMITS);
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  return composed.units;
}

function unitOf(from: Post): Unit<Body> {
  const [unit] = unitsOf(from);
  if (!unit) throw new Error("no unit");
  return unit;
}

function codesOf(from: Post): string[] {
  const composed = bluesky.compose(from, LIMITS);
  return composed.ok ? [] : composed.issues.map(({ code }) => code);
}

/** The text each facet covers, by its bytes, and what it says. */
function marked(unit: Unit<Body>) {
  const bytes = Buffer.from(unit.text);
  return unit.body.facets.map(({ index, features }) => [
    bytes.subarray(index.byteStart, index.byteEnd).toString(),
    features[0]?.["uri"] ?? features[0]?.["tag"],
  ]);
}

const request = (unit: Unit<Body>, more: Partial<PublishRequest<Body>> = {}): PublishRequest<Body> => ({
  unit,
  prepared: null,
  media: [],
  key: "0193b7f2-7a1e-7000-8000-000000000001",
  at: new Date("2026-11-02T12:00:00.000Z"),
  ...more,
});

describe("compose", () => {
  test.each([
    ["300 characters", "a".repeat(300), []],
    ["301 characters", "a".repeat(301), ["text.too-long"]],
    ["300 letters with accents", "e\u0301".repeat(300), []],
    ["3000 bytes of families", FAMILY.repeat(120), []],
    ["3025 bytes of families", FAMILY.repeat(121), ["text.too-long"]],
    ["nothing", " \n", ["text.empty"]],
  ])("%s", (_name, text, codes) => {
    expect(codesOf(post(text))).toEqual(codes);
  });

  test("an image alone is enough, and is described", () => {
    const unit = unitOf(post("", {}, [photo]));
    expect(unit).toMatchObject({ text: "", length: 0, media: ["m1"], prepare: true });
    expect(unit.body.images).toEqual([
      { alt: "A photo", mime: "image/jpeg", aspectRatio: { width: 800, height: 600 } },
    ]);
  });

  test.each<[string, Partial<Post>, MediaInfo[], string]>([
    ["five images", {}, ["1", "2", "3", "4", "5"].map((id) => ({ ...photo, id })), "media.too-many"],
    ["a large image", {}, [{ ...photo, bytes: 2_000_001 }], "media.too-large"],
    ["a TIFF", {}, [{ ...photo, mime: "image/tiff" }], "media.type"],
    ["a video", {}, [{ ...photo, kind: "video", mime: "video/mp4" }], "media.type"],
    ["a long alt text", {}, [{ ...photo, alt: "a".repeat(2001) }], "alt.too-long"],
    ["followers only", { visibility: "followers" }, [], "visibility"],
    ["a content warning", { contentWarning: "spoiler" }, [], "warning"],
    ["a language that is none", { language: "not a tag" }, [], "language"],
  ])("refuses %s", (_name, more, media, code) => {
    expect(codesOf(post("hello", more, media))).toEqual([code]);
  });

  test("an image of 2,000,000 bytes with 2,000 characters of alt text is taken", () => {
    expect(codesOf(post("hello", {}, [{ ...photo, bytes: 2_000_000, alt: FAMILY.repeat(2000) }]))).toEqual([]);
  });

  test("a long text becomes a thread when asked, with its image on the first unit", () => {
    const units = unitsOf(post("word ".repeat(130), { split: true, numbered: true, language: "pt-BR" }, [photo]));
    expect(units.map(({ text }) => text.slice(-6))).toEqual([" (1/3)", " (2/3)", " (3/3)"]);
    expect(units.map(({ media }) => media)).toEqual([["m1"], [], []]);
    for (const { length, body } of units) {
      expect(length).toBeLessThanOrEqual(300);
      expect(body.langs).toEqual(["pt-BR"]);
    }
  });

  test("half a surrogate pair, which no PDS takes, is replaced", () => {
    expect(unitOf(post("a\ud83d")).text).toBe("a\ufffd");
  });
});

describe("facets", () => {
  test.each<[string, [string, string][]]>([
    ["plain text", []],
    ["日本語 https://example.com/ä?q=1 end", [["https://example.com/ä?q=1", "https://example.com/ä?q=1"]]],
    [`${FAMILY} see example.com.`, [["example.com", "https://example.com"]]],
    ["(https://example.com/x), and", [["https://example.com/x", "https://example.com/x"]]],
    [
      "https://en.wikipedia.org/wiki/A_(b)",
      [["https://en.wikipedia.org/wiki/A_(b)", "https://en.wikipedia.org/wiki/A_(b)"]],
    ],
    [
      "é #tag and #日本語! #1",
      [
        ["#tag", "tag"],
        ["#日本語", "日本語"],
      ],
    ],
    [`#${`a${"\u0301".repeat(10)}`.repeat(33)}`, []],
    ["https://) https:///x", []],
    ["Https://Example.com/news is my new site", [["Https://Example.com/news", "https://Example.com/news"]]],
    ["HTTPS://example.com/a", [["HTTPS://example.com/a", "https://example.com/a"]]],
    [
      "ko-fi.com my-site.org/x 日本語.jp",
      [
        ["ko-fi.com", "https://ko-fi.com"],
        ["my-site.org/x", "https://my-site.org/x"],
        ["日本語.jp", "https://日本語.jp"],
      ],
    ],
    [
      "(see https://en.wikipedia.org/wiki/Bug_(software))",
      [["https://en.wikipedia.org/wiki/Bug_(software)", "https://en.wikipedia.org/wiki/Bug_(software)"]],
    ],
    ["And so on: https://example.com/a...", [["https://example.com/a", "https://example.com/a"]]],
    ["He called it “new at https://example.com/a”", [["https://example.com/a", "https://example.com/a"]]],
    ["(old: [https://example.com/a])", [["https://example.com/a", "https://example.com/a"]]],
    ["**https://example.com/a**", [["https://example.com/a", "https://example.com/a"]]],
    ["詳しくは「https://example.com/a」を", [["https://example.com/a", "https://example.com/a"]]],
    ["👉https://example.com/a", [["https://example.com/a", "https://example.com/a"]]],
    [
      "(#ATL) “#two words”",
      [
        ["#ATL", "ATL"],
        ["#two", "two"],
      ],
    ],
    [
      "($GOOG) [$aapl]",
      [
        ["$GOOG", "$GOOG"],
        ["$aapl", "$AAPL"],
      ],
    ],
    ["Fixed a typo in README.md and moved main.py, setup.sh, main.rs and lib.so, thanks all", []],
    ["https://example.com/#tag", [["https://example.com/#tag", "https://example.com/#tag"]]],
  ])("%j", (text, expected) => {
    expect(marked(unitOf(post(text)))).toEqual(expected);
  });

  test.each([
    ["“@bob.test”", ["bob.test"]],
    ["(@a.example.com),[@b.example.com]", ["a.example.com", "b.example.com"]],
    ["日本@a.example.comさん", ["a.example.com"]],
    ["mail a@example.com, RT@b.example.com, https://example.com/@c.example.com @README.md1", []],
  ])("mentions in %j", (text, handles) => {
    expect(unitOf(post(text)).body.mentions.map(({ handle }) => handle)).toEqual(handles);
  });

  test("mentions stay handles until they are looked up", () => {
    const unit = unitOf(post("é @ada.bsky.social, @nobody"));
    expect(unit.body.mentions).toEqual([{ handle: "ada.bsky.social", byteStart: 3, byteEnd: 19 }]);
    expect(unit).toMatchObject({ prepare: true, body: { facets: [], link: null } });
  });

  test.each([
    ["README.md and main.rs: see example.com", null],
    ["setup.sh, then https://one.example.com/a", "https://one.example.com/a"],
    ["example.org/a before http://two.example.com", "http://two.example.com"],
    ["(https://one.example.com/x).", "https://one.example.com/x"],
    ["Https://Example.com/news is my new site", "https://Example.com/news"],
  ])("%j: a card is made only of a link that was written out", (text, link) => {
    const { body } = unitOf(post(text));
    expect(body.link).toBe(link);
  });

  test("the first link becomes a card, unless there are images", () => {
    const text = "one.example.com https://two.example.com https://three.example.com";
    expect(unitOf(post(text))).toMatchObject({ prepare: true, body: { link: "https://two.example.com" } });
    expect(unitOf(post(text, {}, [photo]))).toMatchObject({ body: { link: null } });
    expect(unitOf(post("just text #tag"))).toMatchObject({ prepare: false });
  });
});

describe("the record's key", () => {
  const at = new Date("2026-11-02T12:00:00.000Z");

  test("is a TID of the instant, the same for the same unit and another for another", () => {
    expect(tidOf(at, "a")).toBe(tidOf(new Date(at), "a"));
    expect(tidOf(at, "a")).not.toBe(tidOf(at, "b"));
    // https://atproto.com/specs/tid
    expect(tidOf(at, "a")).toMatch(/^[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}$/);
    expect(Math.floor(microsOf(tidOf(at, "a")) / 1000)).toBe(at.getTime());
    expect(tidOf(new Date(at.getTime() + 1), "a") > tidOf(at, "b")).toBe(true);
  });

  test("hardly ever meets another in one millisecond", () => {
    const keys = Array.from({ length: 300 }, (_, index) => tidOf(at, `unit-${index}`));
    expect(new Set(keys).size).toBe(300);
  });

  test("is what it was in the first version", () => {
    expect(tidOf(at, "0193b7f2-7a1e-7000-8000-000000000001")).toMatchInlineSnapshot(`"3mzdbleeogkng"`);
  });
});

function microsOf(tid: string): number {
  let value = 0n;
  for (const letter of tid) value = value * 32n + BigInt("234567abcdefghijklmnopqrstuvwxyz".indexOf(letter));
  return Number(value >> 10n);
}

describe("the record", () => {
  const blob = { $type: "blob", ref: { $link: "bafkrei" }, mimeType: "image/jpeg", size: 1000 };
  const ref = (rkey: string) => ({
    id: `at://did:plc:ada/app.bsky.feed.post/${rkey}`,
    url: "https://bsky.app",
    revision: `cid-${rkey}`,
  });

  test("of an answer with an image, a mention and a language", () => {
    const unit = unitOf(post("hé @ada.test #tag", { language: "fr" }, [photo]));
    const mention = {
      index: { byteStart: 4, byteEnd: 13 },
      features: [{ $type: "app.bsky.richtext.facet#mention", did: "did:plc:ada" }],
    };
    const prepared = { images: [blob], mentions: [mention], card: null };
    expect(recordOf(request(unit, { prepared, root: ref("root"), parent: ref("parent") }))).toMatchInlineSnapshot(`
      {
        "$type": "app.bsky.feed.post",
        "createdAt": "2026-11-02T12:00:00.000Z",
        "embed": {
          "$type": "app.bsky.embed.images",
          "images": [
            {
              "alt": "A photo",
              "aspectRatio": {
                "height": 600,
                "width": 800,
              },
              "image": {
                "$type": "blob",
                "mimeType": "image/jpeg",
                "ref": {
                  "$link": "bafkrei",
                },
                "size": 1000,
              },
            },
          ],
        },
        "facets": [
          {
            "features": [
              {
                "$type": "app.bsky.richtext.facet#mention",
                "did": "did:plc:ada",
              },
            ],
            "index": {
              "byteEnd": 13,
              "byteStart": 4,
            },
          },
          {
            "features": [
              {
                "$type": "app.bsky.richtext.facet#tag",
                "tag": "tag",
              },
            ],
            "index": {
              "byteEnd": 18,
              "byteStart": 14,
            },
          },
        ],
        "langs": [
          "fr",
        ],
        "reply": {
          "parent": {
            "cid": "cid-parent",
            "uri": "at://did:plc:ada/app.bsky.feed.post/parent",
          },
          "root": {
            "cid": "cid-root",
            "uri": "at://did:plc:ada/app.bsky.feed.post/root",
          },
        },
        "text": "hé @ada.test #tag",
      }
    `);
  });

  test("of a link with a card", () => {
    const unit = unitOf(post("https://example.com/x"));
    const card = { uri: "https://example.com/x", title: "X", description: "Y", thumb: blob };
    expect(recordOf(request(unit, { prepared: { images: [], mentions: [], card } }))).toMatchInlineSnapshot(`
      {
        "$type": "app.bsky.feed.post",
        "createdAt": "2026-11-02T12:00:00.000Z",
        "embed": {
          "$type": "app.bsky.embed.external",
          "external": {
            "description": "Y",
            "thumb": {
              "$type": "blob",
              "mimeType": "image/jpeg",
              "ref": {
                "$link": "bafkrei",
              },
              "size": 1000,
            },
            "title": "X",
            "uri": "https://example.com/x",
          },
        },
        "facets": [
          {
            "features": [
              {
                "$type": "app.bsky.richtext.facet#link",
                "uri": "https://example.com/x",
              },
            ],
            "index": {
              "byteEnd": 21,
              "byteStart": 0,
            },
          },
        ],
        "text": "https://example.com/x",
      }
    `);
  });

  test("of plain text", () => {
    expect(recordOf(request(unitOf(post("hello"))))).toMatchInlineSnapshot(`
      {
        "$type": "app.bsky.feed.post",
        "createdAt": "2026-11-02T12:00:00.000Z",
        "text": "hello",
      }
    `);
  });

  test("is not made before what it needs is there", () => {
    expect(() => recordOf(request(unitOf(post("", {}, [photo]))))).toThrow("before it was prepared");
    expect(() =>
      recordOf(request(unitOf(post("hello")), { root: { id: "a", url: "b" }, parent: { id: "a", url: "b" } })),
    ).toThrow("content id");
  });
});

describe("connecting", () => {
  test.each([
    ["", "https://bsky.social"],
    ["bsky.social", "https://bsky.social"],
    [" https://pds.example.com/ ", "https://pds.example.com"],
    ["pds.example.com:8443", "https://pds.example.com:8443"],
    ["http://localhost:2583", "http://localhost:2583"],
    ["http://127.0.0.1:2583", "http://127.0.0.1:2583"],
    ["http://[::1]:2583", "http://[::1]:2583"],
  ])("takes %j as a server", (typed, origin) => {
    expect(originOf(typed)).toBe(origin);
  });

  test.each([
    "http://bsky.social",
    "http://127.0.0.1.example.com",
    "ftp://bsky.social",
    "https://a:b@bsky.social",
    "bsky.social/path",
    "bsky.social?x",
    "a b",
    "https://",
  ])("refuses %j as a server", (typed) => {
    expect(() => originOf(typed)).toThrow(expect.objectContaining({ code: "INPUT_INVALID" }));
  });

  const did = "did:plc:ada";
  const answer = (more: object = {}) =>
    Response.json({ did, handle: "ada.example", accessJwt: "a.e30.c", refreshJwt: "r", ...more });
  const net = (response: () => Response, seen: { url: string; init: RequestInit | undefined }[] = []) => ({
    now: () => new Date(0),
    signal: new AbortController().signal,
    fetch: async (url: string | URL, init?: RequestInit) => {
      seen.push({ url: String(url), init });
      return response();
    },
  });
  const form = { identifier: "@ada.example\u202c", password: "abcd-efgh", server: "" };
  const pds = (serviceEndpoint: unknown) => ({
    didDoc: { service: [{ id: "#atproto_pds", type: "AtprotoPersonalDataServer", serviceEndpoint }] },
  });

  test("signs in at the server and lives where the DID document says", async () => {
    const seen: { url: string; init: RequestInit | undefined }[] = [];
    const { profile, credentials } = await bluesky.connect(
      form,
      net(() => answer({ ...pds("https://morel.example/"), uri: "at://did:plc:ada/app.bsky.feed.post/3kabc" }), seen),
    );
    expect(seen.map(({ url }) => url)).toEqual([
      "https://bsky.social/xrpc/com.atproto.server.createSession",
      // Which images it takes; it stores nothing.
      "https://morel.example/xrpc/com.atproto.repo.createRecord",
      "https://morel.example/xrpc/com.atproto.repo.deleteRecord",
    ]);
    expect(seen[0]?.init?.body).toBe('{"identifier":"ada.example","password":"abcd-efgh"}');
    expect(profile).toEqual({
      subject: did,
      handle: "ada.example",
      url: "https://bsky.app/profile/ada.example",
      home: "https://morel.example",
    });
    expect(credentials).toEqual({ access: "a.e30.c", refresh: "r", secret: "abcd-efgh", scopes: [] });
  });

  test.each([
    [
      "PDS 0.4.217",
      "Invalid app.bsky.feed.post record: blob too big (maximum 1000000, got 2000000) at " +
        "$.record.embed.images[0].image",
      1_000_000,
    ],
    ["one with a bound of its own", "blob too big (maximum 976560, got 2000000)", 976_560],
    [
      "one that takes what psn knows",
      "Invalid app.bsky.feed.post record: Invalid datetime (got string) at $.record.createdAt",
      undefined,
    ],
    ["one that has another bound in its words", "text too big (maximum 30000, got 2000000)", undefined],
  ])(
    "an image too large for the server is refused while the post is written: %s",
    async (_server, message, maxBytes) => {
      const seen: { url: string; init: RequestInit | undefined }[] = [];
      const said = () =>
        seen.at(-1)?.url.endsWith("createSession")
          ? answer()
          : Response.json({ error: "InvalidRequest", message }, { status: 400 });
      const { profile } = await bluesky.connect(form, net(said, seen));
      expect(profile.limits?.images?.maxBytes).toBe(maxBytes);
      const { record, swapCommit, validate } = JSON.parse(String(seen[1]?.init?.body));
      // Two reasons for which no server may keep it.
      expect({ createdAt: record.createdAt, swapCommit, validate }).toEqual({
        createdAt: "never",
        swapCommit: expect.any(String),
        validate: true,
      });
      const large = {
        id: "p",
        parts: [{ text: "x", media: [{ id: "m", kind: "image", mime: "image/jpeg", bytes: 1_646_172 }] }],
      } as const;
      const composed = bluesky.compose(large, { ...bluesky.capabilities, ...profile.limits });
      expect(composed.ok ? [] : composed.issues.map(({ code }) => code)).toEqual(
        maxBytes === undefined ? [] : ["media.too-large"],
      );
    },
  );

  test("a server that does not say what it takes keeps nobody from connecting", async () => {
    const seen: { url: string; init: RequestInit | undefined }[] = [];
    const down = () => (seen.at(-1)?.url.endsWith("createSession") ? answer() : new Response("", { status: 503 }));
    expect((await bluesky.connect(form, net(down, seen))).profile.limits).toBeUndefined();
    const rehearsed: typeof seen = [];
    await bluesky.connect(form, { ...net(() => answer(), rehearsed), dryRun: true });
    expect(rehearsed).toHaveLength(1);
  });

  test.each([undefined, "http://127.0.0.1:99", "http://pds.example", "ftp://x", "nonsense", 7])(
    "stays with the server when the document says %j",
    async (endpoint) => {
      expect(
        (
          await bluesky.connect(
            form,
            net(() => answer(pds(endpoint))),
          )
        ).profile.home,
      ).toBe("https://bsky.social");
    },
  );

  test("an account whose handle is broken is shown by its DID", async () => {
    expect(
      (
        await bluesky.connect(
          form,
          net(() => answer({ handle: "handle.invalid" })),
        )
      ).profile.url,
    ).toBe(`https://bsky.app/profile/${did}`);
  });

  test.each<[string, () => Response, string]>([
    [
      "a wrong password",
      () => Response.json({ error: "AuthenticationRequired", message: "no: abcd-efgh" }, { status: 401 }),
      "AUTH_REVOKED",
    ],
    ["a second factor", () => Response.json({ error: "AuthFactorTokenRequired" }, { status: 401 }), "AUTH_REVOKED"],
    ["a taken down account", () => Response.json({ error: "AccountTakedown" }, { status: 401 }), "AUTH_REVOKED"],
    ["an account that is not active", () => answer({ active: false, status: "deactivated" }), "AUTH_REVOKED"],
    [
      "another kind of server",
      () => Response.json({ error: "MethodNotImplemented" }, { status: 404 }),
      "INPUT_INVALID",
    ],
    ["a page", () => new Response("<html>"), "PLATFORM_CHANGED"],
    ["too many attempts", () => Response.json({ error: "RateLimitExceeded" }, { status: 429 }), "RATE_LIMITED"],
    ["bad weather", () => new Response("", { status: 502 }), "PLATFORM_DOWN"],
  ])("%s is a clear error without the password", async (_name, response, code) => {
    const error: unknown = await bluesky.connect(form, net(response)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain("abcd-efgh");
  });

  test("what is missing is asked for before anything is sent", async () => {
    const seen: { url: string; init: RequestInit | undefined }[] = [];
    for (const missing of ["identifier", "password"]) {
      await expect(bluesky.connect({ ...form, [missing]: " " }, net(answer, seen))).rejects.toMatchObject({
        code: "INPUT_REQUIRED",
      });
    }
    expect(seen).toEqual([]);
  });

  test("a new session with the app password must be the same account's", async () => {
    const session: Session = {
      ...net(() => answer({ did: "did:plc:eve" })),
      credentials: { access: "a", secret: "s", scopes: [] },
      profile: { subject: did, handle: "ada.example", url: "https://x", home: "https://bsky.social" },
    };
    await expect(bluesky.refresh?.(session)).rejects.toMatchObject({ code: "AUTH_REVOKED" });
  });
});

describe("publishing", () => {
  const session = (answers: Response[]): Session => ({
    now: () => new Date(0),
    signal: new AbortController().signal,
    fetch: async () => answers.shift() ?? new Response("", { status: 500 }),
    credentials: { access: "secret-token", scopes: [] },
    profile: { subject: "did:plc:ada", handle: "ada.example", url: "https://x", home: "https://pds.example" },
  });
  const swap = () => Response.json({ error: "InvalidSwap", message: "Record was at bafy" }, { status: 400 });
  const unit = unitOf(post("hello"));

  test("the record of an earlier attempt is this post, and any other is not", async () => {
    const record = (text: string) =>
      Response.json({
        uri: "at://did:plc:ada/app.bsky.feed.post/x",
        cid: "bafy",
        value: { text, createdAt: "2026-11-02T12:00:00.000Z" },
      });
    const ref = {
      id: "at://did:plc:ada/app.bsky.feed.post/x",
      url: "https://bsky.app/profile/ada.example/post/x",
      revision: "bafy",
    };
    expect(await bluesky.publish(request(unit), session([swap(), record("hello")]))).toEqual({
      status: "published",
      ref,
    });
    await expect(bluesky.publish(request(unit), session([swap(), record("something else")]))).rejects.toMatchObject({
      code: "PLATFORM_REJECTED",
    });
    await expect(bluesky.publish(request(unit), session([swap()]))).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  });

  test("a refused repeat proves that nothing was taken only where no record has its key", async () => {
    const refused = () => Response.json({ error: "InvalidRequest", message: "Invalid record" }, { status: 400 });
    const none = () => Response.json({ error: "RecordNotFound", message: "Could not locate record" }, { status: 400 });
    const record = (text: string) =>
      Response.json({
        uri: "at://did:plc:ada/app.bsky.feed.post/x",
        cid: "bafy",
        value: { text, createdAt: "2026-11-02T12:00:00.000Z" },
      });
    const repeat = { ...request(unit), again: true as const };
    const said = (answers: Response[], one = repeat) =>
      bluesky.publish(one, session(answers)).catch((thrown: unknown) => thrown);
    expect(await said([refused(), none()])).toMatchObject({ code: "PLATFORM_REJECTED", neverTaken: true });
    expect(await said([refused(), record("hello")])).toMatchObject({ status: "published", ref: { revision: "bafy" } });
    expect(await said([refused(), record("something else")])).toMatchObject({
      code: "PLATFORM_REJECTED",
      neverTaken: false,
    });
    expect(await said([refused(), new Response("", { status: 500 })])).toMatchObject({
      code: "PLATFORM_REJECTED",
      neverTaken: false,
    });
    expect(
      await bluesky.publish(request(unit), session([refused(), none()])).catch((thrown: unknown) => thrown),
    ).toMatchObject({
      neverTaken: false,
    });
  });

  test.each([
    [400, "ExpiredToken", "AUTH_EXPIRED"],
    [400, "InvalidToken", "AUTH_EXPIRED"],
    [401, "AuthMissing", "AUTH_EXPIRED"],
    [401, "AccountDeactivated", "AUTH_REVOKED"],
    [403, "Forbidden", "AUTH_SCOPE"],
    [400, "InvalidRequest", "PLATFORM_REJECTED"],
    [429, "RateLimitExceeded", "RATE_LIMITED"],
    [500, "InternalServerError", "OUTCOME_UNKNOWN"],
  ])("%i %s is %s", async (status, error, code) => {
    const answer = Response.json({ error, message: "for secret-token" }, { status });
    const thrown: unknown = await bluesky.publish(request(unit), session([answer])).catch((reason: unknown) => reason);
    expect(thrown).toMatchObject({ code });
    expect(String(thrown)).not.toContain("secret-token");
  });

  test("a post of another account is not taken back", async () => {
    await expect(
      bluesky.remove({ id: "at://did:plc:eve/app.bsky.feed.post/x", url: "x" }, session([])),
    ).rejects.toMatchObject({
      code: "INPUT_INVALID",
    });
    await expect(
      bluesky.remove({ id: "at://did:plc:ada/app.bsky.graph.follow/x", url: "x" }, session([])),
    ).rejects.toMatchObject({
      code: "INPUT_INVALID",
    });
  });
});
