import { readdirSync, readFileSync } from "node:fs";
import { namedCommands, schemaOf } from "@psn/cli/json-schema.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect, test } from "vitest";
import { documentOf, psn, scratch } from "../support/cli.ts";
import { schemaErrors } from "../support/documents.ts";

/*
 * `psn schema` is JSON Schema, draft 2020-12, and every document there is an example of is as it says. tests/support/
 * cli.ts holds each document that a test has a command print against it too, before what differs from run to run is
 * taken out.
 */

test("psn schema --json is valid, and each of its schemas compiles", async () => {
  const document = documentOf(await psn(["schema", "--json"], { cwd: await scratch() }));
  const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
  addFormats(ajv);
  expect(ajv.validateSchema(document), JSON.stringify(ajv.errors)).toBe(true);
  ajv.addSchema({ $id: "https://psn.example/all.json", ...document });
  const commands = await namedCommands(COMMANDS);
  expect(commands.length).toBeGreaterThan(30);
  for (const name of Object.keys(document["$defs"] as object))
    expect(ajv.getSchema(`https://psn.example/all.json#/$defs/${name}`), name).toBeDefined();
  expect(document).toEqual(schemaOf(commands));
});

test("psn schema of one command has that command and what it refers to", async () => {
  const cwd = await scratch();
  const { code, stdout } = await psn(["schema", "vault", "status"], { cwd });
  expect(code).toBe(0);
  const one = JSON.parse(stdout) as { readonly $defs: Readonly<Record<string, unknown>> };
  expect(Object.keys(one.$defs)).toEqual(expect.arrayContaining(["vault-status", "failure", "Error"]));
  expect(Object.keys(one.$defs)).not.toContain("queue");
  const group = documentOf(await psn(["schema", "keys", "--json"], { cwd }));
  expect(Object.keys(group["$defs"] as object)).toEqual(expect.arrayContaining(["keys-list", "keys-push"]));
  expect(await psn(["schema", "nothing"], { cwd })).toMatchObject({ code: 2 });
});

/** The documents of the golden file, with an example in the place of what differs from run to run. */
function goldens(): readonly (readonly [argv: readonly string[], document: unknown])[] {
  const folder = new URL("__snapshots__/", import.meta.url);
  const found: (readonly [readonly string[], unknown])[] = [];
  for (const file of readdirSync(folder)) {
    const text = readFileSync(new URL(file, folder), "utf8");
    for (const [, title = "", shown = ""] of text.matchAll(/^exports\[`(.*?)`\] = `\n(.*?)\n`;$/gms)) {
      const [, json] = /^stdout:\n(\{.*?^\}|\{\})$/ms.exec(shown.replaceAll("\\\\", "\\").replaceAll("\\`", "`")) ?? [];
      if (json === undefined) continue;
      const example = json
        .replaceAll("<uuid>", "01234567-89ab-7def-8123-456789abcdef")
        .replaceAll("<instant>", "2026-01-02T03:04:05.678Z");
      const document: unknown = JSON.parse(example);
      const words = /psn (\[.*\])/.exec(title)?.[1];
      // Where the title does not say which command it is, tests/support/cli.ts has held the document against it.
      if (words !== undefined) found.push([JSON.parse(words) as string[], document]);
    }
  }
  return found;
}

test("every golden --json is as its schema says", async () => {
  const all = goldens();
  expect(all.length).toBeGreaterThan(15);
  for (const [argv, document] of all)
    expect(await schemaErrors(argv, document), `${argv.join(" ")}: ${JSON.stringify(document)}`).toEqual([]);
});

test("a document with a field that its schema does not have is refused", async () => {
  expect(await schemaErrors(["queue"], { deliveries: [], nextCursor: null })).toEqual([]);
  expect(await schemaErrors(["queue"], { deliveries: [], nextCursor: null, more: 1 })).toHaveLength(1);
  expect(await schemaErrors(["config", "path"], { hub: "a" })).toHaveLength(1);
  expect(await schemaErrors(["queue"], { error: { code: "BUG", message: "no" } })).not.toEqual([]);
});
