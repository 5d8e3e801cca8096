import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { NewMedia } from "@psn/app/ports/posts.ts";
import type { DraftParts, DraftPost } from "@psn/app/schedule-post.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Visibility } from "@psn/core/types/index.ts";
import { readMedia } from "@psn/core/utils/media.ts";
import { type Draft, decodeText, parseDraft, plainDraft } from "@psn/domain/draft.ts";
import type { Context } from "./command.ts";

export interface DraftInput {
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
  /** Standard input is taken though its last line does not end. */
  readonly allowPartial: boolean;
}

export interface ReadDraft {
  readonly draft: DraftPost;
  /** Standard input was to be the text, and there was none: never a post, whatever media there are. */
  readonly nothingPiped: boolean;
  /** What the file's front matter says of where and when. */
  readonly to: readonly string[];
  readonly at?: string;
  readonly tz?: string;
}

/** The post that the arguments, standard input or a file describe, its media read; flags stand above front matter. */
export async function readDraft(input: DraftInput, context: Context): Promise<ReadDraft> {
  if (input.alt.length > input.media.length)
    throw new PsnError("USAGE", `${input.alt.length} descriptions for ${input.media.length} media`, {
      hint: "give each --alt its --media",
    });
  const { draft, folder } = await written(input, context);
  const [first, ...others] = draft.parts;
  const flagged = input.media.map((file, i) => ({
    file: resolve(context.cwd, file),
    ...(input.alt[i] === undefined ? {} : { alt: input.alt[i] }),
  }));
  const files = new Map<string, Promise<NewMedia>>();
  const load = ({ file, alt }: { file: string; alt?: string }) => {
    const key = JSON.stringify([file, alt]);
    const known = files.get(key) ?? readOne(file, alt);
    files.set(key, known);
    return known;
  };
  const partsOf = async ([head, ...rest]: Draft["parts"], extra: readonly { file: string; alt?: string }[]): Promise<DraftParts> => {
    const one = async (part: Draft["parts"][number], more: readonly { file: string; alt?: string }[]) => ({
      text: part.text,
      media: await Promise.all([...part.media.map((item) => ({ ...item, file: resolve(folder, item.file) })), ...more].map(load)),
    });
    return [await one(head, extra), ...(await Promise.all(rest.map((part) => one(part, []))))];
  };
  const overrides = await Promise.all(
    Object.entries(draft.overrides).map(async ([platform, parts]) => [platform, await partsOf(parts, flagged)] as const),
  );
  const { title = draft.title, language = draft.language, visibility = draft.visibility, contentWarning = draft.contentWarning } = input;
  return {
    draft: {
      parts: await partsOf([first, ...others], flagged),
      overrides: Object.fromEntries(overrides),
      options: optionsOf(draft.options, input.option),
      split: input.split || draft.split,
      numbered: input.numbered || draft.numbered,
      ...(title === undefined ? {} : { title }),
      ...(language === undefined ? {} : { language }),
      ...(visibility === undefined ? {} : { visibility }),
      ...(contentWarning === undefined ? {} : { contentWarning }),
    },
    nothingPiped: input.text === "-" && draft.parts.every(({ text }) => text.trim() === ""),
    to: draft.to ?? [],
    ...(draft.at === undefined ? {} : { at: draft.at }),
    ...(draft.tz === undefined ? {} : { tz: draft.tz }),
  };
}

/** Flags stand above front matter. Throws USAGE. */
function optionsOf(front: Draft["options"], flags: readonly string[]): Draft["options"] {
  const options: Record<string, Record<string, string>> = Object.fromEntries(Object.entries(front).map(([id, own]) => [id, { ...own }]));
  for (const flag of flags) {
    const [, id, name, value] = /^([a-z][a-z0-9-]*)\.([a-z][a-z0-9-]*)=(.*\S.*)$/s.exec(flag) ?? [];
    if (id === undefined || name === undefined || value === undefined)
      throw new PsnError("USAGE", `an option is written platform.name=value, and not "${flag}"`, { hint: "--option x.reply=following" });
    const own = options[id] ?? {};
    own[name] = value.trim();
    options[id] = own;
  }
  return options;
}

async function readOne(file: string, alt: string | undefined): Promise<NewMedia> {
  const { bytes, ...info } = await readMedia(file);
  return {
    id: Bun.randomUUIDv7(),
    ...info,
    bytes: bytes.length,
    content: bytes,
    ...(alt === undefined ? {} : { alt }),
  };
}

/**
 * The text on standard input. A writer that dies half-way leaves the same end as one that has finished, and nothing tells psn of it; but
 * what programs write in full ends with a line break, and what is cut off does so only by chance.
 */
async function pipedText({ stdin, piped }: Context, allowPartial: boolean): Promise<string> {
  const text = decodeText(await stdin(), "standard input");
  if (text.trim() !== "" && !/[\n\r]$/.test(text) && !allowPartial && (await piped()))
    throw new PsnError("INPUT_INVALID", "what was piped does not end with a line break, so it may be cut off; nothing was stored", {
      hint: "end it with a line break (printf '%s\\n', echo), or say --allow-partial; psn help files",
    });
  return text;
}

async function written(
  { text, media, allowPartial }: DraftInput,
  context: Context,
): Promise<{ readonly draft: Draft; readonly folder: string }> {
  const { cwd, prompt } = context;
  if (text === "-") return { draft: plainDraft(await pipedText(context, allowPartial)), folder: cwd };
  if (text !== undefined && /\.(md|markdown)$/i.test(text) && (!/\s/.test(text) || existsSync(resolve(cwd, text)))) {
    const path = resolve(cwd, text);
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new PsnError("FILE_UNREADABLE", `${text} cannot be read`, {
        cause,
        hint: "check the path; a text that ends in .md goes through standard input: psn post -",
      });
    });
    const { platformIds } = await import("@psn/platforms/index.ts");
    return { draft: parseDraft(decodeText(new Uint8Array(bytes), text), text, platformIds), folder: dirname(path) };
  }
  if (text !== undefined) return { draft: plainDraft(text), folder: cwd };
  if (media.length > 0) return { draft: plainDraft(""), folder: cwd };
  return {
    draft: plainDraft(await prompt.text("What do you want to say?", "the text as an argument, or - for standard input")),
    folder: cwd,
  };
}
