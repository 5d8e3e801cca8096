import type { Capabilities, Limits, MediaRule } from "@psn/core/types/capabilities.ts";
import type { Issue } from "@psn/core/types/platform.ts";
import type { MediaInfo, MediaKind, Post } from "@psn/core/types/post.ts";
import { measure } from "@psn/domain/text.ts";

/*
 * Everything that data can say is wrong with a post, in one wording for every platform. The same data is printed in
 * docs/platforms.md.
 */

/** What a platform is, as far as a check needs it. */
export interface About {
  readonly id: string;
  readonly name: string;
  readonly capabilities: Pick<Capabilities, "visibilities" | "contentWarning" | "options">;
  readonly words?: Words;
}

/** What one platform says in words of its own. */
export interface Words {
  /** Who takes files, where that is not the platform itself: `the server`. */
  readonly taker?: string;
  /** Why there is no other visibility: `every post is public`. */
  readonly visibility?: string;
  /** A hint in place of the usual one, by the issue's code. */
  readonly hints?: Readonly<Record<string, string>>;
}

/** What concerns the post as a whole: visibility, content warning, options. */
export function postIssues({ visibility = "public", contentWarning = "", options = {} }: Post, about: About): Issue[] {
  const { id, name, capabilities: can, words } = about;
  const issues: Issue[] = [];
  if (!can.visibilities.includes(visibility))
    issues.push({
      code: "visibility",
      message: `${name} has no "${visibility}" posts${words?.visibility ? `: ${words.visibility}` : ""}`,
      hint:
        can.visibilities.length === 1
          ? `omit the visibility for ${name}`
          : can.visibilities.map((one) => `--visibility ${one}`).join(" or "),
    });
  if (!can.contentWarning && contentWarning.trim() !== "")
    issues.push({
      code: "warning",
      message: `${name} has no content warnings`,
      hint: `omit the content warning, or do not post to ${name}`,
    });
  const rules = can.options ?? [];
  const known = rules.length === 0 ? {} : { hint: `it has ${rules.map((rule) => rule.name).join(", ")}` };
  for (const [option, value] of Object.entries(options)) {
    const rule = rules.find((one) => one.name === option);
    if (!rule) issues.push({ code: "option", message: `${name} has no option "${option}"`, ...known });
    else if (rule.values && !rule.values.includes(value))
      issues.push({
        code: `option.${option}`,
        message: `the option ${option} of ${name} cannot be "${value}"`,
        hint: `--option ${id}.${option}=${rule.values.join("|")}`,
      });
  }
  return withHints(issues, words);
}

/** What is wrong with the files of one unit, in order. `place` goes before each message: `part 2: `. */
export function mediaIssues(
  media: readonly MediaInfo[],
  {
    limits,
    about,
    place = "",
  }: { readonly limits: Limits; readonly about: About; readonly place?: string | undefined },
): Issue[] {
  const taker = about.words?.taker ?? about.name;
  const found = [
    ...countIssues(media, limits, taker),
    ...media.flatMap((file, index) => {
      const which = media.length === 1 ? `the ${file.kind}` : `${file.kind} ${index + 1}`;
      return [...fileIssues(file, { which, limits, taker }), ...altIssues(file, which, limits)];
    }),
  ];
  return withHints(found, about.words).map((issue) => ({ ...issue, message: `${place}${issue.message}` }));
}

function withHints(issues: readonly Issue[], words: Words | undefined): Issue[] {
  return issues.map((issue) => {
    const hint = words?.hints?.[issue.code] ?? issue.hint;
    return hint === undefined ? issue : { ...issue, hint };
  });
}

const KINDS = ["image", "video", "document"] as const satisfies readonly MediaKind[];

function ruleOf(kind: MediaKind, { images, videos, documents }: Limits): MediaRule | undefined {
  return { image: images, video: videos, document: documents }[kind];
}

/** What stands together in a unit: files of a kind, or one that stands alone. */
interface Group {
  readonly word: string;
  readonly most: number;
  readonly has: (file: MediaInfo) => boolean;
}

function groupsOf(limits: Limits): Group[] {
  return KINDS.flatMap((kind): Group[] => {
    const { max, alone } = ruleOf(kind, limits) ?? {};
    if (max === undefined) return [];
    const isAlone = (file: MediaInfo) => file.kind === kind && file.mime === alone?.mime;
    const others: Group = { word: kind, most: max, has: (file) => file.kind === kind && !isAlone(file) };
    if (!alone) return [others];
    const word = alone.mime.split("/")[1]?.toUpperCase() ?? alone.mime;
    return [others, { word, most: Math.min(1, max), has: isAlone }];
  });
}

