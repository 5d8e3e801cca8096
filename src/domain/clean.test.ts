import { cleaned, cleanedLine } from "@psn/domain/clean.ts";
import fc from "fast-check";
import { expect, test } from "vitest";

test.each([
  ["colours", "\u001b[1;31mred\u001b[0m and \u009b1mbold", "red and bold"],
  ["a window's title and a clipboard", "a\u001b]0;owned\u0007b\u001b]52;c;eA==\u001b\\c", "abc"],
  ["half a sequence", "a\u001b[\u001b]b", "a[]b"],
  ["bells, backspaces, NUL, DEL, C1", "b\u0007a\u0008c\0k\u007f s\u0080pace", "back space"],
  ["line ends of every system", "a\r\nb\rc\u000bd\u000ce\u0085f", "a\nb\nc\nd\ne\nf"],
  ["noncharacters", "a\ufffeb\uffffc\ufdd0d\u{1fffe}e", "abcde"],
  ["half a surrogate pair", "a\ud83d", "a\ufffd"],
])("%s", (_, text, clean) => {
  expect(cleaned(text)).toBe(clean);
});

test("what people write stays: tabs, joined emoji, right-to-left marks, soft hyphens, a byte order mark within", () => {
  const text = "a\tb\nc\u2028d\u2029👩‍👩‍👧 \u200fשלום\u200e co\u00adop \ufeff é e\u0301 \u200b";
  expect(cleaned(text)).toBe(text);
});

test("a second time changes nothing, and no control character is left", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const clean = cleaned(text);
      expect(clean).not.toMatch(/[[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]--[\t\n]]/v);
      expect(cleaned(clean)).toBe(clean);
    }),
  );
});

test("a title is one line", () => {
  expect(cleanedLine(" Cats \r\n and\u2028dogs\u0007 ")).toBe("Cats and dogs");
});
