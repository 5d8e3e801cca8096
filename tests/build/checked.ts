import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/** What the strictest compiler complains of in main.ts of a folder; it knows no types but those that are imported. */
export async function checked(
  folder: string,
  paths: Readonly<Record<string, readonly string[]>> = {},
): Promise<string> {
  const compilerOptions = {
    target: "ESNext",
    module: "Preserve",
    moduleResolution: "bundler",
    lib: ["ESNext", "DOM", "DOM.Iterable"],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    skipLibCheck: false,
    paths,
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
  return spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["--project", folder], { encoding: "utf8" }).stdout;
}
