import { readFileSync } from "node:fs";
import type { Limits } from "@psn/core/types/capabilities.ts";
import { MEDIA_TYPES } from "@psn/core/types/post.ts";
import { platforms } from "@psn/platforms/index.ts";
import { expect, test } from "vitest";

/* No platform's limits, and no page, promise a kind of file that psn cannot read. */

const known: readonly string[] = MEDIA_TYPES;

test("every kind that a platform takes is one psn reads", async () => {
  for (const load of Object.values(platforms)) {
    const { id, capabilities } = await load();
    const { images, videos, documents }: Limits = capabilities;
    const mimes = [images, videos, documents].flatMap((rule) => rule?.mimes ?? []);
    expect(mimes.length, id).toBeGreaterThan(0);
    expect(
      mimes.filter((mime) => !known.includes(mime)),
      id,
    ).toEqual([]);
  }
});

test("docs/platforms.md names no other", () => {
  const lines =
    readFileSync(new URL("../docs/platforms.md", import.meta.url), "utf8").match(
      /^\| (images|videos|documents) \|.*MB: .* \|$/gm,
    ) ?? [];
  const named = lines.flatMap((line) => (/MB: ([^;|]*)/.exec(line)?.[1] ?? "").trim().split(", "));
  const short = known.map((mime) => mime.split("/")[1]);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !short.includes(name))).toEqual([]);
});
