import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { importing } from "@psn/app/verbs/import.ts";
import { VERBS } from "@psn/app/verbs/index.ts";
import { z } from "zod";
import { ROOT } from "./bundle.ts";
import { described, type Node, typeOf } from "./type-of.ts";

/*
 * The types of the package: what src/index.ts declares, as the compiler writes it, over verbs whose inputs and outputs
 * are written out from their schemas. So a program needs neither zod nor drizzle to be checked.
 */

/** What stands in place of psn's own modules and of zod. */
const PLACES: Readonly<Record<string, string>> = {
  "@psn/core/errors.ts": "./errors.js",
  "@psn/app/verbs/index.ts": "./verbs.js",
  "@psn/app/verbs/import.ts": "./verbs.js",
  zod: "./verbs.js",
};

/** Writes index.d.ts, errors.d.ts and verbs.d.ts into this folder. Throws an Error with what the compiler says. */
export async function writeTypes(folder: string): Promise<void> {
  const cache = join(ROOT, "node_modules/.cache");
  await mkdir(cache, { recursive: true });
  // Below the packages, where the compiler finds them.
  const draft = await mkdtemp(join(cache, "types-"));
  try {
    await compile(draft);
    await mkdir(folder);
    const index = await readFile(join(draft, "out/src/index.d.ts"), "utf8");
    const placed = index.replaceAll(/(?<=from )"([^"]+)"/g, (_all, name: string) => {
      const place = PLACES[name];
      if (place === undefined)
        throw new Error(`src/index.ts shows types of ${name}; scripts/build/types.ts must know them`);
      return JSON.stringify(place);
    });
    await writeFile(join(folder, "index.d.ts"), placed);
    await writeFile(join(folder, "errors.d.ts"), await readFile(join(draft, "out/src/core/errors.d.ts"), "utf8"));
    await writeFile(join(folder, "verbs.d.ts"), verbsText());
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function compile(draft: string): Promise<void> {
  const compilerOptions = {
    noEmit: false,
    // `bun run types` checks the sources; whether these types are theirs, tests/build/types.test.ts does.
    noCheck: true,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: ROOT,
    outDir: join(draft, "out"),
  };
  const config = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions,
    include: [],
    files: [join(ROOT, "src/index.ts")],
  };
  await writeFile(join(draft, "tsconfig.json"), JSON.stringify(config));
  // It writes what it can, and complains of modules behind src/index.ts that no program sees.
  const { stdout } = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["--project", draft], { encoding: "utf8" });
  if (!existsSync(join(draft, "out/src/index.d.ts"))) throw new Error(`the types were not written: ${stdout}`);
}

/** The forms of the verbs, under the names by which index.d.ts knows them. */
function verbsText(): string {
  const shared: Record<string, Node> = {};
  const forms: string[] = [];
  const form = (name: string, schema: z.ZodType, io: "input" | "output") => {
    const { $defs, ...node } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Node & {
      $defs?: typeof shared;
    };
    Object.assign(shared, $defs);
    forms.push(`${described(node, "")}export type ${name} = ${typeOf(node)};\n`);
    return `readonly ${io}: { readonly ${io}: ${name} }`;
  };
  const of = (key: string, verb: { readonly input: z.ZodType; readonly output: z.ZodType }) => {
    const name = `${key[0]?.toUpperCase()}${key.slice(1)}`;
    return `{ ${form(`${name}Input`, verb.input, "input")}; ${form(`${name}Output`, verb.output, "output")} }`;
  };
  const verbs = Object.entries(VERBS).map(
    ([key, verb]) =>
      `  /** ${verb.summary[0]?.toUpperCase()}${verb.summary.slice(1)}. */\n  readonly ${key}: ${of(key, verb)};\n`,
  );
  const imported = of("import", importing);
  const parts = Object.entries(shared).map(
    ([name, node]) => `${described(node, "")}export type ${name} = ${typeOf(node)};\n`,
  );
  return `// Made from the schemas of the verbs (scripts/build/types.ts).

export declare namespace z {
  type input<Form extends { readonly input: unknown }> = Form["input"];
  type output<Form extends { readonly output: unknown }> = Form["output"];
}

export declare const VERBS: {
${verbs.join("")}};

export declare const importing: ${imported};

${[...forms, ...parts].join("\n")}`;
}
