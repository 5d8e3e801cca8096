import { pairs } from "@psn/cli/fold.ts";
import { clip, createOutput, textLines } from "@psn/cli/output.ts";
import { PsnError } from "@psn/core/errors.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

function written(json: boolean, color?: boolean) {
  const out: string[] = [];
  const err: string[] = [];
  const sink = (texts: string[]) => ({ isTTY: false, write: (text: string) => void texts.push(text) });
  const output = createOutput({ json, stdout: sink(out), stderr: sink(err), color });
  return { output, out: () => out.join(""), err: () => err.join("") };
}

test("data goes to stdout, notes and failures to stderr", () => {
  const { output, out, err } = written(false);
  output.result({ a: 1 }, () => "one line");
  output.note("next: psn queue");
  output.failure(new PsnError("TIME_INVALID", "two\nlines"));
  expect(out()).toBe("one line\n");
  expect(err()).toBe("next: psn queue\n✗ two lines (TIME_INVALID)\n  → psn help times\n");
});

test("with --json there are no notes, and a failure is a document", () => {
  const { output, out, err } = written(true);
  output.note("next: psn queue");
  output.failure(new PsnError("RATE_LIMITED", "slowly", { retryAfterMs: 1000 }));
  expect(err()).toBe("");
  expect(JSON.parse(out())).toEqual({
    error: { code: "RATE_LIMITED", message: "slowly", hint: null, retry: "backoff", next: null, retryAfterMs: 1000 },
  });
});

test("what others wrote cannot steer the terminal; psn's own colours are put in after that", () => {
  const { output, out, err } = written(false, true);
  output.result(
    {},
    () => `\u001b]0;owned\u0007\u001b[2J${output.style("red", "red \u001b[8mhidden\u001b[0m")}\rover\u009b1m`,
  );
  output.note("\u001b[1Aup \u001b[31mred");
  output.failure(
    new PsnError("PLATFORM_REJECTED", "it says \u001b[8mhidden", { hint: "psn connect \u001b]52;c;cm0gLXJm\u0007" }),
  );
  expect(out()).toBe(
    String.raw`\u001b]0;owned\u0007\u001b[2J` +
      "\u001b[31mred " +
      String.raw`\u001b[8mhidden\u001b[0m` +
      "\u001b[39m over" +
      String.raw`\u009b1m` +
      "\n",
  );
  expect(err()).toBe(
    [
      String.raw`\u001b[1Aup \u001b[31mred`,
      `\u001b[31m✗\u001b[39m ${String.raw`it says \u001b[8mhidden`} \u001b[2m(PLATFORM_REJECTED)\u001b[22m`,
      `  \u001b[2m→\u001b[22m ${String.raw`psn connect \u001b]52;c;cm0gLXJm\u0007`}`,
      "",
    ].join("\n"),
  );
});

test("a string is one line, whatever is in it; a stream without colours shows none", () => {
  const { output, out, err } = written(false, false);
  output.result({}, () => [output.style("bold", "ada\nFAKE  published"), ["b\r\nc\u2028d\u0085e"]]);
  output.note(["one", ["", "two\nthree"]]);
  output.request("four\nfive");
  expect(out()).toBe("ada FAKE  published\nb c d e\n");
  expect(err()).toBe("one\n\ntwo three\nfour five\n");
});

test("a document in JSON means the same and steers nothing", () => {
  const { output, out } = written(true);
  const document = { handle: "a\u009b31m\u001b[1m\u007f\u202e\u2028\u200b\ufeff\ud800 👩‍👩‍👧", n: [1, "\n\t"] };
  output.result(document, () => "");
  expect(JSON.parse(out())).toEqual(document);
  expect(out()).toContain(String.raw`a\u009b31m\u001b[1m\u007f\u202e\u2028\u200b\ufeff\ud800 👩‍👩‍👧`);
  expect(out().replaceAll("\n", "")).not.toMatch(UNSAFE);
});

/** What no line of psn's may hold where it shows no colours. */
const UNSAFE =
  /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e00ff}]/u;
const PIECES = [
  ..."\u0000\u0007\b\t\n\v\f\r\u001b\u007f\u0085\u0090\u009b\u009c\u009d\u00ad\u061c",
  ..."\u200b\u200d\u200e\u200f\u2028\u2029\u202e\u2066\ufeff\ufffb",
  ...[
    "\u001b[31m",
    "\u001b]0;t\u0007",
    "\u001b]8;;http://x\u001b\\",
    "\u001bP1$r\u001b\\",
    "\u009b2J",
    "\ud800",
    "\u{e0041}",
    "\ufdd0",
  ],
  ...["é", "日", "👩‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "می‌خواهم", "क्‍ष", "x", " ", "\\u001b"],
];
const hostile = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((pieces) => pieces.join(""));

test("nothing gets through, in any place and in any stream", () => {
  fc.assert(
    fc.property(hostile, fc.boolean(), (words, json) => {
      const { output, out, err } = written(json, false);
      output.result({ words, [words]: [words] }, () => [
        words,
        output.style("green", words),
        pairs([
          [words, words],
          ["b", clip(words, 9)],
        ]),
        textLines(words),
      ]);
      output.note([words, [words]]);
      output.request(words);
      output.failure(new PsnError("PLATFORM_REJECTED", words, { hint: words }));
      for (const line of `${out()}${err()}`.split("\n"))
        expect(line.replaceAll("\t", "").replaceAll(KEPT, "")).not.toMatch(UNSAFE);
      expect(err().split("\n")).toHaveLength(json ? 2 : 6);
      if (json)
        for (const document of out().split(/(?<=^\})\n/m))
          if (document !== "") expect(() => JSON.parse(document)).not.toThrow();
    }),
  );
});
/** Whole signs of which an invisible character is a part. */
const KEPT = /🏴󠁧󠁢󠁥󠁮󠁧󠁿/gu;

test("colours come from psn alone, whatever is in the words", () => {
  fc.assert(
    fc.property(hostile, (words) => {
      const { output, out } = written(false, true);
      output.result({}, () => `>${output.style("red", words)}<`);
      expect(out().startsWith(">\u001b[31m")).toBe(words !== "");
      expect(out().split("\u001b")).toHaveLength(words === "" ? 1 : 3);
    }),
  );
});

describe("pairs", () => {
  test("the terms are as wide as a terminal shows them", () => {
    expect(
      pairs([
        ["日本", "x"],
        ["a", "y"],
        ["👩‍👩‍👧", "z"],
      ]),
    ).toEqual(["日本  x", "a     y", "👩‍👩‍👧    z"]);
  });

  test("what is too long goes on below, and a screen without room has it below the term", () => {
    expect(pairs([["  a", "one two three four five six seven"]], 30)).toEqual([
      "  a  one two three four five",
      "     six seven",
    ]);
    expect(pairs([["a-long-term", "one two three four five"]], 24)).toEqual([
      "a-long-term",
      "    one two three four",
      "    five",
    ]);
    expect(pairs([["a", ""]])).toEqual(["a"]);
  });
});

test("clip cuts at a whole character, on one line", () => {
  expect(clip("one\n two", 20)).toBe("one two");
  expect(clip("日本語の文", 7)).toBe("日本語…");
  expect(clip("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 5)).toBe("👩‍👩‍👧👩‍👩‍👧…");
});
