import { SchemaDocument } from "@psn/app/documents/help.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { namedCommands, schemaOf } from "@psn/cli/json-schema.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export default defineCommand({
  name: "schema",
  summary: "print the JSON Schema of each command's input and output",
  details:
    "Prints JSON Schema draft 2020-12. In $defs each command is an object with input (its arguments and flags, in " +
    "camelCase) and output (what it prints with --json). A command that fails prints failure. docs/json.md is " +
    "generated from it.",
  examples: [
    { line: "psn schema queue", does: "the input of psn queue, and its output with --json" },
    { line: "psn schema vault status", does: "the same for a command of two words" },
    { line: "psn schema > psn.schema.json", does: "all commands in one document" },
  ],
  args: [{ name: "[command...]", help: "the command; default: all", takes: "command" }],
  document: SchemaDocument,
  schema: z.object({ command: z.array(z.string()).default([]) }),
  run: async ({ command: words }, { output, commands }) => {
    const all = await namedCommands(commands);
    const wanted = words.join(" ");
    const found = all.filter(({ path }) => wanted === "" || path === wanted || path.startsWith(`${wanted} `));
    if (found.length === 0)
      throw new PsnError("NOT_FOUND", `there is no command "${wanted}"`, { hint: "psn --help lists the commands" });
    const document = schemaOf(found);
    output.result(document, () => JSON.stringify(document, null, 2).split("\n"));
    return undefined;
  },
});
