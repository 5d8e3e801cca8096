import type { Limits } from "@psn/core/types/capabilities.ts";
import type { Visibility } from "@psn/core/types/index.ts";
import { VISIBILITIES } from "@psn/core/types/index.ts";
import type { Composed, Platform } from "@psn/core/types/platform.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import fc from "fast-check";
import { expect } from "vitest";
import type { Promised } from "../platform.ts";
import { picture, postOf } from "../stage.ts";

/** Any UTF-16 there is: other scripts, emoji families, lone surrogates, NUL. */
const anyText = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 700 }),
  fc.string({ unit: "binary", maxLength: 700 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 100 }).map((units) => String.fromCharCode(...units)),
  fc
    .array(
      fc.constantFrom(
        "https://example.com/a_(b)?c=d#e",
        "@ada@example.org",
        "@ada.example",
        "#tag",
        "👩‍👩‍👧",
        " ",
        "\n",
        "\u200d",
        "(",
        ")",
      ),
      { maxLength: 40 },
    )
    .map((words) => words.join("")),
);
const anyMedia: fc.Arbitrary<MediaInfo> = fc.record(
  {
    id: fc.uuid(),
    kind: fc.constantFrom("image", "video"),
    mime: fc.constantFrom("image/png", "image/jpeg", "image/gif", "image/tiff", "video/mp4", "text/plain", ""),
    bytes: fc.constantFrom(0, 1, 1_000, 1_000_001, 50_000_000, Number.MAX_SAFE_INTEGER),
    alt: fc.oneof(fc.constant(""), anyText),
  },
  { requiredKeys: ["id", "kind", "mime", "bytes"] },
);
const anyPart: fc.Arbitrary<Part> = fc.record({
  text: anyText,
  media: fc.uniqueArray(anyMedia, { maxLength: 6, selector: ({ id }) => id }),
});
const anyPost: fc.Arbitrary<Post> = fc
  .record(
    {
      id: fc.uuid(),
      parts: fc
        .tuple(anyPart, fc.array(anyPart, { maxLength: 3 }))
        .map(([first, rest]): [Part, ...Part[]] => [first, ...rest]),
      language: fc.constantFrom("en", "pt-BR"),
      visibility: fc.constantFrom<Visibility>(...VISIBILITIES),
      contentWarning: anyText,
      title: anyText,
      split: fc.boolean(),
      numbered: fc.boolean(),
    },
    { requiredKeys: ["id", "parts"] },
  )
  .filter(
    ({ parts }) =>
      new Set(parts.flatMap(({ media }) => media.map(({ id }) => id))).size ===
      parts.flatMap(({ media }) => media).length,
  );

const alone = (media: MediaInfo[]): Post => postOf("with media", { parts: [{ text: "with media", media }] });
const bad = (composed: Composed): string[] => (composed.ok ? [] : composed.issues.map(({ code }) => code));
const fits = (platform: Platform, post: Post, limits: Limits = platform.capabilities) => {
  const composed = platform.compose(post, limits);
  if (!composed.ok) throw new Error(`must compose: ${JSON.stringify(composed.issues)}`);
  return composed.units;
};
/** The platform's own description of an image it takes. */
const image = (platform: Platform, id: string, more: Partial<MediaInfo> = {}): MediaInfo => ({
  ...picture(id),
  mime: platform.capabilities.images?.mimes[0] ?? "image/png",
  ...more,
});
const images = (platform: Platform, count: number) =>
  Array.from({ length: count }, (_, index) => image(platform, `image-${index}`));

