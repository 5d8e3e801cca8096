import { expect, test } from "vitest";
import { authoredIn, withoutAuthored, wordsOf } from "./words.ts";

/**
 * What real servers answered (X's playground, PDS 0.4.217, GoToSocial 0.20, Hollo 0.10.0), and what specifications
 * write.
 */
test.each<[string, unknown, string[]]>([
  [
    "X",
    {
      errors: [{ parameters: { quote_tweet_id: ["1"] }, message: "Your quote tweet ID is invalid." }],
      title: "Invalid Request",
      detail: "One or more parameters to your request was invalid.",
    },
    ["Your quote tweet ID is invalid.", "One or more parameters to your request was invalid.", "Invalid Request"],
  ],
  [
    "XRPC",
    { error: "InvalidRequest", message: "blob too big (maximum 1000000, got 1646172)" },
    ["InvalidRequest", "blob too big (maximum 1000000, got 1646172)"],
  ],
  [
    "GoToSocial",
    { error: "Bad Request: text with spoiler exceed max chars (5000)" },
    ["Bad Request: text with spoiler exceed max chars (5000)"],
  ],
  [
    "Hollo",
    {
      error: "invalid_request",
      zod_error: {
        name: "ZodError",
        issues: [{ code: "too_small", path: ["status"], message: "String must contain at least 1 character(s)" }],
      },
    },
    ["invalid_request", "String must contain at least 1 character(s)"],
  ],
  [
    "OAuth",
    { error: "invalid_grant", error_description: "The code has\n expired" },
    ["invalid_grant", "The code has expired"],
  ],
  [
    "RFC 9457",
    {
      type: "about:blank",
      title: "Not valid",
      detail: "Two fields",
      errors: [{ detail: "must be a positive integer", pointer: "#/age" }],
    },
    ["must be a positive integer", "Two fields", "Not valid"],
  ],
  [
    "LinkedIn",
    {
      status: 422,
      code: "X",
      message: "Bad",
      errorDetails: { inputErrors: [{ code: "Y", description: "altText is too long" }] },
    },
    ["altText is too long", "Bad"],
  ],
  ["Graph", { error: { message: "Invalid parameter", code: 100 } }, ["Invalid parameter"]],
  [
    "fields with lists",
    { errors: { status: ["can't be blank"], media: ["too large"] } },
    ["can't be blank", "too large"],
  ],
  ["a list of words", { errors: ["one", "two"] }, ["one", "two"]],
  ["a word", "Too long", ["Too long"]],
  ["nothing", { ok: false, errors: null, message: 7 }, []],
])("the words of %s", (_, body, words) => {
  expect(wordsOf(body)).toEqual(words);
});

test("a body without an end in depth or breadth has a few words", () => {
  let deep: unknown = "deep";
  for (let at = 0; at < 10_000; at += 1) deep = { errors: [deep], message: "m" };
  expect(wordsOf(deep).length).toBeLessThan(50);
  expect(wordsOf({ errors: Array.from({ length: 100_000 }, (_, at) => ({ message: `m${at}` })) }).length).toBeLessThan(
    50,
  );
});

const record = {
  repo: "did:plc:abcdefghijklmnopqrst",
  collection: "app.bsky.feed.post",
  record: {
    $type: "app.bsky.feed.post",
    text: "a secret launch on the first of May",
    createdAt: "2026-12-01T09:00:00.000Z",
    embed: { images: [{ alt: "The rocket on its pad" }] },
  },
};

test("the author's words are a request's values, and neither its keys nor a protocol's names", () => {
  const authored = authoredIn(JSON.stringify(record));
  expect(authored).toEqual(["a secret launch on the first of May", "The rocket on its pad"]);
  const said =
    "Invalid app.bsky.feed.post record: blob too big (maximum 1000000, got 1646172) at $.record.embed.images[0].image";
  expect(withoutAuthored(said, authored)).toBe(said);
  expect(authoredIn(new URLSearchParams({ media_type: "TEXT", text: "zanzibar wombats" }).toString())).toEqual([
    "zanzibar wombats",
  ]);
  expect(authoredIn(JSON.stringify({ status: "Donaudampfschifffahrt", url: "https://a.example/secret" }))).toHaveLength(
    2,
  );
});

test("only the piece that repeats the author is taken out", () => {
  const authored = authoredIn(JSON.stringify(record));
  expect(withoutAuthored('text "a secret launch on the first of May" is 3 too long', authored)).toBe(
    'text "•••" is 3 too long',
  );
  expect(withoutAuthored("alt The rocket on its pad: bad", authored)).toBe("alt •••: bad");
  expect(withoutAuthored("'launch day' is taken", ["launch day"])).toBe("'•••' is taken");
  expect(withoutAuthored("hello is too short", ["hello"])).toBe("hello is too short");
  expect(
    withoutAuthored("two\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}", [
      "x\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}",
    ]).isWellFormed(),
  ).toBe(true);
});
