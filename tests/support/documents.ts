import { keyOf, namedCommands, schemaOf } from "@psn/cli/json-schema.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

/*
 * The published JSON Schemas, compiled by Ajv: every document that a test has a command print is held against them.
 */

const ID = "https://psn.example/schema.json";

async function compile() {
  const commands = await namedCommands(COMMANDS);
  const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
  addFormats(ajv);
  ajv.addSchema({ $id: ID, ...schemaOf(commands) });
  const validator = (at: string): ValidateFunction => {
    const validate = ajv.getSchema(`${ID}#/$defs/${at}`);
    if (!validate) throw new Error(`no schema at ${at}`);
    return validate;
  };
  return { paths: commands.map(({ path }) => path), validator };
}

let compiled: ReturnType<typeof compile> | undefined;

/** What in this document is not as its schema says; an empty list where all is. `argv`: what printed it. */
export async function schemaErrors(argv: readonly string[], document: unknown): Promise<readonly string[]> {
  compiled ??= compile();
  const { paths, validator } = await compiled;
  const isFailure = typeof document === "object" && document !== null && "error" in document;
  const validate = validator(isFailure ? "failure" : `${keyOf(pathOf(argv, paths))}/properties/output`);
  if (validate(document)) return [];
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    [instancePath, message, JSON.stringify(params)].join(" "),
  );
}

/** The command of a line that succeeded. */
function pathOf(argv: readonly string[], paths: readonly string[]): string {
  const line = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined);
  const words = line.filter((word) => !word.startsWith("-"));
  const [found] = words.flatMap((word, at) =>
    paths.filter((path) => path === word || path === `${word} ${words[at + 1]}`),
  );
  return found ?? "today";
}
