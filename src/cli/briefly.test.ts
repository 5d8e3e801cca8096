import { expect, test } from "vitest";
import { briefly } from "./briefly.ts";

const now = new Date("2026-11-26T23:30:00Z");
const said = (at: string, zone = "Europe/Berlin") => briefly(new Date(at), { zone, now });

test.each([
  ["2026-11-26T23:30:59Z", "now"],
  ["2026-11-26T23:29:01Z", "now"],
  ["2026-11-26T23:35:30Z", "in 5 min"],
  ["2026-11-26T22:31:00Z", "59 min ago"],
  ["2026-11-27T16:00:00Z", "today 17:00"],
  ["2026-11-26T22:00:00Z", "yesterday 23:00"],
  ["2026-11-28T08:00:00Z", "tomorrow 09:00"],
  ["2026-12-01T08:00:00Z", "Tue 09:00"],
  ["2026-12-03T08:00:00Z", "Thu 09:00"],
  // A week ahead has today's weekday.
  ["2026-12-04T08:00:00Z", "4 Dec 09:00"],
  ["2026-11-24T08:00:00Z", "24 Nov 09:00"],
  ["2027-12-01T08:00:00Z", "1 Dec 2027 09:00"],
])("%s is %s in Berlin, half an hour after midnight", (at, words) => {
  expect(said(at)).toBe(words);
});

test("the day is the zone's", () => {
  expect(said("2026-11-27T16:00:00Z", "America/New_York")).toBe("tomorrow 11:00");
});
