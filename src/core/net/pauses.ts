import { parseDictionary, parseList } from "structured-headers";

/*
 * How long a server asks to be left alone. Servers write it in many ways; this is the one place that reads them.
 */

const DAY_MS = 24 * 3_600_000;
/** Longest pause a server can ask for: its clock or its unit may be wrong. */
const MAX_PAUSE_MS = DAY_MS;

/** A pause as a server asks for it, in milliseconds: from 0 to a day, whatever number it sent. */
export function pauseWithin(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), MAX_PAUSE_MS);
}

/**
 * The server's own clock where the answer tells it, in epoch milliseconds: an instant that it names must be compared
 * with that.
 */
export function serverNow(headers: Headers, now: Date): number {
  const told = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(told) ? now.getTime() : told;
}

/**
 * How long the server asks to be left alone, in milliseconds, from 0 to a day; undefined where it does not say.
 *
 * Where several headers say it, the first that can be read counts:
 * 1. `Retry-After-Ms`: milliseconds (Azure and OpenAI send it beside a rounded Retry-After).
 * 2. `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3); some servers send milliseconds, an instant or ISO 8601.
 *    It stands above `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11, section 7).
 * 3. `RateLimit` of that draft: the longest `t` of the policies with nothing left (`r=0`), else the shortest `t`. A
 *    policy with nothing left and no `t` has its window `w` from `RateLimit-Policy`. The dictionary of its version 07
 *    is read as well.
 * 4. `X-RateLimit-Reset`, `X-Rate-Limit-Reset`, `RateLimit-Reset` and X's windows of a day: epoch seconds, epoch
 *    milliseconds, ISO 8601, or seconds from now. The longest of those with nothing left (`…-Remaining: 0`), else the
 *    first. Then `X-RateLimit-Reset-After`.
 * 5. `RateLimit-Policy` alone: its shortest window.
 * 6. `X-Business-Use-Case-Usage`: the most minutes it names.
 *
 * What is past or negative is 0, and words are no pause.
 */
export function pauseMs(headers: Headers, now: Date): number | undefined {
  const server = serverNow(headers, now);
  const own = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (!Number.isNaN(own)) return pauseWithin(own);
  const told =
    untilMs(headers.get("retry-after"), server) ??
    rateLimitMs(headers) ??
    resetMs(headers, server) ??
    untilMs(headers.get("x-ratelimit-reset-after"), server) ??
    shortest(windowsOf(headers.get("ratelimit-policy")).values()) ??
    regainMs(headers.get("x-business-use-case-usage"));
  return told === undefined ? undefined : pauseWithin(told);
}

/** What Retry-After alone asks for: in any answer but a 429 the other headers only count down an allowance. */
export function retryAfterMs(headers: Headers, now: Date): number | undefined {
  return headers.has("retry-after") || headers.has("retry-after-ms") ? pauseMs(headers, now) : undefined;
}

/**
 * What stands before `-reset` and `-remaining`. X has a quarter of an hour, and a day by user and by app
 * (https://docs.x.com/x-api/fundamentals/rate-limits, 2026-11, names only the first; the others were seen in answers).
 */
const WINDOWS = ["x-ratelimit", "x-rate-limit", "ratelimit", "x-user-limit-24hour", "x-app-limit-24hour"] as const;

function resetMs(headers: Headers, serverNowMs: number): number | undefined {
  const windows = WINDOWS.flatMap((name) => {
    const ms = untilMs(headers.get(`${name}-reset`), serverNowMs);
    return ms === undefined ? [] : [{ ms, spent: headers.get(`${name}-remaining`)?.trim() === "0" }];
  });
  const spent = windows.filter((window) => window.spent);
  return spent.length > 0 ? Math.max(...spent.map(({ ms }) => ms)) : windows[0]?.ms;
}

