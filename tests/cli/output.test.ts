import { clip, createOutput, table } from "@psn/cli/output.ts";
import { PsnError } from "@psn/core/errors.ts";
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

test("what others wrote cannot steer the terminal; colours pass", () => {
  const { output, out, err } = written(false, true);
  output.result({}, () => `\u001b]0;owned\u0007\u001b[2J${output.style("red", "red")}\rover\u009b1m`);
  output.note("\u001b[1Aup");
  output.failure(new PsnError("PLATFORM_REJECTED", "it says \u001b[8mhidden\u001b[0m \u001b[10;10H"));
  expect(out()).toBe("]0;owned[2J\u001b[31mred\u001b[39mover1m\n");
  expect(err()).not.toContain("\u001b[1A");
  expect(err()).not.toContain("\u001b[10;10H");
});

describe("table", () => {
  test("columns are as wide as a terminal shows them", () => {
    expect(
      table([
        ["日本", "x"],
        ["a", "y"],
        ["👩‍👩‍👧", "z"],
      ]),
    ).toBe("日本  x\na     y\n👩‍👩‍👧    z");
  });

  test("colour does not count, and no line ends in blanks", () => {
    expect(
      table([
        ["\u001b[31mred\u001b[39m", ""],
        ["abcd", "y"],
      ]),
    ).toBe("\u001b[31mred\u001b[39m\nabcd  y");
  });
});

test("clip cuts at a whole character, on one line", () => {
  expect(clip("one\n two", 20)).toBe("one two");
  expect(clip("日本語の文", 7)).toBe("日本語…");
  expect(clip("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 5)).toBe("👩‍👩‍👧👩‍👩‍👧…");
});
