import { readPart } from "@psn/app/inline-images.ts";
import type { DraftPost } from "@psn/app/schedule-post.ts";
import type { Scope } from "@psn/app/scope.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import { defined } from "@psn/core/types/defined.ts";
import * as fields from "@psn/domain/draft/fields.ts";
import type { Written } from "@psn/domain/draft/write.ts";
import { type DraftMedia, plainDraft } from "@psn/domain/draft.ts";
import { z } from "zod";

/*
 * What the author writes, as verbs take it.
 */

const mediaFile = z.strictObject({
  file: fields.mediaFile.describe("An image, a video or a PDF, where the caller reads files."),
  alt: fields.alt.optional().describe("A description for people who cannot see it."),
});

const part = z.strictObject({ text: z.string(), media: z.array(mediaFile).default([]) });
const parts = z.array(part).min(1);

export const source = z.strictObject({
  format: fields.format
    .optional()
    .describe("markdown: each platform gets the texts as it shows them; default: plain, as they are typed."),
  text: z.string().optional().describe("The text, where it is one part."),
  media: z.array(mediaFile).default([]).describe("What goes with the text, in order."),
  parts: parts.optional().describe("The parts of a thread, in place of text and media."),
  overrides: z.record(z.string(), parts).default({}).describe("Other parts for one platform, by its id."),
  options: z
    .record(z.string(), z.record(z.string(), z.string()))
    .default({})
    .describe("What only one platform knows, by its id; docs/platforms.md lists them."),
  title: fields.title.optional(),
  language: fields.language.optional().describe("BCP 47."),
  visibility: fields.visibility.optional(),
  contentWarning: fields.contentWarning.optional().describe("Shown in place of the post until the reader asks for it."),
  split: z.boolean().default(false).describe("Split what is too long into a thread."),
  numbered: z.boolean().default(false).describe("Number the parts of a thread."),
});

type Source = z.output<typeof source>;

/** What it says, its media by their names. Throws INPUT_INVALID for text beside parts. */
export function writtenOf(input: Source): Written {
  const { text = "", media, title, language, visibility, contentWarning, split, numbered, options, overrides } = input;
  const format = input.format === "markdown" ? input.format : undefined;
  if (input.parts && (input.text !== undefined || media.length > 0))
    throw new PsnError("INPUT_INVALID", "the post has parts and also a text or media outside of them", {
      hint: "put the text and the media into the parts",
    });
  return {
    parts: cleaned(input.parts ?? [{ text, media }]),
    overrides: Object.fromEntries(Object.entries(overrides).map(([id, some]) => [id, cleaned(some)])),
    options,
    split,
    numbered,
    ...defined({ format, title, language, visibility, contentWarning }),
  };
}

function cleaned(some: z.output<typeof parts>): Written["parts"] {
  const [first = { text: "", media: [] }, ...others] = some.map(({ text, media }) => ({
    text: plainDraft(text).parts[0].text,
    media: media.map(({ file, alt }) => ({ file, ...defined({ alt }) })),
  }));
  return [first, ...others];
}

/** The draft with its media read. Throws what `writtenOf` and reading a file throw. */
export async function draftOf(scope: Scope, input: Source): Promise<DraftPost> {
  const { parts: main, overrides, ...rest } = writtenOf(input);
  const { format } = rest;
  const own = await Promise.all(
    Object.entries(overrides).map(async ([id, parts]) => [id, await partsOf(scope, { parts, format })] as const),
  );
  return { ...rest, parts: await partsOf(scope, { parts: main, format }), overrides: Object.fromEntries(own) };
}

async function partsOf(
  scope: Scope,
  { parts: [first, ...others], format }: Pick<Written, "parts"> & { readonly format: Written["format"] },
): Promise<DraftPost["parts"]> {
  const read = (medium: DraftMedia): Promise<NewMedia> => {
    if (scope.readMedia) return scope.readMedia(medium);
    throw new PsnError("INPUT_INVALID", "the calling program gave no way to read files, so the post cannot have media");
  };
  const one = (part: Written["parts"][number]) => readPart({ ...part, format, read });
  return [await one(first), ...(await Promise.all(others.map(one)))];
}
