import { SchemaDocument } from "@psn/app/documents/help.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { namedCommands, schemaOf } from "@psn/cli/json-schema.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export default defineCommand({
  name: "schema",
  summary: "the JSON Schema of what commands take and print",
  details:
    "Draft 2020-12, always JSON. Below $defs each command is an object with input (its arguments and flags, in " +
    "camelCase) and output (what it prints under --json). A command that fails prints failure. docs/json.md is made " +
    "from it.",
  examples: [
    { line: "psn schema queue", does: "what psn queue takes, and what it prints under --json" },
    { line: "psn schema vault status", does: "the same of a command of two words" },
    { line: "psn schema > psn.schema.json", does: "all commands in one document" },
  ],
  args: [{ name: "[command...]", help: "the command; else all" }],
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
