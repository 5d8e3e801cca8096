import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { parse } from "yaml";

/*
 * Neon's own description of its management API, the OpenAPI file that @neondatabase/api-client carries, as a judge over
 * requests and answers. A query parameter or a field that the file does not know is wrong too, though JSON Schema would
 * let it pass.
 */

interface Parameter {
  readonly name: string;
  readonly in: "query" | "path";
  readonly required?: boolean;
  readonly schema?: object;
}
type Node = Readonly<Record<string, unknown>>;

const require = createRequire(import.meta.url);
const FILE = join(require.resolve("@neondatabase/api-client/package.json"), "..", "public-v2-for-users.gen.yaml");
const ID = "neon";

export interface Judge {
  /** What is wrong with a request; empty when nothing is. */
  request(method: string, url: URL, body: unknown): readonly string[];
  /** What is wrong with an answer to it. */
  answer(method: string, url: URL, status: number, body: unknown): readonly string[];
}

export function readNeonApi(): Judge {
  const document = parse(readFileSync(FILE, "utf8")) as { readonly paths: Readonly<Record<string, Node>> };
  const options = { strict: false, allErrors: true, logger: false } as const;
  const ajv = addFormats(new Ajv(options)).addSchema(document, ID);
  const coercing = addFormats(new Ajv({ ...options, coerceTypes: true })).addSchema(document, ID);
  const compiled = new Map<string, ValidateFunction>();

  const at = (pointer: string): unknown =>
    pointer
      .split("/")
      .slice(1)
      .reduce<unknown>(
        (node, key) => (node as Node | undefined)?.[key.replaceAll("~1", "/").replaceAll("~0", "~")],
        document,
      );
  const resolved = (node: unknown): Node => {
    const ref = (node as Node | undefined)?.["$ref"];
    return typeof ref === "string" ? resolved(at(ref.slice(1))) : (node as Node);
  };
  /** Where a node really is, a reference followed. */
  const place = (pointer: string): string => {
    const ref = (at(pointer) as Node | undefined)?.["$ref"];
    return typeof ref === "string" ? place(ref.slice(1)) : pointer;
  };
  const check = (pointer: string, value: unknown): readonly string[] => {
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `${ID}#${pointer}` });
    compiled.set(pointer, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
  const segment = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");

  const routes = Object.keys(document.paths).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, "([^/]+)")}$`),
    // A word counts before a placeholder.
    placeholders: path.split("{").length,
  }));
  const routeOf = (method: string, url: URL) =>
    routes
      .filter(
        ({ path, pattern }) =>
          pattern.test(url.pathname.replace(/^\/api\/v2/, "")) && document.paths[path]?.[method.toLowerCase()],
      )
      .toSorted((a, b) => a.placeholders - b.placeholders)[0];

  /** Fields no schema knows. */
  const unknownFields = (schema: unknown, value: unknown, where: string): readonly string[] => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
    const node = resolved(schema);
    const all = [node, ...((node["allOf"] as readonly unknown[] | undefined) ?? []).map(resolved)];
    const properties = Object.assign({}, ...all.map((one) => one["properties"] ?? {})) as Node;
    return Object.entries(value).flatMap(([key, inner]) =>
      key in properties ? unknownFields(properties[key], inner, `${where}/${key}`) : [`${where}/${key} is no field`],
    );
  };

  /** Words in the path that no id can be. */
  const inPath = (path: string, url: URL, parameters: readonly unknown[]): readonly string[] => {
    const words = url.pathname.replace(/^\/api\/v2/, "").split("/");
    return path.split("/").flatMap((part, n) => {
      const name = /^\{(.+)\}$/.exec(part)?.[1];
      const found = parameters
        .map((one) => resolved(one) as unknown as Parameter)
        .find((one) => one.in === "path" && one.name === name);
      if (found?.schema === undefined) return [];
      const validate = coercing.compile({ type: "object", properties: relative({ word: found.schema }) });
      return validate({ word: decodeURIComponent(words[n] ?? "") }) ? [] : [`${name} in the path is no ${name}`];
    });
  };

  return {
    request(method, url, body) {
      const route = routeOf(method, url);
      if (!route) return [`${method} ${url.pathname} is no call`];
      const item = document.paths[route.path] as Node;
      const operation = item[method.toLowerCase()] as Node;
      const both = [item, operation].flatMap((node) => (node["parameters"] as readonly unknown[] | undefined) ?? []);
      const parameters = both.map((one) => resolved(one) as unknown as Parameter).filter((one) => one.in === "query");
      const properties = Object.fromEntries(parameters.map(({ name, schema = {} }) => [name, schema]));
      const required = parameters.filter((one) => one.required).map(({ name }) => name);
      const validate = coercing.compile({
        type: "object",
        properties: relative(properties),
        required,
        additionalProperties: false,
      });
      const problems = [
        ...inPath(route.path, url, both),
        ...(validate(Object.fromEntries(url.searchParams))
          ? []
          : (validate.errors ?? []).map((error) => `query ${error.message} ${JSON.stringify(error.params)}`)),
      ];
      const pointer =
        `/paths/${segment(route.path)}/${method.toLowerCase()}` + "/requestBody/content/application~1json/schema";
      const schema = at(pointer);
      if (schema === undefined) return body === undefined ? problems : [...problems, "a body where none is taken"];
      return [...problems, ...check(pointer, body), ...unknownFields(schema, body, "")];
    },
    answer(method, url, status, body) {
      const route = routeOf(method, url);
      if (!route) return [];
      const responses = `/paths/${segment(route.path)}/${method.toLowerCase()}/responses`;
      const known = at(`${responses}/${status}`) === undefined ? "default" : String(status);
      const pointer = place(`${responses}/${known}`);
      if (known === "default" && status < 400) return [`${status} is no answer to ${method} ${route.path}`];
      const schema = `${pointer}/content/application~1json/schema`;
      return at(schema) === undefined ? [] : check(schema, body);
    },
  };
}

/** Schemas of parameters stand outside the document once they are compiled; what they refer to is in it. */
function relative(schemas: Node): Node {
  return JSON.parse(JSON.stringify(schemas).replaceAll('"$ref":"#/', `"$ref":"${ID}#/`)) as Node;
}
