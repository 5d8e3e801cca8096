import { createHash, randomBytes } from "node:crypto";
import type { Limits } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Media, Post } from "@psn/core/types/post.ts";
import { describe, expect, test } from "vitest";
import { PostPublished } from "./event.ts";
import webhook from "./index.ts";
import { INLINE_BYTES, INLINE_MOST_BYTES, LINK_SECONDS } from "./media.ts";

const NOW = new Date("2026-11-02T12:00:00.000Z");
const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

const file = (id: string, bytes: number, link?: Media["link"]): Media => ({
  id,
  kind: "image",
  mime: "image/png",
  bytes,
  open: async () => new Blob([randomBytes(bytes)]),
  ...defined({ link }),
});
const postOf = (...media: Media[]): Post => ({ id: "1", parts: [{ text: "look", media }] });
const compose = (post: Post, more: Partial<Limits>) => webhook.compose(post, { ...webhook.capabilities, ...more });

describe("how media travel", () => {
  test.each([
    [INLINE_BYTES, undefined, true, "inline"],
    [INLINE_BYTES + 1, undefined, true, "link"],
    [INLINE_BYTES + 1, undefined, false, "inline"],
    [INLINE_MOST_BYTES, undefined, false, "inline"],
    [INLINE_MOST_BYTES + 1, undefined, false, "psn config set S3_BUCKET"],
    [INLINE_MOST_BYTES + 1, undefined, true, "link"],
    [1, "link", true, "link"],
    [1, "link", false, "psn config set S3_BUCKET"],
    [INLINE_MOST_BYTES, "inline", true, "inline"],
    [INLINE_MOST_BYTES + 1, "inline", true, "--media link"],
    [INLINE_MOST_BYTES + 1, "inline", false, "psn config set S3_BUCKET"],
  ] as const)("%i bytes, --media %s, a bucket: %s", (bytes, mediaBy, links, expected) => {
    // Files of at most 5 MB each, and so several.
    const half = Math.floor(bytes / 2);
    const composed = compose(postOf(file("a", half), file("b", bytes - half)), {
      ...defined({ mediaBy: mediaBy ? mediaBy : undefined }),
      links,
    });
    if (!composed.ok)
      expect(composed.issues).toEqual([expect.objectContaining({ hint: expect.stringContaining(expected) })]);
    else expect(composed.units[0].linked ? "link" : "inline").toBe(expected);
  });

  test("a post without media is asked for no bucket", () => {
    expect(compose(postOf(), { mediaBy: "link", links: false })).toMatchObject({ ok: true });
  });
});

test("a link stands in the event with its end, the file's hash, and no bytes", async () => {
  const sent: string[] = [];
  const bytes = randomBytes(20_000);
  const net = {
    fetch: async (_: string | URL, init?: RequestInit) => {
      if (init?.method === "POST") sent.push(String(init.body));
      return new Response(null, { status: 204 });
    },
    now: () => NOW,
    signal: new AbortController().signal,
  };
  const session = { ...(await webhook.connect({ url: "https://example.com/hook", secret: SECRET }, net)), ...net };
  const asked: number[] = [];
  const link = async (seconds: number) => `https://bucket.example/a?for=${asked.push(seconds)}`;
  const media = { ...file("a", bytes.length, link), open: async () => new Blob([bytes]) };
  const composed = compose(postOf(media), { links: true });
  if (!composed.ok) throw new Error("must compose");
  await webhook.publish(
    { unit: composed.units[0], prepared: null, media: [media], key: Bun.randomUUIDv7(), at: NOW },
    session,
  );
  const { data } = PostPublished.parse(JSON.parse(sent[0] ?? ""));
  expect(data).not.toHaveProperty("mediaBy");
  expect(data.parts[0]?.media).toEqual([
    {
      mime: "image/png",
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      url: "https://bucket.example/a?for=1",
      expires: "2026-11-09T12:00:00.000Z",
    },
  ]);
  expect(asked).toEqual([LINK_SECONDS]);
});