/** Meta counts in minutes (https://developers.facebook.com/docs/graph-api/overview/rate-limiting, 2026-11). */
function regainMs(written: string | null): number | undefined {
  const named = (written ?? "").matchAll(/"estimated_time_to_regain_access"\s*:\s*"?(\d+)/g);
  const most = Math.max(0, ...[...named].map(([, minutes]) => Number(minutes)));
  return most > 0 ? most * 60_000 : undefined;
}

/**
 * Milliseconds until what a header names, a number or an instant; undefined where it names neither. Of several the last
 * counts.
 */
export function untilMs(written: string | null, serverNowMs: number): number | undefined {
  const value = written?.trim() ?? "";
  // A header that was sent twice arrives as one list.
  const numbers = value.split(/\s*,\s*/);
  if (numbers.every((one) => /^[+-]?\d+(\.\d+)?$/.test(one)))
    return Math.max(...numbers.map((one) => untilNumberMs(Number(one), serverNowMs)));
  const at = instantOf(value);
  return at === undefined ? undefined : at - serverNowMs;
}

/** From 2001 on, as seconds and as milliseconds since the epoch. */
const EPOCH_S = 1e9;
const EPOCH_MS = 1e12;
/** From here on a number of seconds is looked at: 10,000 s are nearly three hours, 10,000 ms ten seconds. */
const LARGE = 10_000;

/**
 * A number is decided by its size. From 1e12 on it is an instant in epoch milliseconds, from 1e9 on one in epoch
 * seconds. Below that it counts seconds, as the standard says, unless it is 10,000 or more, not a whole number of
 * hours, and either above a day or a multiple of 1,000: then it counts milliseconds. 30,000 is half a minute; 3,600,
 * 43,200 and 86,400 stay hours and a day.
 */
function untilNumberMs(value: number, serverNowMs: number): number {
  if (value >= EPOCH_MS) return value - serverNowMs;
  if (value >= EPOCH_S) return value * 1000 - serverNowMs;
  const isMs = value >= LARGE && value % 3_600 !== 0 && (value * 1000 > DAY_MS || value % 1000 === 0);
  return isMs ? value : value * 1000;
}

const ISO = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?$/i;
/** The three forms of an HTTP date (RFC 9110, 5.6.7) begin with the day's name. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /i;

/** An instant in epoch milliseconds. Without a zone it is UTC, whatever this machine's zone is. */
function instantOf(value: string): number | undefined {
  const [, day, time, zone = "Z"] = ISO.exec(value) ?? [];
  if (day && time) return finite(Date.parse(`${day}T${time.replace(",", ".")}${/^[+-]/.test(zone) ? zone : "Z"}`));
  if (!HTTP_DATE.test(value)) return undefined;
  return finite(Date.parse(/(GMT|UTC|[+-]\d{4})$/i.test(value) ? value : `${value} GMT`));
}

const finite = (ms: number) => (Number.isNaN(ms) ? undefined : ms);
const shortest = (seconds: Iterable<number>) => {
  const least = Math.min(...seconds);
  return Number.isFinite(least) ? least * 1000 : undefined;
};

function rateLimitMs(headers: Headers): number | undefined {
  const written = headers.get("ratelimit");
  if (written === null) return undefined;
  const windows = windowsOf(headers.get("ratelimit-policy"));
  const limits = itemsOf(written).flatMap(({ name, parameters }) => {
    const [left, window] = [numberOf(parameters.get("r")), numberOf(parameters.get("t"))];
    const seconds = window ?? (left === 0 ? windows.get(name) : undefined);
    return seconds === undefined ? [] : [{ seconds, spent: left === 0 }];
  });
  const spent = limits.filter((limit) => limit.spent);
  if (spent.length > 0) return Math.max(...spent.map(({ seconds }) => seconds)) * 1000;
  return shortest(limits.map(({ seconds }) => seconds)) ?? formerly(written);
}

/**
 * `limit=100, remaining=0, reset=30` (draft-ietf-httpapi-ratelimit-headers-07), which express-rate-limit still sends.
 */
function formerly(written: string): number | undefined {
  const reset = numberOf(read(() => parseDictionary(written))?.get("reset")?.[0]);
  return reset === undefined ? undefined : reset * 1000;
}

function windowsOf(written: string | null): ReadonlyMap<string, number> {
  const items = written === null ? [] : itemsOf(written);
  return new Map(
    items.flatMap(({ name, parameters }) => {
      const window = numberOf(parameters.get("w"));
      return window === undefined ? [] : [[name, window] as const];
    }),
  );
}

/**
 * The items of a structured list by their names; "malformed RateLimit header fields MUST be ignored" (the draft,
 * section 7).
 */
function itemsOf(
  written: string,
): readonly { readonly name: string; readonly parameters: ReadonlyMap<string, unknown> }[] {
  return (read(() => parseList(written)) ?? []).map(([name, parameters]) => ({ name: String(name), parameters }));
}

function read<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

const numberOf = (value: unknown): number | undefined => (typeof value === "number" && value >= 0 ? value : undefined);
