import { formatInstant, knownZone, parseDuration, parseWhen } from "@psn/domain/schedule.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

// A Monday, eleven o'clock in Berlin.
const now = Temporal.Instant.from("2026-11-23T10:00:00Z");
const zone = "Europe/Berlin";
const wall = (input: string, context: Partial<{ now: Temporal.Instant; zone: string }> = {}) =>
  parseWhen(input, { now, zone, ...context }).wall;
const at = (input: string, context: Partial<{ now: Temporal.Instant; zone: string }> = {}) =>
  parseWhen(input, { now, zone, ...context }).at.toString();
const refused = (message: RegExp, hint: RegExp = /./) =>
  expect.objectContaining({
    code: "TIME_INVALID",
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });

describe("ISO 8601", () => {
  test.each([
    ["2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z", "2026-12-01T10:00"],
    ["2026-12-01t09:00:30z", "2026-12-01T09:00:30Z", "2026-12-01T10:00:30"],
    ["2026-12-01T09:00+05:30", "2026-12-01T03:30:00Z", "2026-12-01T04:30"],
    ["2026-12-01 09:00 +0100", "2026-12-01T08:00:00Z", "2026-12-01T09:00"],
    ["2026-12-01 09:00", "2026-12-01T08:00:00Z", "2026-12-01T09:00"],
    ["2026-12-01T09:00", "2026-12-01T08:00:00Z", "2026-12-01T09:00"],
  ])("%s", (input, instant, local) => {
    expect(parseWhen(input, { now, zone })).toEqual({ at: Temporal.Instant.from(instant), zone, wall: local });
  });

  test("a zone in brackets stands above the one given", () => {
    expect(parseWhen("2026-12-01T09:00[America/New_York]", { now, zone })).toEqual({
      at: Temporal.Instant.from("2026-12-01T14:00:00Z"),
      zone: "America/New_York",
      wall: "2026-12-01T09:00",
    });
    expect(() => at("2026-12-01T09:00+02:00[Europe/Berlin]")).toThrow(
      refused(/at \+01:00 at that time, not at \+02:00/),
    );
  });
});

describe("words", () => {
  test.each([
    ["tomorrow 9am", "2026-11-24T09:00"],
    ["9am tomorrow", "2026-11-24T09:00"],
    ["Tomorrow  at 9:30", "2026-11-24T09:30"],
    ["tomorrow 14", "2026-11-24T14:00"],
    ["tomorrow noon", "2026-11-24T12:00"],
    ["12am tomorrow", "2026-11-24T00:00"],
    ["next monday 14:30", "2026-11-30T14:30"],
    ["tuesday 14:30", "2026-11-24T14:30"],
    ["this friday 5pm", "2026-11-27T17:00"],
    ["today 17:00", "2026-11-23T17:00"],
    ["at 5pm", "2026-11-23T17:00"],
    ["dec 1 9am", "2026-12-01T09:00"],
    ["1 December 2026 09:00", "2026-12-01T09:00"],
    ["2026-12-01 9am", "2026-12-01T09:00"],
    ["nov 20 9am", "2027-11-20T09:00"],
    ["jan 5 9am", "2027-01-05T09:00"],
    ["in 2 days at 9am", "2026-11-25T09:00"],
    ["thurs 9am", "2026-11-26T09:00"],
    ["tuesday 1 december 9am", "2026-12-01T09:00"],
  ])("%s", (input, local) => {
    expect(wall(input)).toBe(local);
  });

  test("a weekday that is today is next week's when its hour is over, and asked about before", () => {
    expect(wall("monday 9am")).toBe("2026-11-30T09:00");
    expect(() => wall("monday 14:30")).toThrow(refused(/today or in a week/, /2026-11-23 14:30 or 2026-11-30 14:30/));
  });

  test("a weekday of this week that is over is not next week's", () => {
    expect(() => wall("this monday 9am")).toThrow(refused(/is past/, /did you mean 2026-11-30 09:00/));
  });

  test.each([
    ["tomorrow 9am America/New_York", "America/New_York", "2026-11-24T14:00:00Z"],
    ["2026-12-01 09:00 europe/london", "Europe/London", "2026-12-01T09:00:00Z"],
    ["2026-12-01 09:00 UTC", "UTC", "2026-12-01T09:00:00Z"],
    ["in 2h Asia/Kathmandu", "Asia/Kathmandu", "2026-11-23T12:00:00Z"],
  ])("%s: a zone's name behind the time stands above the one given", (input, place, instant) => {
    expect(parseWhen(input, { now, zone })).toMatchObject({ zone: place, at: Temporal.Instant.from(instant) });
  });

  test("the day is the day in the zone, not the day in UTC", () => {
    expect(wall("tomorrow 9am", { zone: "Pacific/Auckland", now: Temporal.Instant.from("2026-11-23T12:00:00Z") })).toBe(
      "2026-11-25T09:00",
    );
    expect(
      wall("tomorrow 9am", { zone: "America/Los_Angeles", now: Temporal.Instant.from("2026-11-24T06:00:00Z") }),
    ).toBe("2026-11-24T09:00");
  });
});

