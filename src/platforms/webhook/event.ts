import { VISIBILITIES } from "@psn/core/types/index.ts";
import { z } from "zod";

/*
 * What a receiver is sent, in one place: the adapter builds these types, docs/platforms/webhook.md prints these schemas
 * and examples, and the tests check every event that is sent against them.
 */

const file = {
  mime: z.string().describe("IANA media type, found from the bytes"),
  bytes: z.int().nonnegative().describe("size in bytes"),
  width: z.int().positive().optional().describe("in pixels, where the format tells"),
  height: z.int().positive().optional().describe("in pixels, where the format tells"),
  alt: z.string().optional().describe("text for people who cannot see it"),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe("of the bytes, in hex"),
};

const Inline = z.strictObject({ ...file, data: z.base64().describe("the bytes, in base64") });

const Linked = z.strictObject({
  ...file,
  url: z.url().describe("GET it, without any additional header; anyone with the address can"),
  expires: z.iso.datetime().describe("from then on the address gives nothing"),
});

const Part = z.strictObject({
  text: z.string().describe("plain text"),
  html: z
    .string()
    .optional()
    .describe(
      "the same as HTML, where it was written in Markdown; an image in it has the address cid: and its file's sha256",
    ),
  media: z.array(z.union([Inline, Linked])).describe("in the order in which they are to be shown"),
});

const id = z.uuid().describe("the post's id; the header webhook-id is the same");
const timestamp = z.iso.datetime();

export const PostPublished = z.strictObject({
  type: z.literal("post.published"),
  timestamp: timestamp.describe(
    "when the post was published; the same at every attempt whose request may have arrived",
  ),
  data: z.strictObject({
    id,
    parts: z.array(Part).min(1).describe("one part, or those of a thread in order"),
    visibility: z.enum(VISIBILITIES).describe("who may see it"),
    language: z.string().optional().describe("BCP 47"),
    contentWarning: z.string().optional().describe("to be shown in place of the post until its reader asks for it"),
    title: z.string().optional(),
  }),
});

export const PostRemoved = z.strictObject({
  type: z.literal("post.removed"),
  timestamp: timestamp.describe("when the post was taken back"),
  data: z.strictObject({
    id: z.uuid().describe("the id of its post.published; the header webhook-id is this with -removed behind it"),
  }),
});

export type Medium = z.infer<typeof Inline> | z.infer<typeof Linked>;
export type WebhookEvent = z.infer<typeof PostPublished> | z.infer<typeof PostRemoved>;

const ID = "0199e3b2-7c00-7000-8000-000000000001";

/** The smallest PNG, and the same as a file in a bucket. */
const PIXEL = {
  mime: "image/png",
  bytes: 70,
  width: 1,
  height: 1,
  alt: "A blue pixel",
  sha256: "497790947d4666760ce38f3c00e852c71fdb66cae849bae8e9ede352719e1581",
} as const;

/** Every event, with an example of each. */
export const EVENTS = [
  {
    schema: PostPublished,
    example: {
      type: "post.published",
      timestamp: "2026-11-02T12:00:00.000Z",
      data: {
        id: ID,
        parts: [
          {
            text: "Hello from psn",
            media: [
              {
                ...PIXEL,
                data:
                  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA" +
                  "AABJRU5ErkJggg==",
              },
            ],
          },
          {
            text: "The second part of a thread, with its file in a bucket",
            media: [
              {
                mime: "image/jpeg",
                bytes: 4_300_000,
                width: 4000,
                height: 3000,
                alt: "The harbour at dawn",
                sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                url: "https://s3.example.com/media/psn/0199e3b2/0199e3b3?X-Amz-Expires=604800&X-Amz-Signature=0f3a",
                expires: "2026-11-09T12:00:00.000Z",
              },
            ],
          },
        ],
        visibility: "public",
        language: "en",
        title: "Hello",
      },
    },
  },
  { schema: PostRemoved, example: { type: "post.removed", timestamp: "2026-11-03T08:30:00.000Z", data: { id: ID } } },
] as const satisfies readonly { readonly schema: z.ZodType; readonly example: WebhookEvent }[];
