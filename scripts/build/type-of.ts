/*
 * A JSON Schema, as zod writes it, as a type of TypeScript. A library for this (json-schema-to-typescript) brings a
 * formatter and makes names of its own; the compiler holds what is written here against the real types, both ways
 * (tests/build/types.test.ts).
 */

/** As much of a JSON Schema as psn's verbs use. */
export interface Node {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly prefixItems?: readonly Node[];
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly allOf?: readonly Node[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly propertyNames?: Node;
  readonly additionalProperties?: Node | boolean;
}

const PRIMITIVES: Readonly<Record<string, string>> = {
  string: "string",
  number: "number",
  integer: "number",
  boolean: "boolean",
  null: "null",
};

export function typeOf(node: Node, indent = ""): string {
  const several = (nodes: readonly Node[], sign: "|" | "&") =>
    [...new Set(nodes.map((one) => typeOf(one, indent)))]
      .map((one) => (nodes.length > 1 ? inBrackets(one) : one))
      .join(` ${sign} `);
  if (node.$ref !== undefined) return node.$ref.split("/").at(-1) ?? "";
  if (node.anyOf ?? node.oneOf) return several(node.anyOf ?? node.oneOf ?? [], "|");
  if (node.allOf) return several(node.allOf, "&");
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum) return node.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (Array.isArray(node.type))
    return several(
      node.type.map((type) => ({ ...node, type })),
      "|",
    );
  if (node.prefixItems) return `[${node.prefixItems.map((one) => typeOf(one, indent)).join(", ")}]`;
  if (node.type === "array") return `${inBrackets(typeOf(node.items ?? {}, indent))}[]`;
  if (node.type === "object") return objectOf(node, indent);
  return PRIMITIVES[String(node.type)] ?? "unknown";
}

/** Behind a line for people, which an editor shows. */
export const described = (node: Node, indent: string): string =>
  node.description === undefined ? "" : `${indent}/** ${node.description.replaceAll("*/", "* /")} */\n`;

/** Where a sign beside it would take only a part of the type. */
const inBrackets = (type: string): string => (/^(?:\w+|"[^"]*"|\{[^|&]*\})$/.test(type) ? type : `(${type})`);

function objectOf(
  { properties, required = [], propertyNames, additionalProperties: rest }: Node,
  indent: string,
): string {
  if (properties === undefined) {
    const value = typeof rest === "object" ? typeOf(rest, indent) : "unknown";
    const name = propertyNames === undefined ? "string" : typeOf(propertyNames, indent);
    const whole = `Record<${name}, ${value}>`;
    return name === "string" || required.length > 0 ? whole : `Partial<${whole}>`;
  }
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([name, node]) => {
    const key = /^[a-z_$][\w$]*$/i.test(name) ? name : JSON.stringify(name);
    // A caller may compute what it leaves out.
    const [sign, or] = required.includes(name) ? ["", ""] : ["?", " | undefined"];
    const said = node.$ref === undefined ? described(node, inner) : "";
    return `${said}${inner}${key}${sign}: ${typeOf(node, inner)}${or};\n`;
  });
  if (typeof rest === "object") lines.push(`${inner}[name: string]: unknown;\n`);
  return `{\n${lines.join("")}${indent}}`;
}
