import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import type { Answer } from "@psn/platforms/kit/http.ts";
import { describe, expect, test } from "vitest";
import { isMissing, refusalOf } from "./api.ts";
import threads from "./index.ts";

const text = (words: string, media: MediaInfo[] = []): Part => ({ text: words, media });
const post = (...parts: [Part, ...Part[]]): Post => ({ id: "p", parts });
const image = (id: string, more: Partial<MediaInfo> = {}): MediaInfo => ({
  id,
  kind: "image",
  mime: "image/png",
  bytes: 10,
  ...more,
});
const video = (id: string, more: Partial<MediaInfo> = {}): MediaInfo => ({
  id,
  kind: "video",
  mime: "video/mp4",
  bytes: 10,
  ...more,
});
const many = (count: number, make: (id: string) => MediaInfo) =>
  Array.from({ length: count }, (_, index) => make(`${make("").kind}-${index}`));

function units(value: Post) {
  const composed = threads.compose(value, threads.capabilities);
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  return composed.units;
}

function codes(value: Post): string[] {
  const composed = threads.compose(value, threads.capabilities);
  return composed.ok ? [] : composed.issues.map(({ code }) => code);
}

describe("counting, by bytes", () => {
  test.each([
    ["Latin", "hello", 5],
    ["an accent", "é", 2],
    ["a curly apostrophe", "’", 3],
    ["an emoji", "👾", 4],
    ["a family", "👨‍👩‍👧", 18],
    ["a link in full", "https://example.com/a", 21],
  ])("%s", (_, words, length) => {
    expect(units(post(text(words)))[0].length).toBe(length);
  });

  test("the limit is 500, and an emoji that no longer fits goes whole into the next part", () => {
    expect(codes(post(text("a".repeat(500))))).toEqual([]);
    expect(codes(post(text(`${"a".repeat(498)}’`)))).toEqual(["text.too-long"]);
    const made = units({ ...post(text("👨‍👩‍👧".repeat(60))), split: true });
    expect(made.map(({ text: words }) => words).join("")).toBe("👨‍👩‍👧".repeat(60));
    for (const { text: words, length } of made) {
      expect(length).toBeLessThanOrEqual(500);
      expect(words).toMatch(/^(👨‍👩‍👧)+$/u);
    }
  });
});

describe("links", () => {
  const links = (count: number) =>
    Array.from({ length: count }, (_, index) => `https://example.com/${index}`).join(" ");

  test("five different ones, however often; www. counts, a name without it does not", () => {
    expect(codes(post(text(`${links(5)} ${links(5)}.`)))).toEqual([]);
    expect(codes(post(text(links(6))))).toEqual(["text.too-many-links"]);
    expect(codes(post(text(`${links(5)} www.example.org`)))).toEqual(["text.too-many-links"]);
    expect(codes(post(text(`${links(5)} example.org mail@www.example.org`)))).toEqual([]);
  });

  test("each part has five of its own", () => {
    expect(codes(post(text(links(5)), text(`${links(5)}/b`)))).toEqual([]);
  });
});

describe("media", () => {
  test("images and videos together, up to twenty", () => {
    const most = [...many(10, image), ...many(10, video)];
    expect(units(post(text("", most)))[0].media).toHaveLength(20);
    expect(codes(post(text("", [...most, image("one-more")])))).toEqual(["media.too-many"]);
  });

  test.each([
    ["a GIF", image("a", { mime: "image/gif" }), "media.type"],
    ["a PDF", { ...image("a", { mime: "application/pdf" }), kind: "document" as const }, "media.type"],
    ["a large image", image("a", { bytes: 8_000_001 }), "media.too-large"],
    ["a long video", video("a", { durationMs: 300_001 }), "media.duration"],
    ["a wide image", image("a", { width: 1_001, height: 100 }), "media.shape"],
    ["a long alt text", image("a", { alt: "a".repeat(1_001) }), "alt.too-long"],
  ])("%s is refused", (_, file, code) => {
    expect(codes(post(text("x", [file])))).toEqual([code]);
  });

  test("what just fits composes", () => {
    const files = [
      image("a", { bytes: 8_000_000, width: 1_000, height: 100, alt: "a".repeat(1_000) }),
      video("b", { durationMs: 300_000 }),
    ];
    expect(codes(post(text("x", files)))).toEqual([]);
  });
});

