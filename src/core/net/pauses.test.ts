import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { pauseMs, retryAfterMs } from "./pauses.ts";

const now = new Date("2026-12-01T09:00:00Z");
const S = 1000;
const DAY = 86_400 * S;
const epoch = Date.parse("2026-12-01T09:00:10Z");
const usage = (...minutes: number[]) =>
  JSON.stringify({ "1": minutes.map((one) => ({ call_count: 100, estimated_time_to_regain_access: one })) });

test.each<[Record<string, string>, number | undefined]>([
  // Retry-After: seconds, a date in its three forms, milliseconds, an instant.
  [{ "retry-after": "30" }, 30 * S],
  [{ "retry-after": "1.5" }, 1.5 * S],
  [{ "retry-after": "0" }, 0],
  [{ "retry-after": "3600" }, 3600 * S],
  [{ "retry-after": "43200" }, 43_200 * S],
  [{ "retry-after": "86400" }, DAY],
  [{ "retry-after": "604800" }, DAY],
  [{ "retry-after": "Tue, 01 Dec 2026 09:01:00 GMT" }, 60 * S],
  [{ "retry-after": "Tuesday, 01-Dec-26 09:01:00 GMT" }, 60 * S],
  [{ "retry-after": "Tue Dec  1 09:01:00 2026" }, 60 * S],
  [{ "retry-after": "2026-12-01T09:01:00Z" }, 60 * S],
  [{ "retry-after": "30000" }, 30 * S],
  [{ "retry-after": "120000" }, 120 * S],
  [{ "retry-after": "123456" }, 123_456],
  [{ "retry-after": String(epoch) }, 10 * S],
  [{ "retry-after": String(epoch / 1000) }, 10 * S],
  [{ "retry-after": "20, 30" }, 30 * S],
  [{ "retry-after-ms": "1234.5", "retry-after": "2" }, 1234.5],
  // Past, negative, words, huge.
  [{ "retry-after": "Mon, 30 Nov 2026 09:00:00 GMT" }, 0],
  [{ "retry-after": "-5" }, 0],
  [{ "retry-after": "soon" }, undefined],
  [{ "retry-after": "30 seconds" }, undefined],
  [{ "retry-after": "" }, undefined],
  [{ "retry-after": "99999999" }, DAY],
  [{ "retry-after": "9".repeat(400) }, DAY],
  // X-RateLimit-Reset and its brothers.
  [{ "x-ratelimit-reset": "2026-12-01T09:05:00.000Z" }, 300 * S],
  [{ "x-ratelimit-reset": "2026-12-01T10:05:00+01:00" }, 300 * S],
  [{ "x-ratelimit-reset": "2026-12-01T09:05:00.123456" }, 300_123],
  [{ "x-ratelimit-reset": "2026-12-01 09:05:00" }, 300 * S],
  [{ "x-ratelimit-reset": "2026-12-01 09:05:00 UTC" }, 300 * S],
  [{ "x-ratelimit-reset": String(epoch) }, 10 * S],
  [{ "x-ratelimit-reset": String(epoch / 1000) }, 10 * S],
  [{ "x-rate-limit-reset": String(epoch / 1000) }, 10 * S],
  [{ "ratelimit-reset": String(epoch / 1000) }, 10 * S],
  [{ "ratelimit-reset": "7" }, 7 * S],
  [{ "x-ratelimit-reset-after": "0.65" }, 650],
  // Several windows: those that are used up count, the longest of them; else the first.
  [{ "x-rate-limit-reset": "7", "x-rate-limit-remaining": "3", "x-user-limit-24hour-reset": "70" }, 7 * S],
  [{ "x-rate-limit-reset": "7", "x-user-limit-24hour-reset": "70", "x-user-limit-24hour-remaining": "0" }, 70 * S],
  [
    {
      "x-rate-limit-reset": "7",
      "x-rate-limit-remaining": "0",
      "x-app-limit-24hour-reset": "70",
      "x-app-limit-24hour-remaining": " 0",
    },
    70 * S,
  ],
  [{ "x-app-limit-24hour-reset": "soon", "x-app-limit-24hour-remaining": "0" }, undefined],
  // Meta's minutes, of which the longest counts.
  [{ "x-business-use-case-usage": usage(3, 19) }, 19 * 60 * S],
  [{ "x-business-use-case-usage": usage(0) }, undefined],
  [{ "x-business-use-case-usage": "{" }, undefined],
  [{ "x-business-use-case-usage": usage(3), "retry-after": "7" }, 7 * S],
  // By the server's own clock.
  [{ "x-ratelimit-reset": "2026-12-01T12:01:00Z", date: "Tue, 01 Dec 2026 12:00:00 GMT" }, 60 * S],
  // draft-ietf-httpapi-ratelimit-headers-11, and version 07 of it.
  [{ ratelimit: '"default";r=0;t=30' }, 30 * S],
  [{ ratelimit: "default;r=0;t=30" }, 30 * S],
  [{ ratelimit: '"burst";r=0;t=10, "daily";r=0;t=500;pk=:cHNu:' }, 500 * S],
  [{ ratelimit: '"burst";r=0;t=10, "daily";r=900;t=50000' }, 10 * S],
  [{ ratelimit: '"burst";r=3;t=10, "daily";r=900;t=50000' }, 10 * S],
  [{ ratelimit: '"hour";r=0', "ratelimit-policy": '"min";q=5;w=60, "hour";q=100;qu="requests";w=3600' }, 3600 * S],
  [{ "ratelimit-policy": '"min";q=5;w=60, "hour";q=100;w=3600' }, 60 * S],
  [{ ratelimit: "limit=100, remaining=0, reset=30" }, 30 * S],
  [{ ratelimit: '"default";r=0;t=' }, undefined],
  [{ ratelimit: '"default";r=0;t="soon"' }, undefined],
  [{ ratelimit: '"default";r=0;t=-4' }, undefined],
  // Several: the first that can be read, in the order that is written down.
  [{ "retry-after": "10", ratelimit: '"default";r=0;t=30', "x-ratelimit-reset": "70" }, 10 * S],
  [{ "retry-after": "soon", ratelimit: '"default";r=0;t=30', "x-ratelimit-reset": "70" }, 30 * S],
  [{ ratelimit: "?", "x-ratelimit-reset": "70" }, 70 * S],
  [{}, undefined],
])("a pause of %o is %s ms", (headers, ms) => {
  expect(pauseMs(new Headers(headers), now)).toBe(ms);
});

