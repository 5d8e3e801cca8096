import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the current text of each SQL function of schema psn lies. */
export const FUNCTIONS = fileURLToPath(new URL("../../src/core/db/functions", import.meta.url));

/** One file of `src/core/db/functions`. */
export interface FunctionSource {
  readonly name: string;
  /** CREATE OR REPLACE FUNCTION, with the comment before it. */
  readonly definition: string;
  /** Whom it belongs to and who may execute it, one statement each. */
  readonly rights: readonly string[];
}

/** Reads a file: its definition ends with `$$;`, and its rights come behind. Throws Error for any other text. */
export function parseSource(name: string, text: string): FunctionSource {
  const end = text.indexOf("$$;\n");
  const definition = text.slice(0, end + 3);
  if (end < 0 || !definition.includes(`CREATE OR REPLACE FUNCTION psn.${name}(`))
    throw new Error(`${name}.sql does not begin with CREATE OR REPLACE FUNCTION psn.${name}(… AS $$ … $$;`);
  const rights = text.slice(end + 3).match(/^[A-Z][^;]*;$/gm) ?? [];
  if (!rights.some((right) => /^REVOKE ALL ON FUNCTION .* FROM PUBLIC;$/.test(right)))
    throw new Error(`${name}.sql does not revoke the function from PUBLIC`);
  return { name, definition, rights };
}

/** Every function, by name. */
export function readSources(folder = FUNCTIONS): readonly FunctionSource[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => parseSource(file.slice(0, -".sql".length), readFileSync(join(folder, file), "utf8")));
}
