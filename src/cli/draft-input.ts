import type { DraftPart, DraftPost } from "@psn/app/schedule-post.ts";
import type { Scope } from "@psn/app/scope.ts";
import type { source } from "@psn/app/verbs/draft.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import { STORED, storedImage } from "@psn/domain/markdown/images.ts";
import type { z } from "zod";

export interface DraftForVerb {
  readonly input: z.output<typeof source>;
  readonly readMedia: NonNullable<Scope["readMedia"]>;
}

/** A draft whose media were read already, as a verb takes it: each file goes by the id that it has since. */
export function draftForVerb({ parts, overrides, options = {}, ...rest }: DraftPost): DraftForVerb {
  const files = new Map<string, NewMedia>();
  const partOf = ({ text, media }: DraftPart) => ({
    text,
    media: media.map((one) => {
      files.set(one.id, one);
      return { file: `${STORED}${one.id}` };
    }),
  });
  return {
    input: {
      ...rest,
      media: [],
      parts: parts.map(partOf),
      overrides: Object.fromEntries(Object.entries(overrides).map(([id, own]) => [id, own.map(partOf)])),
      options: Object.fromEntries(Object.entries(options).map(([id, own]) => [id, { ...own }])),
    },
    readMedia: async ({ file }) => {
      const found = files.get(storedImage(file) ?? file);
      if (!found) throw new PsnError("BUG", "a media file of the draft was not read");
      return found;
    },
  };
}
