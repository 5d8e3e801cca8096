import { EditDocument, type EditFacts, editDocument, SourceDocument, sourceDocument } from "@psn/app/documents/edit.ts";
import {
  editedMeanwhile,
  editPost,
  isSame,
  isStored,
  type OpenPost,
  openPost,
  planEdit,
  storedMedia,
} from "@psn/app/edit-post.ts";
import type { Scope } from "@psn/app/scope.ts";
import { NOBODY_WOKEN } from "@psn/app/wake-up.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import { writeDraft } from "@psn/domain/draft/write.ts";
import type { DraftMedia } from "@psn/domain/draft.ts";
import { z } from "zod";
import { draftOf, source as written, writtenOf } from "./draft.ts";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb } from "./verb.ts";

export const source = defineVerb({
  name: "source",
  summary: "what the author of a post wrote",
  effect: "read",
  idempotent: true,
  input: z.strictObject({ id: inputs.id }),
  output: SourceDocument,
  run: async ({ world, user }, { id }) => {
    const post = await openPost(world, user.id, id);
    return { post, markdown: markdownOf(post, world.platforms.ids) };
  },
  document: sourceDocument,
});

function markdownOf({ source: { media, options }, written: draft }: OpenPost, platforms: readonly string[]): string {
  const about = ({ file }: DraftMedia) => {
    const found = media.find(({ id }) => file.endsWith(id));
    if (!found) return undefined;
    const size = found.width === undefined ? "" : `, ${found.width} x ${found.height}`;
    return `${found.mime}${size}, ${found.bytes} bytes`;
  };
  const head = options === null ? ["An older psn wrote this post, and kept none of its options."] : [];
  return writeDraft(draft, { platforms, about, head });
}

export interface EditControl extends Control {
  /** The post as its author was shown it, where the caller has opened it: what was edited since is not overwritten. */
  readonly post?: OpenPost;
}

export const edit = defineVerb({
  name: "edit",
  summary: "change a post that is not sent yet",
  effect: "schedule",
  idempotent: false,
  input: written.extend({
    id: inputs.id,
    revision: z.int().min(1).optional().describe("Only where the post has this revision now."),
    dryRun: inputs.dryRun,
  }),
  output: EditDocument,
  run: async (scope, { id, revision, dryRun, ...said }, control: EditControl = {}): Promise<EditFacts> => {
    const { world, user } = scope;
    const post = control.post ?? (await openPost(world, user.id, id));
    const facts = { dryRun, postId: post.source.postId, woken: NOBODY_WOKEN };
    if (revision !== undefined && revision !== post.source.revision) throw editedMeanwhile(post);
    if (isSame(writtenOf(said), post.written))
      return { ...facts, revision: post.source.revision, isOther: false, changed: [], left: [] };
    const draft = await draftOf({ ...scope, readMedia: mediaOf(scope, post) }, said);
    if (dryRun) return { ...facts, ...(await planEdit(world, { userId: user.id, post, draft })), isOther: true };
    return { ...facts, ...(await editPost(world, { userId: user.id, post, draft, ...control })), isOther: true };
  },
  document: editDocument,
});

/** Reads the post's own media, and what the caller has a reader for; the same file twice is one. */
function mediaOf({ world, user, readMedia }: Scope, { source: row }: OpenPost): NonNullable<Scope["readMedia"]> {
  const files = new Map<string, Promise<NewMedia>>();
  return (medium) => {
    const key = JSON.stringify([medium.file, medium.alt]);
    const reads = readMedia !== undefined && !isStored(medium.file);
    const found =
      files.get(key) ?? (reads ? readMedia(medium) : storedMedia(world, { userId: user.id, source: row, medium }));
    files.set(key, found);
    return found;
  };
}
