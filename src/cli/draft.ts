import { dirname, resolve } from "node:path";
import { filesNamed, readPart } from "@psn/app/inline-images.ts";
import type { DraftParts, DraftPost } from "@psn/app/schedule-post.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Visibility } from "@psn/core/types/index.ts";
import { type MediaFile, readMedia } from "@psn/core/utils/media.ts";
import { cleaned } from "@psn/domain/clean.ts";
import { hasFront } from "@psn/domain/draft/front-kinds.ts";
import { type Draft, type DraftMedia, decodeText, parseDraft, plainDraft } from "@psn/domain/draft.ts";
import type { Context } from "./command.ts";
import { assertInside } from "./inside.ts";
import { formatOf, textFileNamed } from "./text-file.ts";

export interface DraftInput {
  /** A text, the name of a text file, or `-` for standard input. */
  readonly source?: string | undefined;
  /** A text, word for word. */
  readonly text?: string | undefined;
  readonly media: readonly string[];
  readonly alt: readonly string[];
  readonly split: boolean;
  readonly numbered: boolean;
  readonly visibility?: Visibility | undefined;
  readonly contentWarning?: string | undefined;
  readonly title?: string | undefined;
  readonly language?: string | undefined;
  /** Each as `platform.name=value`. */
  readonly option: readonly string[];
  /** Position, serial numbers, names and comments stay in the media. */
  readonly keepMetadata: boolean;
  /** Standard input is taken though its last line does not end. */
  readonly allowPartial: boolean;
  /** Front matter may name media outside of its file's folder. */
  readonly allowOutside: boolean;
}

export interface ReadDraft {
  readonly draft: DraftPost;
  /** How many HTML comments of the file were left out. */
  readonly comments: number;
  /** Standard input was to be the text, and there was none: never a post, whatever media there are. */
  readonly nothingPiped: boolean;
  /** What the file's front matter says of where and when. */
  readonly to: readonly string[];
  readonly at?: string;
  readonly tz?: string;
  /** What was taken out of the media, by the paths the author gave; files in which there was nothing are not there. */
  readonly taken: readonly TakenOut[];
}

export interface TakenOut {
  readonly file: string;
  readonly taken: MediaFile["taken"];
}

/** A file the author named: `path` is where it is. */
interface Named {
  readonly file: string;
  readonly path: string;
  readonly alt?: string;
}

/** The post that the arguments, standard input or a file describe, its media read; flags stand above front matter. */
export async function readDraft(input: DraftInput, context: Context): Promise<ReadDraft> {
  if (input.alt.length > input.media.length)
    throw new PsnError("USAGE", `${input.alt.length} --alt for ${input.media.length} --media`, {
      hint: "add a --media for each --alt",
    });
  if (input.text !== undefined && input.source !== undefined)
    throw new PsnError("USAGE", "the text is given twice: as an argument and by --text", {
      hint: "leave one of them out",
    });
  const { draft, folder, file } = await written(input, context);
  if (file !== undefined && !input.allowOutside) await assertInside(await filesNamed(draft), folder, file);
  const [first, ...others] = draft.parts;
  const flagged = input.media.map((file, i) => ({
    file,
    path: resolve(context.cwd, file),
    ...defined({ alt: input.alt[i] }),
  }));
  const files = new Map<string, Promise<NewMedia>>();
  const taken = new Map<string, TakenOut>();
  const keepMetadata = input.keepMetadata || draft.keepMetadata === true;
  const load = ({ file, path, alt }: Named) => {
    const key = JSON.stringify([path, alt]);
    const known =
      files.get(key) ?? readOne(path, { alt, keepMetadata, onTaken: (out) => taken.set(path, { file, taken: out }) });
    files.set(key, known);
    return known;
  };
  const partsOf = async ([head, ...rest]: Draft["parts"], extra: readonly Named[]): Promise<DraftParts> => {
    const one = ({ text, media }: Draft["parts"][number], more: readonly Named[]) =>
      readPart<DraftMedia & Partial<Named>>({
        text,
        media: [...media, ...more],
        format: draft.format,
        read: (medium) => load({ path: resolve(folder, medium.file), ...medium }),
      });
    return [await one(head, extra), ...(await Promise.all(rest.map((part) => one(part, []))))];
  };
  const overrides = await Promise.all(
    Object.entries(draft.overrides).map(
      async ([platform, parts]) => [platform, await partsOf(parts, flagged)] as const,
    ),
  );
  const {
    title = draft.title,
    language = draft.language,
    visibility = draft.visibility,
    contentWarning = draft.contentWarning,
  } = input;
  return {
    draft: {
      parts: await partsOf([first, ...others], flagged),
      overrides: Object.fromEntries(overrides),
      options: optionsOf(draft.options, input.option),
      split: input.split || draft.split,
      numbered: input.numbered || draft.numbered,
      ...defined({ format: draft.format, title, language, visibility, contentWarning }),
    },
    comments: draft.comments ?? 0,
    nothingPiped: input.source === "-" && draft.parts.every(({ text }) => text.trim() === ""),
    to: draft.to ?? [],
    ...defined({ at: draft.at, tz: draft.tz }),
    taken: [...taken.values()].filter((one) => one.taken.length > 0),
  };
}

