import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";

/*
 * X's own description of its API (https://api.x.com/2/openapi.json) as a judge over what psn sends. Its licence lets
 * nobody else hand it out, so it is not in this repository: PSN_X_OPENAPI names a copy of one's own.
 */

/** A request as the golden file has it: a multipart body is a list of names and values. */
export interface Golden {
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
}

type Node = Readonly<Record<string, unknown>>;

/** The file that PSN_X_OPENAPI names; undefined without it. */
export function openApiFile(): string | undefined {
  return process.env["PSN_X_OPENAPI"] || undefined;
}

/** What is wrong with a request; empty when nothing is. */
export type Judge = (request: Golden) => readonly string[];

export function readXApi(file: string): Judge {
  const document = JSON.parse(readFileSync(file, "utf8")) as { readonly paths: Readonly<Record<string, Node>> };
  const ajv = addFormats(new Ajv({ strict: false, allErrors: true, logger: false })).addSchema(document, "x");
  const at = (pointer: string): Node | undefined =>
    pointer
      .split("/")
      .slice(1)
      .reduce<unknown>(
        (node, key) => (node as Node | undefined)?.[key.replaceAll("~1", "/").replaceAll("~0", "~")],
        document,
      ) as Node | undefined;
  const key = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1");

  return ({ method, url, body }) => {
    const { pathname } = new URL(url);
    const verb = method.toLowerCase();
    const path = Object.keys(document.paths)
      .filter(
        (one) => new RegExp(`^${one.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`).test(pathname) && document.paths[one]?.[verb],
      )
      // A word counts before a placeholder.
      .toSorted((a, b) => a.split("{").length - b.split("{").length)[0];
    if (path === undefined) return [`X has no ${method} ${pathname}`];
    const operation = `/paths/${key(path)}/${verb}/requestBody`;
    const ref = at(operation)?.["$ref"];
    const wanted = typeof ref === "string" ? ref.slice(1) : operation;
    if (body === "") return at(wanted)?.["required"] === true ? [`${method} ${pathname} wants a body`] : [];
    const type = Array.isArray(body) ? "multipart/form-data" : "application/json";
    const schema = `${wanted}/content/${key(type)}/schema`;
    if (at(schema) === undefined) return [`${method} ${pathname} takes no ${type}`];
    const validate = ajv.compile({ $ref: `x#${schema}` });
    if (validate(Array.isArray(body) ? formOf(body) : body)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${method} ${pathname}${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}

/** A form has no numbers; the description has. */
function formOf(fields: readonly (readonly [string, string])[]): Node {
  return Object.fromEntries(fields.map(([name, value]) => [name, /^\d+$/.test(value) ? Number(value) : value]));
}
