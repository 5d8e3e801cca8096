import type { Limits } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Visibility } from "@psn/core/types/index.ts";
import type { Composed, Issue } from "@psn/core/types/platform.ts";
import type { MediaInfo, Post } from "@psn/core/types/post.ts";
import { plainOf } from "@psn/domain/markdown/plain.ts";
import { fits, measure } from "@psn/domain/text.ts";
import { htmlOf } from "./html.ts";
import { type About, mediaIssues, postIssues } from "./issues.ts";

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
  readonly parts: readonly {
    readonly text: string;
    /** The same as HTML, where it was written in Markdown; its images have the address `cid:` and a file's id. */
    readonly html?: string;
    readonly media: readonly MergedMedia[];
  }[];
  readonly visibility: Visibility;
  readonly language?: string;
  readonly contentWarning?: string;
  readonly title?: string;
};

/** Between two parts where they are read as one text. */
const SEAM = "\n\n";

/** Pure. One unit with every part of the post, or everything that is wrong with it. Plain texts stay as they are. */
export function mergePost(post: Post, limits: Limits, about: About): Composed<Merged> {
  const shown = post.parts.map(({ text, content, media }) => ({
    text: content ? plainOf(content).text : text,
    ...defined({ html: content && htmlOf(content) }),
    media: media.map(described),
  }));
  const text = shown.map((part) => part.text).join(SEAM);
  const files = post.parts.flatMap(({ media }) => media);
  const [issue, ...others] = [
    ...postIssues(post, about),
    ...textIssues(shown, text, limits),
    ...mediaIssues(files, { limits, about }),
  ];
  if (issue) return { ok: false, issues: [issue, ...others] };
  const { visibility = "public", language, contentWarning, title } = post;
  const body: Merged = {
    parts: shown,
    visibility,
    ...defined({
      language: language || undefined,
      contentWarning: contentWarning || undefined,
      title: title || undefined,
    }),
  };
  const media = files.map(({ id }) => id);
  const html = shown.flatMap((part) => part.html ?? []).join(SEAM);
  const unit = { body, text, length: measure(text, limits.text), media, prepare: false };
  return { ok: true, units: [{ ...unit, ...defined({ html: html === "" ? undefined : html }) }] };
}

function textIssues(parts: Merged["parts"], text: string, { text: rule }: Limits): Issue[] {
  const empty = parts.flatMap((part, index): Issue[] => {
    if (part.text.trim() !== "" || part.media.length > 0) return [];
    const place = parts.length === 1 ? "" : `part ${index + 1}: `;
    return [{ code: "text.empty", message: `${place}the post has neither text nor media` }];
  });
  if (fits(text, rule)) return empty;
  const message = `${measure(text, rule)} of ${rule.max} characters, all parts together`;
  return [...empty, { code: "text.too-long", message, hint: "shorten the text" }];
}

function described({ id, mime, bytes, width, height, alt }: MediaInfo): MergedMedia {
  return { id, mime, bytes, ...defined({ width, height, alt: alt || undefined }) };
}
