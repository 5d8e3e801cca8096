import { PsnError } from "@psn/core/errors.ts";
import { expect, test } from "vitest";
import { parseSince } from "./since.ts";

const now = new Date("2026-11-26T23:30:00Z");
const since = (text: string, zone = "Europe/Berlin") => parseSince(text, { now, zone }).toISOString();

test.each([
  ["7d", "2026-11-19T23:30:00.000Z"],
  ["2 hours ago", "2026-11-26T21:30:00.000Z"],
  ["today", "2026-11-26T23:00:00.000Z"],
  ["Yesterday", "2026-11-25T23:00:00.000Z"],
  ["2026-11-01", "2026-10-31T23:00:00.000Z"],
  ["2026-11-01 09:00", "2026-11-01T08:00:00.000Z"],
  ["2026-11-01T09:00:00Z", "2026-11-01T09:00:00.000Z"],
  ["2026-11-01 09:00+02:00", "2026-11-01T07:00:00.000Z"],
  // Shown twice in that night: from the first time on.
  ["2026-10-25 02:30", "2026-10-25T00:30:00.000Z"],
])("%s is %s", (text, at) => {
  expect(since(text)).toBe(at);
});

test.each(["", "soon", "2026-13-01", "2026-11-31", "11/12", "7"])("%j is refused", (text) => {
  expect(() => since(text)).toThrow(expect.objectContaining({ code: "TIME_INVALID" }));
  expect(() => since(text)).toThrow(PsnError);
});
