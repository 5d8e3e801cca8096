import { describe, expect, test } from "vitest";
import { printable, printableJson } from "./printable.ts";

describe("what a terminal would obey is shown", () => {
  test.each([
    ["\u001b[31mred", String.raw`\u001b[31mred`],
    ["\u009b31m", String.raw`\u009b31m`],
    ["\u0007\u0008\u007f", String.raw`\u0007\u0008\u007f`],
    ["a\u202egnp.exe", String.raw`a\u202egnp.exe`],
    ["\u2066x\u2069", String.raw`\u2066x\u2069`],
    ["\u200e\u200f\u061c", String.raw`\u200e\u200f\u061c`],
    [
      "ad\u200bmin ad\u200dmin ad\u00admin ad\u2060min\ufeff",
      String.raw`ad\u200bmin ad\u200dmin ad\u00admin ad\u2060min\ufeff`,
    ],
    ["a\ufe0fb \u3164", String.raw`a\ufe0fb \u3164`],
    ["x\u{e0041}", String.raw`x\udb40\udc41`],
    ["\ud800 \ufffe", String.raw`\ud800 \ufffe`],
  ])("%j", (text, expected) => {
    expect(printable(text)).toBe(expected);
    expect(printable(expected)).toBe(expected);
    expect(JSON.parse(printableJson(JSON.stringify(text)))).toBe(text);
  });
});

test.each(["a\nb", "a\r\nb", "a\u0085b", "a\u2028b", "a\u2029b", "a\v\fb"])("%j is one line", (text) => {
  expect(printable(text)).toBe("a b");
});

test.each(["tab\tstays", "👩‍👩‍👧 👩🏽‍🚀 🏳️‍🌈 ❤️‍🔥 1️⃣ #️⃣ 🇩🇪 ☎️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "می‌خواهم क्‍ष 葛󠄀 日本語 ᠠ᠋", "e\u0301 שלום مرحبا « »"])(
  "%s is as it was",
  (text) => {
    expect(printable(text)).toBe(text);
  },
);
