import { z } from "zod";

/*
 * Documents about psn itself.
 */

const ErrorMeaning = z
  .strictObject({
    code: z.string(),
    exit: z.int().describe("The exit code of a command that ends with this error."),
    retry: z.enum(["never", "backoff", "refresh", "reconcile"]),
    meaning: z.string(),
    hint: z.string().nullable().describe("What helps."),
    became: z
      .array(z.string())
      .describe("Codes of their own by now for what this code meant too in an earlier version of psn."),
  })
  .meta({ id: "ErrorMeaning", description: "What an error code means." });

export const ExplainDocument = z.union([z.strictObject({ errors: z.array(ErrorMeaning) }), ErrorMeaning]);
export const HelpDocument = z.union([
  z.strictObject({ topics: z.array(z.string()) }),
  z.strictObject({ topic: z.string(), text: z.string() }),
]);
export const CompletionDocument = z.union([
  z.strictObject({ words: z.array(z.string()) }),
  z.strictObject({ shell: z.string(), script: z.string() }),
  z.strictObject({
    shell: z.string(),
    path: z.string().describe("The file that the shell loads."),
    change: z.enum(["written", "removed", "none"]),
    add: z.array(z.string()).describe("Lines for the user to add to `addTo`; with --undo, to remove from it."),
    addTo: z.string().nullable(),
  }),
]);
export const SchemaDocument = z
  .looseObject({ $schema: z.string(), $defs: z.record(z.string(), z.unknown()) })
  .describe("A JSON Schema, draft 2020-12. `$defs` has each command, with its `input` and `output`.");
