import { FailureDocument } from "@psn/app/documents/failure.ts";
import { z } from "zod";
import { type Command, type CommandTable, isGroup } from "./command.ts";

/*
 * The JSON Schemas (draft 2020-12) of what commands take and print. One document holds them: below `$defs` each command
 * is an object with `input` and `output`, so that `#/$defs/queue/properties/output` is what `psn queue --json` prints.
 */

const DRAFT = "https://json-schema.org/draft/2020-12/schema";

type Schema = Readonly<Record<string, unknown>>;
type Definitions = Record<string, unknown>;

export interface SchemaDocument {
  readonly $schema: string;
  readonly title: string;
  readonly $defs: Definitions;
  readonly [keyword: string]: unknown;
}

/** What may be given to one command, and what it prints; `today` stands for `psn` alone. */
export interface NamedCommand {
  /** As it is typed behind `psn`: `vault status`. */
  readonly path: string;
  readonly command: Command;
}

/** Every command that prints a document. */
export async function namedCommands(commands: CommandTable): Promise<readonly NamedCommand[]> {
  const today = (await import("./commands/today.ts")).default;
  const all: NamedCommand[] = [{ path: TODAY, command: today }];
  for (const [name, { load }] of Object.entries(commands)) {
    const loaded = (await load()).default;
    if (!isGroup(loaded)) all.push({ path: name, command: loaded });
    else all.push(...loaded.commands.map((command) => ({ path: `${name} ${command.name}`, command })));
  }
  return all;
}
const TODAY = "today";

/** One document with the schemas of these commands, and of the error that each may print. */
export function schemaOf(commands: readonly NamedCommand[]): SchemaDocument {
  const $defs: Definitions = {};
  const failure = jsonSchema(FailureDocument, "output", $defs);
  const named = commands.map(({ path, command }) => [
    keyOf(path),
    {
      type: "object",
      description: `psn ${path === TODAY ? "(alone)" : path}: ${command.summary}`,
      properties: {
        input: jsonSchema(command.schema, "input", $defs),
        output: jsonSchema(command.document, "output", $defs),
      },
    },
  ]);
  return {
    $schema: DRAFT,
    title: "psn",
    description: "What commands of psn take, and what they print under --json. A command that fails prints `failure`.",
    $defs: { ...$defs, failure, ...Object.fromEntries(named) },
  };
}

/** The name of a command below `$defs`. */
export function keyOf(path: string): string {
  return path.replace(" ", "-");
}

/** The schema, what it refers to being put into `$defs`. */
function jsonSchema(schema: z.ZodType, io: "input" | "output", $defs: Definitions): Schema {
  const { $schema: _draft, $defs: own = {}, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  Object.assign($defs, own);
  return rest;
}