test("what names no zone is UTC wherever this machine is", () => {
  const dates = ["2026-12-01T09:05:00", "2026-12-01 09:05:00", "Tue, 01 Dec 2026 09:05:00", "Tue Dec  1 09:05:00 2026"];
  const program = `const { pauseMs } = await import(${JSON.stringify(new URL("pauses.ts", import.meta.url).href)});
    const now = new Date("2026-12-01T09:00:00Z");
    const headers = ${JSON.stringify(dates)}.map((at) => new Headers({ "x-ratelimit-reset": at }));
    const pauses = headers.map((one) => pauseMs(one, now));
    console.log(JSON.stringify([new Date().getTimezoneOffset() === 0, ...pauses]))`;
  const env = { ...process.env, TZ: "Pacific/Auckland" };
  const { stdout } = spawnSync(process.execPath, ["-e", program], { env, encoding: "utf8" });
  expect(JSON.parse(stdout)).toEqual([false, ...dates.map(() => 300 * S)]);
});

test("Retry-After alone says so on any status; the others count down an allowance", () => {
  expect(retryAfterMs(new Headers({ "x-ratelimit-reset": "7", ratelimit: '"a";r=0;t=9' }), now)).toBeUndefined();
  expect(retryAfterMs(new Headers({ "retry-after": "7" }), now)).toBe(7 * S);
});

test("whatever is written, a pause is from nothing to a day", () => {
  const names = [
    "retry-after",
    "retry-after-ms",
    "ratelimit",
    "ratelimit-policy",
    "x-ratelimit-reset",
    "ratelimit-reset",
    "date",
  ] as const;
  const value = fc.oneof(
    fc.double().map(String),
    fc.bigInt().map(String),
    fc.string(),
    fc.date().map(String),
    fc.json(),
  );
  const written = value.map((text) => text.replaceAll(/[^\x20-\x7e]/g, "").trim());
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), written), (headers) => {
      const pause = pauseMs(new Headers(headers), now);
      if (pause === undefined) return;
      expect(pause).toBeGreaterThanOrEqual(0);
      expect(pause).toBeLessThanOrEqual(DAY);
    }),
    { numRuns: 2_000 },
  );
});
