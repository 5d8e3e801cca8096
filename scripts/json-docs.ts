import { keyOf, namedCommands, schemaOf } from "@psn/cli/json-schema.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import type { Node } from "./build/type-of.ts";

/*
 * docs/json.md: what every command prints under `--json`, written from the JSON Schemas that `psn schema` prints.
 */

const INTRO = `# JSON

With \`--json\` a command prints one document on stdout, whether it succeeds or fails. \`psn schema\` prints the JSON
Schema (draft 2020-12) of all of them, \`psn schema COMMAND\` of one; this page is made from it.

Fields are added, and none is changed or taken away. The schemas allow no others, so take them from the psn that you
run. New codes of errors, new events and new names of steps come without notice. A field that a document may leave out
is marked with \`?\`.`;

export async function jsonPage(): Promise<string> {
  const commands = await namedCommands(COMMANDS);
  const { $defs } = schemaOf(commands);
  const defs = $defs as Readonly<Record<string, Node>>;
  const own = new Set([...commands.map(({ path }) => keyOf(path)), "failure"]);
  const shared = Object.entries(defs).filter(([name]) => !own.has(name));
  const parts = [
    INTRO,
    "## When a command fails",
    fenced(defs["failure"]),
    ...commands.flatMap(({ path, command }) => [
      path === "today" ? "## psn, alone" : `## psn ${path}`,
      `${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`,
      fenced(defs[keyOf(path)]?.properties?.["output"]),
    ]),
    "## Shared parts",
    ...shared.toSorted(([a], [b]) => a.localeCompare(b)).flatMap(([name, node]) => [`### ${name}`, fenced(node)]),
  ];
  return `${parts.join("\n\n")}\n`;
}

function fenced(node: Node | undefined): string {
  const ways = node?.anyOf && !node.anyOf.some(({ type }) => type === "null") ? node.anyOf : [node ?? {}];
  const written = ways.map((one) => {
    const said = one.description ? [`// ${one.description}`] : [];
    return [...said, typeOf(one, "")].join("\n");
  });
  return ["```ts", written.join("\n// or\n"), "```"].join("\n");
}

/** A schema as a type is written. */
function typeOf(node: Node, indent: string): string {
  if (node.$ref !== undefined) return node.$ref.split("/").at(-1) ?? "";
  if (node.anyOf) return node.anyOf.map((one) => typeOf(one, indent)).join(" | ");
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum) return node.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (node.type === "array") return listOf(typeOf(node.items ?? {}, indent));
  if (node.type === "object") return objectOf(node, indent);
  if (Array.isArray(node.type)) return node.type.join(" | ");
  if (node.format === "date-time") return "string (instant)";
  return node.type === undefined ? "any" : String(node.type);
}

const listOf = (type: string) => (/^\w+$/.test(type) || type.endsWith("}") ? `${type}[]` : `(${type})[]`);

function objectOf({ properties = {}, required = [], additionalProperties: rest }: Node, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(properties).flatMap(([name, node]) => [
    ...(node.description && node.$ref === undefined ? [`${inner}// ${node.description}`] : []),
    `${inner}${name}${required.includes(name) ? "" : "?"}: ${typeOf(node, inner)}`,
  ]);
  if (typeof rest === "object" && Object.keys(rest).length > 0) lines.push(`${inner}[name]: ${typeOf(rest, inner)}`);
  return lines.length === 0 ? "{}" : ["{", ...lines, `${indent}}`].join("\n");
}