describe("options", () => {
  const body = (options: Record<string, string>) =>
    units({ ...post(text("one"), text("two")), options }).map((unit) => unit.body);

  test("they are the first post's", () => {
    expect(body({ topic: "#Sailing boats", reply: "mentioned_only" })).toEqual([
      { text: "one", topic_tag: "Sailing boats", reply_control: "mentioned_only" },
      { text: "two" },
    ]);
  });

  test.each([
    ["an empty topic", { topic: "#" }, "option.topic"],
    ["a topic with a full stop", { topic: "v1.0" }, "option.topic"],
    ["a topic with an ampersand", { topic: "R&D" }, "option.topic"],
    ["a long topic", { topic: "é".repeat(51) }, "option.topic"],
    ["somebody unknown", { reply: "friends" }, "option.reply"],
    ["an unknown option", { colour: "blue" }, "option"],
  ])("%s is refused", (_, options, code) => {
    expect(codes({ ...post(text("x")), options })).toEqual([code]);
  });

  test("fifty characters are a topic", () => {
    expect(body({ topic: "é".repeat(50) })[0]).toMatchObject({ topic_tag: "é".repeat(50) });
  });
});

test("every unit is prepared, for its container", () => {
  expect(units(post(text("one"), text("two"))).map(({ prepare }) => prepare)).toEqual([true, true]);
});

describe("Graph's refusals", () => {
  const session = { fetch: async () => new Response(), now: () => new Date(0), signal: new AbortController().signal };
  const caller = { ...session, credentials: { access: "a-secret-token", scopes: [] } };
  const answer = (error: object, more: Partial<Answer> = {}): Answer => ({
    status: 400,
    headers: new Headers(),
    text: JSON.stringify({ error }),
    url: "https://graph.threads.net/v1.0/me/threads",
    host: "graph.threads.net",
    effect: "none",
    sent: "",
    ...more,
  });

  test.each([
    ["expired", { code: 190, error_subcode: 463 }, "AUTH_EXPIRED"],
    ["a password that was changed", { code: 190, error_subcode: 460 }, "AUTH_REVOKED"],
    ["invalidated", { code: 190, error_subcode: 467 }, "AUTH_REVOKED"],
    ["an app that was removed", { code: 190, error_subcode: 458 }, "AUTH_REVOKED"],
    ["a permission", { code: 10 }, "AUTH_SCOPE"],
    ["another permission", { code: 200 }, "AUTH_SCOPE"],
    ["calls", { code: 4 }, "RATE_LIMITED"],
    ["a parameter", { code: 100 }, "PLATFORM_REJECTED"],
    ["numbers as text", { code: "100", error_subcode: "33" }, "PLATFORM_REJECTED"],
    ["a downtime", { code: 2 }, "PLATFORM_DOWN"],
    ["a passing failure", { code: 100_000, is_transient: true }, "PLATFORM_DOWN"],
    ["a file that could not be fetched", { code: 1, error_subcode: 2207052 }, "PLATFORM_DOWN"],
  ])("%s", (_, error, code) => {
    expect(refusalOf(answer({ message: "no", ...error }), caller)).toMatchObject({ code });
  });

  test("a 500 is a refusal where it reads, and nothing to be believed where it publishes", () => {
    const links = { message: "THREADS_API__LINK_LIMIT_EXCEEDED", code: 100 };
    expect(refusalOf(answer(links, { status: 500 }), caller)).toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining("5 links"),
    });
    for (const code of [1, 10, 100, 190])
      expect(refusalOf(answer({ message: "x", code }, { status: 500, effect: "publish" }), caller)).toMatchObject({
        code: "OUTCOME_UNKNOWN",
      });
  });

  test("a day's posts used up, and the minutes Meta names", () => {
    expect(refusalOf(answer({ code: 9, error_subcode: 2207042 }), caller).retryAfterMs).toBe(3_600_000);
    const usage = JSON.stringify({
      "1": [{ estimated_time_to_regain_access: 19 }, { estimated_time_to_regain_access: 3 }],
    });
    const headers = new Headers({ "x-business-use-case-usage": usage });
    expect(refusalOf(answer({ code: 4 }, { headers }), caller).retryAfterMs).toBe(19 * 60_000);
    expect(
      refusalOf(answer({ code: 4 }, { headers: new Headers({ "x-business-use-case-usage": "{" }) }), caller)
        .retryAfterMs,
    ).toBeUndefined();
  });

  test("neither the token nor what was sent as a form comes back in a message", () => {
    const sent = new URLSearchParams({ text: "zanzibar wombats waltz" }).toString();
    const token = refusalOf(answer({ message: "bad token a-secret-token", code: 100 }), caller);
    expect(token.message).not.toContain("a-secret-token");
    const words = refusalOf(answer({ message: "no 'zanzibar wombats waltz' here", code: 100 }, { sent }), caller);
    expect(words.message).not.toContain("wombats");
  });

  test("missing by either number; a page of HTML is no reason", () => {
    expect(isMissing(answer({ code: 24, error_subcode: 4279009 }))).toBe(true);
    expect(isMissing(answer({ code: 100, error_subcode: 33 }))).toBe(true);
    expect(isMissing(answer({ code: 100 }))).toBe(false);
    expect(isMissing({ ...answer({}), text: "<html>" })).toBe(false);
  });
});

