import { z } from "zod";

const Fact = z.union([z.string(), z.number(), z.boolean()]);

/** An error: what happened, and what helps. No cause, no stack, no secret. */
export const ErrorDocument = z
  .strictObject({
    code: z.string().describe("Which error it is: `psn explain` lists them, docs/errors.md too. New ones are added."),
    message: z.string().describe("What happened, for a person."),
    hint: z.string().nullable().describe("What helps, for a person."),
    retry: z
      .enum(["never", "backoff", "refresh", "reconcile"])
      .describe("What may be done about it: `backoff` means that nothing was sent, and that later it may work."),
    next: z.string().nullable().describe("The hint, where it is a command."),
    retryAfterMs: z.number().optional().describe("When the platform may be asked again, in milliseconds from now."),
    details: z
      .record(z.string(), z.union([Fact, z.array(z.record(z.string(), Fact.nullable()))]))
      .optional()
      .describe("Facts by name, such as the id of the post."),
  })
  .meta({ id: "Error", description: "What happened, and what helps." });

/** What every command prints under `--json` when it fails. */
export const FailureDocument = z.strictObject({ error: ErrorDocument });