describe("past and far away", () => {
  test.each([
    ["2026-11-23 08:00", /2026-11-23 08:00 is past: that was 3 hours ago/],
    ["9am", /that was 2 hours ago/],
    ["2026-11-22 10:59", /that was 1 day ago/],
    ["2026-11-23T10:00:00Z", /less than a second ago/],
    ["yesterday 9am", /that was 1 day ago/],
    ["last friday 9am", /is past/],
  ])("%s", (input, message) => {
    expect(() => at(input)).toThrow(refused(message, /to come/));
  });

  test("more than five years ahead is a slip", () => {
    expect(wall("2031-11-23 10:59")).toBe("2031-11-23T10:59");
    expect(() => at("2031-11-23 11:01")).toThrow(refused(/more than 5 years ahead/, /year/));
    expect(() => at("in 2000d")).toThrow(refused(/more than 5 years/));
  });
});

describe("when the clocks change", () => {
  const early = Temporal.Instant.from("2026-01-01T00:00:00Z");
  test.each([
    ["Europe/Berlin", "2026-03-29 02:30", /2026-03-29 01:30 or 2026-03-29 03:30/],
    ["America/New_York", "2026-03-08 02:30", /2026-03-08 01:30 or 2026-03-08 03:30/],
    ["Australia/Lord_Howe", "2026-10-04 02:15", /2026-10-04 01:45 or 2026-10-04 02:45/],
  ])("%s never shows %s", (place, input, hint) => {
    expect(() => at(input, { now: early, zone: place })).toThrow(refused(/never show/, hint));
  });

  test.each([
    ["Europe/Berlin", "2026-10-25T02:30", "+02:00", "+01:00"],
    ["America/New_York", "2026-11-01T01:30", "-04:00", "-05:00"],
    ["Australia/Lord_Howe", "2026-04-05T01:45", "+11:00", "+10:30"],
  ])("%s shows %s twice; each choice is taken when pasted back", (place, local, first, second) => {
    const context = { now: early, zone: place };
    const message = /twice/;
    const choices = [`${local}${first}`, `${local}${second}`];
    expect(() => at(local, context)).toThrow(refused(message, new RegExp(choices.join(" or ").replaceAll("+", "\\+"))));
    expect(choices.map((choice) => wall(choice, context))).toEqual([local, local]);
    expect(new Set(choices.map((choice) => at(choice, context))).size).toBe(2);
  });

  test("in words, too", () => {
    expect(() => at("29 march 2026 2:30am", { now: early })).toThrow(refused(/never show/));
    expect(() => at("tomorrow 2:30", { now: Temporal.Instant.from("2026-03-28T10:00:00Z") })).toThrow(
      refused(/never show/),
    );
  });

  test("the hours beside the change are fine", () => {
    expect(at("2026-03-29 01:59", { now: early })).toBe("2026-03-29T00:59:00Z");
    expect(at("2026-03-29 03:00", { now: early })).toBe("2026-03-29T01:00:00Z");
    expect(at("2026-10-25 03:00", { now: early })).toBe("2026-10-25T02:00:00Z");
  });
});

describe("zones", () => {
  test.each([
    ["Europe/Berln", /Europe\/Berlin/],
    ["Berlin", /Europe\/Berlin/],
    ["new york", /America\/New_York/],
    ["+01:00", /such as Europe\/Berlin/],
    ["Middle/Earth-Shire", /such as Europe\/Berlin/],
    ["", /such as Europe\/Berlin/],
  ])("there is no zone called %s", (name, hint) => {
    expect(() => at("tomorrow 9am", { zone: name })).toThrow(refused(/no time zone/, hint));
  });

  test("a name is spelt as the time zone database does", () => {
    expect(knownZone("europe/berlin")).toBe("Europe/Berlin");
    expect(parseWhen("tomorrow 9am", { now, zone: " utc " }).zone).toBe("UTC");
  });
});