/** Flags stand above front matter. Throws USAGE. */
function optionsOf(front: Draft["options"], flags: readonly string[]): Draft["options"] {
  const options: Record<string, Record<string, string>> = Object.fromEntries(
    Object.entries(front).map(([id, own]) => [id, { ...own }]),
  );
  for (const flag of flags) {
    const [, id, name, value] = /^([a-z][a-z0-9-]*)\.([a-z][a-z0-9-]*)=(.*\S.*)$/s.exec(flag) ?? [];
    if (id === undefined || name === undefined || value === undefined)
      throw new PsnError("USAGE", `an option must have the form platform.name=value, not "${flag}"`, {
        hint: "--option x.reply=following",
      });
    const own = options[id] ?? {};
    own[name] = cleaned(value).trim();
    options[id] = own;
  }
  return options;
}

async function readOne(
  path: string,
  {
    alt,
    keepMetadata,
    onTaken,
  }: {
    readonly alt: string | undefined;
    readonly keepMetadata: boolean;
    readonly onTaken: (taken: MediaFile["taken"]) => void;
  },
): Promise<NewMedia> {
  const { bytes, taken, ...info } = await readMedia(path, { keepMetadata });
  onTaken(taken);
  return {
    id: Bun.randomUUIDv7(),
    ...info,
    bytes: bytes.length,
    content: bytes,
    ...defined({ alt: alt === undefined || alt === "" ? undefined : alt }),
  };
}

/** A media file, read for `psn edit`. Throws what `readMedia` throws. */
export const readMediaFile = (path: string, alt: string | undefined, keepMetadata: boolean): Promise<NewMedia> =>
  readOne(path, { alt, keepMetadata, onTaken: () => undefined });

/**
 * The text on standard input. A writer that dies half-way leaves the same end as one that has finished, and nothing
 * tells psn of it; but what programs write in full ends with a line break, and what is cut off does so only by chance.
 */
async function pipedText({ stdin, piped }: Context, allowPartial: boolean): Promise<string> {
  const text = decodeText(await stdin(), "standard input");
  if (text.trim() !== "" && !/[\n\r]$/.test(text) && !allowPartial && (await piped()))
    throw new PsnError(
      "TEXT_INCOMPLETE",
      "the text from the pipe does not end with a line break, so it may be cut off; nothing was stored",
      {
        hint: "end the text with a line break (printf '%s\\n', echo), or use --allow-partial; psn help files",
      },
    );
  return text;
}

interface Written {
  readonly draft: Draft;
  /** From where its media are read. */
  readonly folder: string;
  /** The file it stands in, as it was named. */
  readonly file?: string;
}

async function written({ source, text, media, allowPartial }: DraftInput, context: Context): Promise<Written> {
  const { cwd: folder, prompt } = context;
  if (text !== undefined) return { draft: plainDraft(text), folder };
  if (source === "-")
    return { draft: plainDraft(asText(await pipedText(context, allowPartial), "standard input")), folder };
  if (source !== undefined) {
    const found = await textFileNamed(source, folder);
    if (!found) return { draft: plainDraft(asText(source, "the text")), folder };
    const file = source.trim();
    const { platformIds } = await import("@psn/platforms/index.ts");
    const rules = { platforms: platformIds, format: formatOf(file) };
    return { draft: parseDraft(found.text, file, rules), folder: dirname(found.path), file };
  }
  if (media.length > 0) return { draft: plainDraft(""), folder };
  return {
    draft: plainDraft(
      await prompt.text("What do you want to say?", "the text as an argument, or - for standard input"),
    ),
    folder,
  };
}

/** A text that begins with front matter was to be read as a file; published as text it would also be a draft. */
function asText(text: string, name: string): string {
  if (!hasFront(text)) return text;
  throw new PsnError("DRAFT_INVALID", `${name} begins with front matter, which psn reads only in a file`, {
    hint: "save it as a file and pass the file: psn post post.md; to post exactly this text: psn post --text",
  });
}
