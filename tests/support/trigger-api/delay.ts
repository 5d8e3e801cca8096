/**
 * `1h30m`: w d h hr m s and nothing else (@trigger.dev/core 4.8.3, v3/isomorphic/duration). Undefined when it is no
 * duration.
 */
export function durationMs(text: string): number | undefined {
  if (text.length > 100 || !/^(?:\d+(?:w|d|hr|h|m|s))+$/.test(text)) return undefined;
  const unit = { w: 604_800_000, d: 86_400_000, hr: 3_600_000, h: 3_600_000, m: 60_000, s: 1000 } as const;
  let total = 0;
  // The first of each unit counts.
  const seen = new Set<string>();
  for (const [, count, name] of text.matchAll(/(\d+)(w|d|hr|h|m|s)/g)) {
    const key = (name === "hr" ? "h" : name) as keyof typeof unit;
    if (seen.has(key)) continue;
    seen.add(key);
    total += Number(count) * unit[key];
  }
  return total;
}

/**
 * The server's reading of a delay: what it cannot read and what is past is no delay at all
 * (apps/webapp/app/utils/delays.ts).
 */
export function delayUntil(value: unknown, now: Date): Date | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  if (value === "") return undefined;
  const date = new Date(value);
  if (!Number.isNaN(date.getTime())) return date > now ? date : undefined;
  const ms = typeof value === "string" ? durationMs(value) : undefined;
  return ms === undefined ? undefined : new Date(now.getTime() + ms);
}

const DAY_MS = 86_400_000;

/**
 * How long a key counts: s m h d; anything else is silently 30 days (apps/webapp/app/utils/idempotencyKeys.server.ts).
 */
export function keyTtlMs(value: unknown): number {
  const found = typeof value === "string" ? /^(\d+)([smhd])$/.exec(value) : null;
  if (found === null) return 30 * DAY_MS;
  return Number(found[1]) * { s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS }[found[2] as "s" | "m" | "h" | "d"];
}