describe("durations", () => {
  test.each([
    ["3s", 3000],
    ["90m", 5_400_000],
    ["2h30m", 9_000_000],
    ["2h 30m", 9_000_000],
    ["2 hours, 30 minutes", 9_000_000],
    ["1d", 86_400_000],
    ["1w2d", 777_600_000],
    ["1 DAY", 86_400_000],
    ["1.5h", 5_400_000],
    ["half an hour", 1_800_000],
    ["two and a half days", 216_000_000],
    ["PT90M", 5_400_000],
    ["0.5s", 500],
  ])("%s", (input, ms) => {
    expect(parseDuration(input)).toBe(ms);
    expect(at(`in ${input}`)).toBe(now.add({ milliseconds: Math.ceil(ms / 1000) * 1000 }).toString());
  });

  test.each(["h", "2x", "30m2h", "2h2h", "1.5h30m", "2h30", "1 month", "1y", "2h!", "1e3s", "999999999d", "P1M", "PT"])(
    "%s is refused",
    (input) => {
      expect(() => parseDuration(input)).toThrow(refused(/as a duration|exact duration|longer than|more than/));
    },
  );

  test.each([
    ["", /longer than nothing/, /2h/],
    ["2", /say the unit/, /in 2m or in 2h/],
    ["0s", /longer than nothing/, /2h/],
    ["-2h", /is past/, /in 2h/],
    ["1,5 hours", /with a point/, /in 1.5 hours/],
    ["1,000 seconds", /as a duration/, /in 1000 seconds/],
    ["1:30", /two ways/, /in 1h30m or in 1m30s/],
    ["a few hours", /not exact/, /in 2h/],
  ])("%s is refused with what is missing", (input, message, hint) => {
    expect(() => parseDuration(input)).toThrow(refused(message, hint));
  });

  test("what is counted from now is rounded up to the second that is shown", () => {
    const between = now.add({ milliseconds: 1 });
    expect(at("in 2h", { now: between })).toBe("2026-11-23T12:00:01Z");
    expect(wall("in 2h", { now: between })).toBe("2026-11-23T13:00:01");
  });

  test("any count of units comes back as their sum", () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(23), fc.nat(59), fc.nat(59), (d, h, m, s) => {
        fc.pre(d + h + m + s > 0);
        expect(parseDuration(`${d}d${h}h${m}m${s}s`)).toBe((((d * 24 + h) * 60 + m) * 60 + s) * 1000);
      }),
    );
  });
});

describe("the echo", () => {
  test.each([
    ["2026-12-01T08:00:00Z", "Europe/Berlin", "Tue 1 Dec 2026 09:00 Europe/Berlin (08:00 UTC)"],
    ["2026-12-31T23:30:00Z", "Europe/Berlin", "Fri 1 Jan 2027 00:30 Europe/Berlin (Thu 31 Dec 2026 23:30 UTC)"],
    ["2026-12-01T08:00:03.5Z", "UTC", "Tue 1 Dec 2026 08:00:03 UTC"],
    [
      "2026-12-06T20:00:30Z",
      "Australia/Lord_Howe",
      "Mon 7 Dec 2026 07:00:30 Australia/Lord_Howe (Sun 6 Dec 2026 20:00:30 UTC)",
    ],
    ["2026-10-25T00:30:00Z", "europe/berlin", "Sun 25 Oct 2026 02:30 Europe/Berlin (00:30 UTC)"],
    ["2026-10-25T01:30:00Z", "Europe/Berlin", "Sun 25 Oct 2026 02:30 Europe/Berlin (01:30 UTC)"],
  ])("%s in %s", (instant, place, text) => {
    expect(formatInstant(Temporal.Instant.from(instant), place)).toBe(text);
  });

  test("a zone nobody knows", () => {
    expect(() => formatInstant(now, "Europe/Berln")).toThrow(refused(/no time zone/, /Europe\/Berlin/));
  });
});

describe("whatever is accepted", () => {
  const zones = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "UTC",
    "Asia/Kathmandu",
    "Pacific/Chatham",
  ];
  const minutes = fc.integer({ min: 1, max: 4 * 365 * 24 * 60 });

  test("a wall clock that is read is the wall clock that is shown, at one instant", () => {
    fc.assert(
      fc.property(minutes, fc.constantFrom(...zones), (ahead, place) => {
        const target = now.add({ minutes: ahead });
        const shown = target.toZonedDateTimeISO(place).toPlainDateTime().toString({ smallestUnit: "minute" });
        try {
          const when = parseWhen(shown, { now, zone: place });
          expect(when.at.equals(target)).toBe(true);
          expect(when.wall).toBe(shown);
        } catch (error) {
          // Only a doubled hour may be refused: the wall clock came from an instant, so it is never skipped.
          expect(error).toEqual(refused(/twice/));
          const start = target.toZonedDateTimeISO(place).startOfDay();
          expect(start.hoursInDay).toBeGreaterThan(24);
        }
      }),
    );
  });

  test("an instant in ISO 8601 is that instant in every zone", () => {
    fc.assert(
      fc.property(minutes, fc.constantFrom(...zones), (ahead, place) => {
        const target = now.add({ minutes: ahead });
        expect(parseWhen(target.toString(), { now, zone: place }).at.equals(target)).toBe(true);
      }),
    );
  });

  test("no text makes it throw anything but TIME_INVALID", () => {
    const word = fc.constantFrom(
      "tomorrow",
      "next",
      "tuesday",
      "9",
      "9am",
      "14:30",
      "03/04",
      "at",
      "in",
      "2h",
      "-",
      "dec",
      "31",
      "2026",
      "noon",
      "[",
      "Z",
    );
    const text = fc.oneof(
      fc.string({ maxLength: 30 }),
      fc.array(word, { maxLength: 5 }).map((words) => words.join(" ")),
    );
    fc.assert(
      fc.property(text, (input) => {
        try {
          expect(Temporal.Instant.compare(parseWhen(input, { now, zone }).at, now)).toBe(1);
        } catch (error) {
          expect(error).toEqual(refused(/./));
        }
      }),
      { numRuns: 300 },
    );
  });
});
