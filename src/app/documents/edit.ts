import type { OpenPost } from "@psn/app/edit-post.ts";
import type { Preview } from "@psn/app/schedule-post.ts";
import type { Woken } from "@psn/app/wake-up.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import { FORMATS } from "@psn/core/types/content.ts";
import { VISIBILITIES } from "@psn/core/types/index.ts";
import { z } from "zod";
import { WakeDocument, wakeDocument } from "./change.ts";
import { DeliveryDocument, deliveryDocument } from "./delivery.ts";
import { PreviewDocument, previewDocument } from "./post.ts";
import { Count, type DocumentOf, DryRun, Id } from "./values.ts";

const Revision = Count.describe("Grows with every edit; a new post has revision 1.");

const parts = z.array(
  z.strictObject({
    text: z.string(),
    media: z.array(
      z.strictObject({
        file: z.string().describe("`psn:` and the id of a media file that the post has."),
        alt: z.string().optional(),
      }),
    ),
  }),
);

const WrittenDocument = z
  .strictObject({
    format: z.enum(FORMATS).optional().describe("What the texts are; absent: plain."),
    parts,
    overrides: z.record(z.string(), parts).describe("Other parts for one platform, by its id."),
    options: z
      .record(z.string(), z.record(z.string(), z.string()))
      .describe("What only one platform knows, by its id."),
    title: z.string().optional(),
    language: z.string().optional(),
    visibility: z.enum(VISIBILITIES).optional(),
    contentWarning: z.string().optional(),
    split: z.boolean(),
    numbered: z.boolean(),
  })
  .meta({ id: "Written", description: "What the author of a post wrote." });

/** A post as it can be edited. */
export const SourceDocument = z.strictObject({
  post: Id,
  revision: Revision,
  written: WrittenDocument,
  optionsKept: z.boolean().describe("False: an older psn wrote this post, and kept none of its options."),
  markdown: z.string().describe("The same as Markdown with front matter, which `psn edit` reads."),
});

/** What `edit` did, or would do. */
export const EditDocument = z.strictObject({
  dryRun: DryRun,
  post: Id,
  revision: Revision,
  changed: z.boolean().describe("False: the post says this already, and nothing was written."),
  wake: WakeDocument,
  deliveries: z.array(DeliveryDocument).describe("What has the new words; with `dryRun` as it is now."),
  accounts: z.array(PreviewDocument).describe("What each of these accounts receives."),
  left: z
    .array(DeliveryDocument)
    .describe("What keeps its words: it is out or on its way, or it has ended and the new words do not fit it."),
});

/** A post that was opened, and its Markdown. */
export interface SourceFacts {
  readonly post: OpenPost;
  readonly markdown: string;
}

export function sourceDocument({ post, markdown }: SourceFacts): DocumentOf<typeof SourceDocument> {
  const { postId, revision, options } = post.source;
  return { post: postId, revision, written: post.written, optionsKept: options !== null, markdown };
}

export interface EditFacts {
  readonly dryRun: boolean;
  readonly postId: string;
  /** The one that the post has now; with `dryRun` the one that it would get. */
  readonly revision: number;
  /** The post said something else before. */
  readonly isOther: boolean;
  readonly changed: readonly { readonly delivery: DeliverySummary; readonly preview: Preview }[];
  readonly left: readonly DeliverySummary[];
  readonly woken: Woken;
}

export function editDocument({
  dryRun,
  postId,
  revision,
  isOther,
  changed,
  left,
  woken,
}: EditFacts): DocumentOf<typeof EditDocument> {
  return {
    dryRun,
    post: postId,
    revision,
    changed: isOther,
    wake: wakeDocument(woken),
    deliveries: changed.map(({ delivery }) => deliveryDocument(delivery)),
    accounts: changed.map(({ preview }) => previewDocument(preview)),
    left: left.map(deliveryDocument),
  };
}