function countIssues(media: readonly MediaInfo[], limits: Limits, taker: string): Issue[] {
  const groups = groupsOf(limits).map((group) => ({ ...group, count: media.filter(group.has).length }));
  const issues: Issue[] = [];
  if (limits.mixed === undefined && groups.filter(({ count }) => count > 0).length > 1) {
    const takes = groups.map(({ word, most }) => (most === 1 ? `one ${word}` : `${word}s`));
    issues.push({
      code: "media.mixed",
      message: `${taker} accepts ${takes.join(", or ")} in a post`,
      hint: "put each kind into a separate part",
    });
  }
  const tooMany = groups.filter(({ count, most }) => count > most);
  for (const { word, count, most } of tooMany)
    issues.push({ code: "media.too-many", message: `${count} ${word}s, and a post accepts at most ${most}` });
  if (tooMany.length === 0 && limits.mixed !== undefined && media.length > limits.mixed)
    issues.push({
      code: "media.too-many",
      message: `${media.length} files, and a post accepts at most ${limits.mixed}`,
    });
  return issues;
}

function fileIssues(
  file: MediaInfo,
  { which, limits, taker }: { readonly which: string; readonly limits: Limits; readonly taker: string },
): Issue[] {
  const { kind, mime, bytes, width = 0, height = 0, durationMs, frameRate = 0 } = file;
  const rule = ruleOf(kind, limits);
  if (!rule)
    return [
      { code: "media.type", message: `${taker} does not accept ${kind}s`, hint: `remove the ${kind}, or link to it` },
    ];
  const issues: Issue[] = [];
  const { alone, maxPixels, maxFrameRate, durationMs: plays, maxAspect } = rule;
  if (!rule.mimes.includes(mime))
    issues.push({
      code: "media.type",
      message: `${which} is ${mime || "of an unknown type"}, which ${taker} does not accept`,
      hint: `it accepts ${rule.mimes.join(", ")}`,
    });
  const maxBytes = alone?.mime === mime ? alone.maxBytes : rule.maxBytes;
  if (bytes > maxBytes)
    issues.push({
      code: "media.too-large",
      message: `${which} has ${bytes} bytes, and ${taker} accepts at most ${maxBytes}`,
      hint: kind === "image" ? "save it smaller, for example as JPEG" : "save it smaller",
    });
  if (maxPixels !== undefined && width * height > maxPixels)
    issues.push({
      code: "media.dimensions",
      message: `${which} has ${width} x ${height} pixels, and ${taker} accepts at most ${maxPixels} in total`,
      hint: `save it smaller, for example ${smaller(width, height, maxPixels)}`,
    });
  if (maxAspect !== undefined && height > 0 && width / height > maxAspect)
    issues.push({ code: "media.shape", message: `${which} is more than ${maxAspect} times as wide as it is high` });
  if (maxFrameRate !== undefined && frameRate > maxFrameRate)
    issues.push({
      code: "media.frame-rate",
      message: `${which} has ${frameRate} frames a second, and ${taker} accepts at most ${maxFrameRate}`,
      hint: `save it with ${maxFrameRate} frames a second or fewer`,
    });
  if (plays && durationMs !== undefined && (durationMs < plays.least || durationMs > plays.most))
    issues.push({
      code: "media.duration",
      message:
        `${which} is ${durationMs / 1000} seconds long, and ${taker} accepts ${plays.least / 1000} to ` +
        `${plays.most / 1000}`,
    });
  return issues;
}

function altIssues({ alt = "" }: MediaInfo, which: string, { altText, altUnit = "grapheme" }: Limits): Issue[] {
  const length = altText === false ? 0 : measure(alt, { max: altText, unit: altUnit });
  if (altText === false || length <= altText) return [];
  return [{ code: "alt.too-long", message: `the alt text of ${which} has ${length} of ${altText} characters` }];
}

/** Of the same shape, and as large as is taken. */
function smaller(width: number, height: number, most: number): string {
  const scale = Math.sqrt(most / (width * height));
  return `${Math.floor(width * scale)} x ${Math.floor(height * scale)}`;
}
