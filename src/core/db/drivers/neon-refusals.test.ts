import { expect, test } from "vitest";
import { HttpRefusal, pausesAfter } from "./neon-refusals.ts";

const after = (retryAfter: string) =>
  pausesAfter(new HttpRefusal(429, "", new Headers({ "retry-after": retryAfter, date: DATE })));
const DATE = "Fri, 27 Nov 2026 10:00:00 GMT";

test.each([
  ["2", 2_000],
  ["0", 0],
  ["Fri, 27 Nov 2026 10:00:03 GMT", 3_000],
  ["Fri, 27 Nov 2026 09:00:00 GMT", 0],
])("a pause that a proxy asks for (%s) is kept, in every form that a server may write it", (written, ms) => {
  expect(after(written)).toEqual([ms]);
});

test("words are no pause", () => {
  expect(after("soon")).toEqual([250, 1_000, 3_000]);
});
