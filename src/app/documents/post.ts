import { nameOf } from "@psn/app/choose-accounts.ts";
import type { Preview } from "@psn/app/schedule-post.ts";
import { defined } from "@psn/core/types/defined.ts";
import { z } from "zod";
import { WakeDocument } from "./change.ts";
import { DeliveryDocument } from "./delivery.ts";
import { Count, type DocumentOf, Id, Instant } from "./values.ts";

/** A post that is stored. */
export const PostDocument = z.strictObject({
  post: Id,
  repeated: z.boolean().describe("This idempotency key was used before: this is that post, and nothing was written."),
  due: Instant,
  said: z.string().describe("The time as psn understood it: local time, zone and UTC; or `now`."),
  wake: WakeDocument,
  deliveries: z.array(DeliveryDocument).describe("One for each account."),
});

export const PreviewDocument = z
  .strictObject({
    account: z.string(),
    limit: Count.describe("How long a unit's text may be."),
    units: z.array(
      z.strictObject({
        text: z.string(),
        length: Count,
        media: Count,
        links: z
          .array(z.strictObject({ text: z.string(), url: z.string() }))
          .optional()
          .describe("Links of Markdown whose address is not in the text."),
        html: z.string().optional().describe("What is sent beside the text, where the post is Markdown."),
      }),
    ),
    issues: z
      .array(z.strictObject({ code: z.string(), message: z.string(), hint: z.string().nullable() }))
      .describe("What is wrong with the post for this account."),
  })
  .meta({ id: "Preview", description: "What one account would receive, or what is wrong." });

/** What `psn post --dry-run` prints. */
export const PostPlanDocument = z.strictObject({
  dryRun: z.literal(true),
  due: Instant,
  leftOut: z.strictObject({ comments: Count.describe("HTML comments of the file.") }),
  accounts: z.array(PreviewDocument),
  takenOut: z
    .array(z.strictObject({ file: z.string(), taken: z.array(z.string()) }))
    .describe("Metadata that is taken out of the media."),
});

export function previewDocument({ account, limits, units, issues }: Preview): DocumentOf<typeof PreviewDocument> {
  return {
    account: nameOf(account),
    limit: limits.text.max,
    units: units.map(({ text, length, media, links, html }) => ({
      text,
      length,
      media: media.length,
      ...defined({ links: links && [...links], html }),
    })),
    issues: issues.map(({ code, message, hint = null }) => ({ code, message, hint })),
  };
}