test("a lost answer: of two answers with the same words the one under this parent, with this many files", async () => {
  const [unit] = units(post(text("good morning")));
  const listed = (id: string, parent: string, more: object = {}) => ({
    id,
    media_type: "TEXT_POST",
    text: "good morning",
    timestamp: "2026-11-02T12:00:01+0000",
    permalink: `https://www.threads.com/@ada/post/${id}`,
    replied_to: { id: parent },
    ...more,
  });
  const data = [
    listed("1", "70"),
    listed("2", "71", { media_type: "IMAGE" }),
    listed("3", "71", { timestamp: "2026-11-02T11:00:00+0000" }),
  ];
  const lookup = (more: object[]) => {
    const fetch = async (input: string | URL) =>
      Response.json(String(input).includes("/me/replies") ? { data: [...data, ...more] } : { status: "PUBLISHED" }, {
        headers: { date: "Mon, 02 Nov 2026 12:00:05 GMT" },
      });
    const at = new Date("2026-11-02T12:00:00Z");
    const profile = {
      subject: "9",
      handle: "ada",
      url: "https://www.threads.com/@ada",
      home: "https://www.threads.net",
    };
    const session = {
      fetch,
      now: () => new Date("2026-11-02T12:00:05Z"),
      signal: new AbortController().signal,
      profile,
    };
    const parent = { id: "71", url: "https://www.threads.com/@ada/post/71" };
    const request = { unit, prepared: { container: "5", madeAt: 0 }, media: [], key: "k", at, parent, root: parent };
    return threads.lookup(request, { ...session, credentials: { access: "t", scopes: [] } }, new Set());
  };
  await expect(lookup([])).rejects.toMatchObject({ code: "PLATFORM_DOWN" });
  expect(await lookup([listed("4", "71")])).toMatchObject({ id: "4" });
});

test("a search by words finds what is out, though psn's clock is half an hour ahead", async () => {
  const [unit] = units(post(text("good morning")));
  const thread = { id: "7", media_type: "TEXT_POST", text: "good morning", timestamp: "2026-11-02T12:00:01+0000" };
  // As Threads does: nothing that is older than `since`.
  const fetch = async (input: string | URL) => {
    const since = Number(new URL(input).searchParams.get("since")) * 1000;
    const data = Date.UTC(2026, 10, 2, 12, 0, 1) < since ? [] : [thread];
    return Response.json({ data }, { headers: { date: "Mon, 02 Nov 2026 12:00:05 GMT" } });
  };
  const url = "https://www.threads.com/@ada";
  const session = {
    fetch,
    now: () => new Date("2026-11-02T12:30:05Z"),
    signal: new AbortController().signal,
    profile: { subject: "9", handle: "ada", url, home: "https://www.threads.net" },
    credentials: { access: "t", scopes: [] },
  };
  const at = new Date("2026-11-02T12:30:00Z");
  const request = { unit, prepared: null, media: [], key: "k", at, searching: true as const };
  expect(await threads.lookup(request, session, new Set())).toMatchObject({ id: "7" });
});
