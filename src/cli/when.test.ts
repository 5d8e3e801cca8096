import { parseWhen } from "@psn/domain/schedule.ts";
import { describe, expect, test } from "vitest";
import { dueOf } from "./when.ts";

const now = new Date("2026-11-23T10:00:00.250Z");

describe("what a command is told of a time", () => {
  test.each([
    [{ in: "2h" }, "2026-11-23T12:00:01.000Z", "2026-11-23T13:00:01", null],
    [{ at: "in 2h" }, "2026-11-23T12:00:01.000Z", "2026-11-23T13:00:01", null],
    [{ in: "in half an hour" }, "2026-11-23T10:30:01.000Z", "2026-11-23T11:30:01", null],
    [{ in: "2 hours from now" }, "2026-11-23T12:00:01.000Z", "2026-11-23T13:00:01", null],
    [{ at: "tomorrow 9am" }, "2026-11-24T08:00:00.000Z", "2026-11-24T09:00", "2026-11-24T09:00"],
    [{ at: "2027-10-31T02:30+02:00" }, "2027-10-31T00:30:00.000Z", "2027-10-31T02:30+02:00", "2027-10-31T02:30"],
    [{ at: "2027-10-31T02:30+01:00" }, "2027-10-31T01:30:00.000Z", "2027-10-31T02:30+01:00", "2027-10-31T02:30"],
  ])("%j: the instant, the wall time for history, and the wall time that was meant", (said, at, wall, wallTime) => {
    const due = dueOf(said, "Europe/Berlin", now);
    expect([due.at.toISOString(), due.wall, due.wallTime]).toEqual([at, wall, wallTime]);
    const read = (text: string) =>
      parseWhen(text, { now: Temporal.Instant.fromEpochMilliseconds(now.getTime()), zone: "UTC" });
    expect(read(`${due.wall} ${due.timeZone}`).at.epochMilliseconds).toBe(due.at.getTime());
    expect(read(due.said).at.epochMilliseconds).toBe(due.at.getTime());
  });
});
