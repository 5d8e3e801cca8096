import type { Limits, MediaRule, TextRule } from "@psn/core/types/capabilities.ts";
import type { Visibility } from "@psn/core/types/index.ts";
import type { Composed, Issue } from "@psn/core/types/platform.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import { fits, measure } from "@psn/domain/text.ts";

/** A media file in a merged body: all but its bytes. */
export type MergedMedia = {
  readonly id: string;
  readonly mime: string;
  readonly bytes: number;
  readonly width?: number;
  readonly height?: number;
  readonly alt?: string;
};

/** A whole post as one unit, for platforms without a limit worth a thread. The parts stay apart. */
export type Merged = {
  readonly parts: readonly { readonly text: string; readonly media: readonly MergedMedia[] }[];
  readonly visibility: Visibility;
  readonly language?: string;
  readonly contentWarning?: string;
  readonly title?: string;
};

/** Between two parts where they are read as one text. */
const SEAM = "\n\n";

/** Pure. One unit with every part of the post, or everything that is wrong with it. Texts stay as they were written. */
export function mergePost(post: Post, limits: Limits, visibilities: readonly Visibility[]): Composed<Merged> {
  const visibility = post.visibility ?? "public";
  const text = post.parts.map((part) => part.text).join(SEAM);
  const [issue, ...others] = [
    ...visibilityIssues(visibility, visibilities),
    ...post.parts.flatMap((part, index) => emptyIssues(part, index, post.parts.length)),
    ...lengthIssues(text, limits.text),
    ...mediaIssues(
      post.parts.flatMap(({ media }) => media),
      limits,
    ),
  ];
  if (issue) return { ok: false, issues: [issue, ...others] };
  const body: Merged = {
    parts: post.parts.map((part) => ({ text: part.text, media: part.media.map(described) })),
    visibility,
    ...given("language", post.language),
    ...given("contentWarning", post.contentWarning),
    ...given("title", post.title),
  };
  const media = post.parts.flatMap((part) => part.media.map(({ id }) => id));
  return { ok: true, units: [{ body, text, length: measure(text, limits.text), media, prepare: false }] };
}

function visibilityIssues(visibility: Visibility, visibilities: readonly Visibility[]): Issue[] {
  if (visibilities.includes(visibility)) return [];
  return [
    {
      code: "visibility",
      message: `a post here is ${visibilities.join(" or ")}, never ${visibility}`,
      hint: `--visibility ${visibilities[0] ?? "public"}`,
    },
  ];
}

function emptyIssues({ text, media }: Part, index: number, count: number): Issue[] {
  if (text.trim() !== "" || media.length > 0) return [];
  return [
    {
      code: "text.empty",
      message: count === 1 ? "there is neither text nor media" : `part ${index + 1} has neither text nor media`,
    },
  ];
}

function lengthIssues(text: string, rule: TextRule): Issue[] {
  if (fits(text, rule)) return [];
  return [
    {
      code: "text.too-long",
      message: `${measure(text, rule)} of ${rule.max} characters, all parts together`,
      hint: "shorten the text",
    },
  ];
}

function mediaIssues(media: readonly MediaInfo[], limits: Limits): Issue[] {
  const rules = { image: limits.images, video: limits.videos, document: limits.documents };
  const issues: Issue[] = [];
  for (const kind of ["image", "video", "document"] as const) {
    const count = media.filter((one) => one.kind === kind).length;
    const most = rules[kind]?.max ?? 0;
    if (rules[kind] && count > most)
      issues.push({ code: "media.too-many", message: `${count} of at most ${most} ${kind}s, all parts together` });
  }
  return [...issues, ...media.flatMap((one, index) => fileIssues(one, index, rules[one.kind], limits))];
}

function fileIssues(file: MediaInfo, index: number, rule: MediaRule | undefined, { altText }: Limits): Issue[] {
  const which = `${file.kind} ${index + 1}`;
  const issues: Issue[] = [];
  if (!rule?.mimes.includes(file.mime)) {
    issues.push({
      code: "media.type",
      message: `${which} is ${file.mime || "of an unknown type"}`,
      hint: rule ? `use ${rule.mimes.join(", ")}` : `leave the ${file.kind} out`,
    });
  }
  if (rule && file.bytes > rule.maxBytes)
    issues.push({ code: "media.too-large", message: `${which} has ${file.bytes} of at most ${rule.maxBytes} bytes` });
  if (altText === false || !file.alt) return issues;
  const length = measure(file.alt, { max: altText, unit: "grapheme" });
  if (length > altText)
    issues.push({
      code: "alt.too-long",
      message: `the alt text of ${which} has ${length} of at most ${altText} characters`,
    });
  return issues;
}

function described({ id, mime, bytes, width, height, alt }: MediaInfo): MergedMedia {
  return { id, mime, bytes, ...given("width", width), ...given("height", height), ...given("alt", alt) };
}

/** Absent stays absent: a body is stored as JSON. */
function given<K extends string, V extends string | number>(
  name: K,
  value: V | undefined,
): { readonly [key in K]?: V } {
  return value === undefined || value === "" ? {} : ({ [name]: value } as { readonly [key in K]?: V });
}