/** Composing: judgement without I/O. */
export const composing = {
  "compose.total": {
    says:
      "never throws, whatever the text, the media and the visibility; what it answers obeys the limits and survives " +
      "JSON",
    holds: ({ platform }) => {
      const { capabilities } = platform;
      fc.assert(
        fc.property(anyPost, (post) => {
          const composed = platform.compose(post, capabilities);
          expect(JSON.parse(JSON.stringify(composed))).toEqual(composed);
          if (!composed.ok) {
            expect(composed.issues.length).toBeGreaterThan(0);
            for (const { code, message } of composed.issues) {
              expect(code).toMatch(/^[a-z]+([.-][a-z]+)*$/);
              expect(message).not.toBe("");
            }
            return;
          }
          for (const { length } of composed.units) {
            expect(length).toBeGreaterThanOrEqual(0);
            expect(length).toBeLessThanOrEqual(capabilities.text.max);
          }
          expect(composed.units.flatMap(({ media }) => media)).toEqual(
            post.parts.flatMap(({ media }) => media.map(({ id }) => id)),
          );
        }),
        { numRuns: 300 },
      );
    },
  },
  "compose.pure": {
    says: "is pure: the same units for the same post, which it leaves as it was",
    holds: ({ platform }) => {
      fc.assert(
        fc.property(anyPost, (post) => {
          const before = structuredClone(post);
          expect(platform.compose(deepFreeze(post), deepFreeze({ ...platform.capabilities }))).toEqual(
            platform.compose(before, platform.capabilities),
          );
          expect(post).toEqual(before);
        }),
        { numRuns: 100 },
      );
    },
  },
  "compose.limit": {
    says: "the limit is exact: what just fits is one unit, one more is refused, with `split` it becomes a thread",
    holds: ({ platform }) => {
      const { text, thread } = platform.capabilities;
      for (const limits of [platform.capabilities, { ...platform.capabilities, text: { ...text, max: 40 } }]) {
        const { max } = limits.text;
        const full = fits(platform, postOf("a".repeat(max)), limits);
        expect(full).toHaveLength(1);
        expect(full[0].length).toBe(max);
        const over = platform.compose(postOf("a".repeat(max + 1)), limits);
        expect(bad(over)).toEqual(["text.too-long"]);
        if (thread === "merge") continue;
        const words = Array.from({ length: 30 }, (_, index) => `${index}`.padStart(Math.min(9, max >> 2), "w")).join(
          " ",
        );
        const long = `${words} ${"word ".repeat(Math.ceil(max / 5))}end`;
        const units = fits(platform, postOf(long, { split: true }), limits);
        expect(units.length).toBeGreaterThan(1);
        for (const unit of units) expect(unit.length).toBeLessThanOrEqual(max);
        expect(
          units
            .map((unit) => unit.text)
            .join(" ")
            .split(/\s+/),
        ).toEqual(long.split(/\s+/));
      }
    },
  },
  "compose.all-issues": {
    says: "says everything that is wrong at once",
    holds: ({ platform }) => {
      const { images: rule, text, altText, visibilities } = platform.capabilities;
      const media = rule
        ? images(platform, rule.max + 1).map((one) =>
            altText === false ? one : { ...one, alt: "a".repeat(altText + 1) },
          )
        : [image(platform, "one")];
      const hidden = VISIBILITIES.find((visibility) => !visibilities.includes(visibility));
      const post: Post = {
        id: "post-1",
        parts: [{ text: "a".repeat(text.max + 1), media }],
        ...(hidden ? { visibility: hidden } : {}),
      };
      const codes = bad(platform.compose(post, platform.capabilities));
      expect(codes).toContain("text.too-long");
      expect(codes).toContainEqual(expect.stringMatching(/^media\./));
      if (rule && altText !== false) expect(codes).toContain("alt.too-long");
      if (hidden) expect(codes).toContain("visibility");
    },
  },
  "compose.empty": {
    says: "empty text without media is refused; media alone are enough",
    holds: ({ platform }) => {
      for (const text of ["", " ", "\n\t "]) {
        expect(bad(platform.compose(postOf(text), platform.capabilities))).toContain("text.empty");
        const second = {
          id: "post-1",
          parts: [
            { text: "first", media: [] },
            { text, media: [] },
          ],
        } as const satisfies Post;
        expect(bad(platform.compose(second, platform.capabilities))).toContain("text.empty");
      }
      if (platform.capabilities.images)
        expect(fits(platform, postOf("", { parts: [{ text: "", media: [image(platform, "one")] }] }))).toHaveLength(1);
    },
  },
  "compose.thread": {
    says: "the parts of a thread become units in order, or one unit where threads are merged",
    holds: ({ platform }) => {
      const texts = ["the first part", "the second part", "the third part"] as const;
      const media = platform.capabilities.images ? [image(platform, "one")] : [];
      const post: Post = {
        id: "post-1",
        parts: [
          { text: texts[0], media: [] },
          { text: texts[1], media },
          { text: texts[2], media: [] },
        ],
      };
      const units = fits(platform, post);
      const ids = media.map(({ id }) => id);
      if (platform.capabilities.thread === "merge") {
        expect(units).toHaveLength(1);
        expect(units[0].text.split(/\s{2,}|\n/)).toEqual([...texts]);
        expect(units[0].media).toEqual(ids);
        return;
      }
      expect(units.map(({ text }) => text)).toEqual([...texts]);
      expect(units.map((unit) => unit.media)).toEqual([[], ids, []]);
      const numbered = fits(platform, { ...post, numbered: true });
      expect(numbered.map(({ text }, index) => text.includes(`${index + 1}/3`))).toEqual([true, true, true]);
    },
  },
  "compose.media": {
    says:
      "media keep their order and their alt text; too many, too large, of the wrong type or with too long an alt " +
      "text are refused",
    holds: ({ platform }) => {
      const { images: rule, altText } = platform.capabilities;
      if (!rule) {
        expect(bad(platform.compose(alone([image(platform, "one")]), platform.capabilities))).not.toEqual([]);
        return;
      }
      const most = images(platform, rule.max);
      expect(fits(platform, alone(most))[0].media).toEqual(most.map(({ id }) => id));
      expect(bad(platform.compose(alone(images(platform, rule.max + 1)), platform.capabilities))).toEqual([
        "media.too-many",
      ]);
      expect(fits(platform, alone([image(platform, "one", { bytes: rule.maxBytes })]))).toHaveLength(1);
      expect(
        bad(platform.compose(alone([image(platform, "one", { bytes: rule.maxBytes + 1 })]), platform.capabilities)),
      ).toEqual(["media.too-large"]);
      expect(
        bad(platform.compose(alone([image(platform, "one", { mime: "image/x-unheard-of" })]), platform.capabilities)),
      ).toEqual(["media.type"]);
      if (altText === false) return;
      const longest = "é".repeat(altText);
      const [unit] = fits(platform, alone([image(platform, "one", { alt: longest })]));
      expect(unit.media).toEqual(["one"]);
      expect(
        bad(platform.compose(alone([image(platform, "one", { alt: `${longest}e` })]), platform.capabilities)),
      ).toEqual(["alt.too-long"]);
      const smaller = { ...platform.capabilities, images: { ...rule, max: 1, maxBytes: 100 } };
      const codes = bad(platform.compose(alone(images(platform, 2).map((one) => ({ ...one, bytes: 101 }))), smaller));
      expect(new Set(codes)).toEqual(new Set(["media.too-large", "media.too-many"]));
    },
  },
  "compose.declared": {
    says: "every limit of a file that its capabilities declare is kept: what just fits composes, one more is refused",
    holds: ({ platform }) => {
      const { capabilities: can } = platform;
      const rules = { image: can.images, video: can.videos, document: can.documents };
      const told = (...files: MediaInfo[]) => new Set(bad(platform.compose(alone(files), can)));
      for (const kind of ["image", "video", "document"] as const) {
        const rule = rules[kind];
        const mime = rule?.mimes[0] ?? { image: "image/png", video: "video/mp4", document: "application/pdf" }[kind];
        const file = (more: Partial<MediaInfo> = {}): MediaInfo => ({ id: "one", kind, mime, bytes: 1, ...more });
        if (!rule) {
          expect(told(file()), kind).toEqual(new Set(["media.type"]));
          continue;
        }
        const { maxPixels = 1_000_000, durationMs, maxAspect = 1, maxFrameRate = 1, alone: single } = rule;
        const edges: readonly (readonly [code: string, declared: boolean, most: object, over: object])[] = [
          ["media.too-large", true, { bytes: rule.maxBytes }, { bytes: rule.maxBytes + 1 }],
          [
            "media.dimensions",
            rule.maxPixels !== undefined,
            { width: maxPixels, height: 1 },
            { width: maxPixels + 1, height: 1 },
          ],
          [
            "media.shape",
            rule.maxAspect !== undefined,
            { width: maxAspect * 10, height: 10 },
            { width: maxAspect * 10 + 1, height: 10 },
          ],
          ["media.frame-rate", rule.maxFrameRate !== undefined, { frameRate: maxFrameRate }, { frameRate: 1e9 }],
          [
            "media.duration",
            durationMs !== undefined,
            { durationMs: durationMs?.most },
            { durationMs: (durationMs?.most ?? 0) + 1 },
          ],
          [
            "media.duration",
            durationMs !== undefined && durationMs.least > 0,
            { durationMs: durationMs?.least },
            { durationMs: (durationMs?.least ?? 0) - 1 },
          ],
        ];
        for (const [code, declared, most, over] of edges) {
          if (!declared) continue;
          expect(told(file(most)), `${kind}: ${code}`).toEqual(new Set());
          expect(told(file(over)), `${kind}: ${code}`).toEqual(new Set([code]));
        }
        if (!single) continue;
        const only = (id: string) => file({ id, mime: single.mime, bytes: single.maxBytes });
        expect(told(only("one"))).toEqual(new Set());
        expect(told(only("one"), only("two"))).toEqual(new Set(["media.too-many"]));
        expect(told(only("one"), file({ id: "two" }))).toEqual(new Set(["media.mixed"]));
      }
      if (!can.images || !can.videos) return;
      const [film = "video/mp4"] = can.videos.mimes;
      const both = told(image(platform, "one"), { id: "two", kind: "video", mime: film, bytes: 1 });
      expect(both).toEqual(new Set(can.mixed === undefined ? ["media.mixed"] : []));
    },
  },
  "compose.options": {
    says: "an option it does not declare is refused, and so is a value that an option cannot have",
    holds: ({ platform }) => {
      const codes = (options: Record<string, string>) =>
        bad(platform.compose(postOf("hello", { options }), platform.capabilities));
      expect(codes({ "no-such-option": "x" })).toEqual(["option"]);
      for (const { name, values = [] } of platform.capabilities.options ?? []) {
        for (const value of values) expect(codes({ [name]: value })).toEqual([]);
        if (values.length > 0) expect(codes({ [name]: "no such value" })).toEqual([`option.${name}`]);
      }
    },
  },
  "compose.visibility": {
    says: "every visibility it declares composes, every other one is refused",
    holds: ({ platform }) => {
      for (const visibility of VISIBILITIES) {
        const codes = bad(platform.compose(postOf("hello", { visibility }), platform.capabilities));
        expect(codes, visibility).toEqual(
          platform.capabilities.visibilities.includes(visibility) ? [] : ["visibility"],
        );
      }
    },
  },
  "compose.warning": {
    says: "a content warning and a language are never silently dropped",
    holds: ({ platform }) => {
      const composed = platform.compose(
        postOf("hello", { contentWarning: "the ending of a film", language: "pt-BR" }),
        platform.capabilities,
      );
      if (platform.capabilities.contentWarning) expect(composed.ok).toBe(true);
      if (!composed.ok) return;
      expect(JSON.stringify(composed.units)).toContain("the ending of a film");
      // Some platforms name languages without a region (ISO 639-1).
      expect(JSON.stringify(composed.units)).toMatch(/"pt(-BR)?"/);
    },
  },
} as const satisfies Record<string, Promised>;

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
