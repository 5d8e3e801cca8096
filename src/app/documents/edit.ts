import { z } from "zod";
import { WakeDocument } from "./change.ts";
import { DeliveryDocument } from "./delivery.ts";
import { PreviewDocument } from "./post.ts";
import { Count, DryRun, Id } from "./values.ts";

const Revision = Count.describe("Grows with every edit; a new post has revision 1.");

/** What the author wrote of a post, as it is now. */
export const SourceDocument = z.strictObject({
  post: Id,
  revision: Revision,
  markdown: z.string().describe("The post as Markdown with front matter, which `psn edit` reads."),
});

/** What `edit` did, or would do. */
export const EditDocument = z.strictObject({
  dryRun: DryRun,
  post: Id,
  revision: Revision,
  changed: z.boolean().describe("False: the post says this already, and nothing was written."),
  wake: WakeDocument,
  deliveries: z.array(DeliveryDocument).describe("What carries the new words; with `dryRun` as they are now."),
  accounts: z.array(PreviewDocument).describe("What each of these accounts receives."),
  left: z
    .array(DeliveryDocument)
    .describe("What keeps the words it has: it is out, or on its way, or has ended and the new words do not fit it."),
});
