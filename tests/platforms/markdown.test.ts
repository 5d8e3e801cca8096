import { readFileSync } from "node:fs";
import type { Platform } from "@psn/core/types/platform.ts";
import { contentsOf } from "@psn/domain/markdown/parse.ts";
import { fits } from "@psn/domain/text.ts";
import { type PlatformId, platformIds, platforms } from "@psn/platforms/index.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { mediaOf } from "../contract/stage.ts";

/*
 * Markdown on every platform: what is composed of it, whatever it is. The requests for a file with everything in it are
 * golden (tests/contract).
 */

const EVERYTHING = readFileSync(new URL("../contract/golden/everything.md", import.meta.url), "utf8");
const LINES = EVERYTHING.split("\n");

const load = async (id: PlatformId): Promise<Platform> => platforms[id]();

interface Facet {
  readonly index: { readonly byteStart: number; readonly byteEnd: number };
  readonly features: readonly { readonly uri?: string }[];
}

const text = fc.oneof(
  fc.array(fc.constantFrom(...LINES), { maxLength: 40 }).map((lines) => lines.join("\n")),
  fc
    .array(fc.constantFrom(...EVERYTHING, "👩‍👩‍👧", "é", "これ", "\n"), { maxLength: 400 })
    .map((signs) => signs.join("")),
  fc.string({ unit: "grapheme", maxLength: 700 }),
);

test.for(platformIds)("%s: composing never throws, parts fit, and facets lie on character borders", async (id) => {
  const platform = await load(id);
  fc.assert(
    fc.property(text, fc.boolean(), (markdown, numbered) => {
      const media = [mediaOf("image-1")];
      const [content = []] = contentsOf([{ text: markdown, media }]);
      const post = { id: "p", parts: [{ text: markdown, content, media }] as const, split: true, numbered };
      const composed = platform.compose(post, platform.capabilities);
      if (!composed.ok) return;
      for (const unit of composed.units) {
        const isWhole = fits(unit.text, platform.capabilities.text) || unit.length <= platform.capabilities.text.max;
        expect(isWhole).toBe(true);
        const { facets = [] } = unit.body as { readonly facets?: readonly Facet[] };
        const bytes = Buffer.from(unit.text);
        let at = 0;
        for (const { index } of facets) {
          const part = bytes.subarray(index.byteStart, index.byteEnd);
          expect(index.byteStart).toBeGreaterThanOrEqual(at);
          expect(part.length).toBeGreaterThan(0);
          // A cut within a character gives U+FFFD.
          expect(Buffer.from(part.toString()).equals(part)).toBe(true);
          at = index.byteEnd;
        }
        expect(at).toBeLessThanOrEqual(bytes.length);
      }
    }),
    { numRuns: 60 },
  );
});

test("a link that is cut is a link in both parts, and numbers do not move it", async () => {
  const bluesky = await load("bluesky");
  const words = Array.from({ length: 80 }, (_, n) => `word${n}`).join(" ");
  const markdown = `Before. [${words}](https://a.example/b) and [é](https://a.example/c).`;
  const [content = []] = contentsOf([{ text: markdown, media: [] }]);
  const composed = bluesky.compose(
    { id: "p", parts: [{ text: markdown, content, media: [] }], split: true, numbered: true },
    bluesky.capabilities,
  );
  if (!composed.ok) throw new Error("the post must compose");
  const linked = composed.units.map(({ text: shown, body }) =>
    (body as unknown as { readonly facets: readonly Facet[] }).facets.map(({ index, features }) => [
      Buffer.from(shown)
        .subarray(index.byteStart, index.byteEnd)
        .toString()
        .replace(/word\d+ .* word\d+/, "words"),
      features[0]?.uri,
    ]),
  );
  expect(linked).toEqual([
    [["words", "https://a.example/b"]],
    [
      ["words", "https://a.example/b"],
      ["é", "https://a.example/c"],
    ],
  ]);
  expect(composed.units.map(({ text: shown }) => /\(\d\/2\)$/.test(shown))).toEqual([true, true]);
});

test("code on Bluesky has no tag, no mention and no link", async () => {
  const bluesky = await load("bluesky");
  const markdown = "`#no @bob.example https://a.example` #yes";
  const [content = []] = contentsOf([{ text: markdown, media: [] }]);
  const composed = bluesky.compose({ id: "p", parts: [{ text: markdown, content, media: [] }] }, bluesky.capabilities);
  expect(composed).toMatchObject({
    ok: true,
    units: [{ body: { facets: [{ features: [{ tag: "yes" }] }], mentions: [], link: null } }],
  });
});

test("LinkedIn's mentions stay as they are typed, there alone", async () => {
  const markdown = "Thanks, @[Ada *L*](urn:li:person:abc-1)!";
  const [content = []] = contentsOf([{ text: markdown, media: [] }]);
  const post = { id: "p", parts: [{ text: markdown, content, media: [] }] as const };
  const [linkedin, x] = [await load("linkedin"), await load("x")];
  expect(linkedin.compose(post, linkedin.capabilities)).toMatchObject({
    units: [{ text: "Thanks, Ada L!", body: { commentary: "Thanks, @[Ada L](urn:li:person:abc-1)!" } }],
  });
  expect(x.compose(post, x.capabilities)).toMatchObject({ units: [{ text: "Thanks, @Ada L!" }] });
});
