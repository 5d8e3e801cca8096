/** How long a time is gone, for a person: the largest unit that counts at least one. */
export function past(ms: number): string {
  const [size, unit] = (
    [
      [86_400_000, "day"],
      [3_600_000, "hour"],
      [60_000, "minute"],
      [1000, "second"],
    ] as const
  ).find(([least]) => ms >= least) ?? [0, ""];
  if (size === 0) return "less than a second ago";
  const count = Math.floor(ms / size);
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

/** `2026-12-01 09:00`, with seconds where there are any: the form `parseWhen` reads back. */
export function shown({ wall }: { readonly wall: Temporal.PlainDateTime | string }): string {
  const time = typeof wall === "string" ? Temporal.PlainDateTime.from(wall) : wall;
  return time.toString({ smallestUnit: time.second === 0 ? "minute" : "second" }).replace("T", " ");
}
