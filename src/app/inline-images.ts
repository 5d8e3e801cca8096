import type { NewMedia } from "@psn/core/ports/posts.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Written } from "@psn/domain/draft/write.ts";
import type { DraftMedia } from "@psn/domain/draft.ts";
import { storedImage } from "@psn/domain/markdown/images.ts";
import type { DraftPart } from "./schedule-post.ts";

/*
 * Images that a Markdown text names are media of its part. The parser is loaded for Markdown alone.
 */

const finder = () => import("@psn/domain/markdown/find-images.ts");

/** A part of a draft with its media read, those in its text behind those that are named beside it. */
export async function readPart<Medium extends DraftMedia>({
  text,
  media,
  format,
  read,
}: {
  readonly text: string;
  readonly media: readonly Medium[];
  readonly format: Written["format"];
  readonly read: (medium: Medium | DraftMedia) => Promise<NewMedia>;
}): Promise<DraftPart> {
  const named = await Promise.all(media.map(read));
  if (format !== "markdown" || !text.includes("![")) return { text, media: named };
  const { imagesIn, withStored } = await finder();
  const images = imagesIn(text);
  const shown = await Promise.all(
    images.map(({ file, alt }) => {
      // One that says nothing is the file that is named beside the text.
      const beside = media.findIndex((one) => one.file === file && (alt === "" || one.alt === alt));
      return named[beside] ?? read({ file, ...defined({ alt: alt || undefined }) });
    }),
  );
  const all = new Map([...named, ...shown].map((file) => [file.id, file]));
  const ids = shown.map(({ id }) => id);
  return { text: withStored(text, images, ids), media: [...all.values()] };
}

/** Every file that a draft names, beside its texts and in them; not what its post has already. */
export async function filesNamed({ parts, overrides, format }: Written): Promise<string[]> {
  const all = [parts, ...Object.values(overrides)].flat();
  const beside = all.flatMap(({ media }) => media.map(({ file }) => file));
  if (format !== "markdown") return beside;
  const { imagesIn } = await finder();
  const within = all.flatMap(({ text }) => imagesIn(text).map(({ file }) => file));
  return [...new Set([...beside, ...within])].filter((file) => storedImage(file) === undefined);
}
