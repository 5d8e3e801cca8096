import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/*
 * Writes src/core/own-files.ts, the one index of the files that psn brings with it, and src/core/db/version.ts. A
 * bundle and a compiled program carry what the index imports; nothing is looked for beside the sources at run time.
 */

const PGLITE = "../../node_modules/@electric-sql/pglite/dist";
/** Files by the name under which psn asks for their paths. */
const FILES: Readonly<Record<string, string>> = {
  pgdata: "../../drizzle/pgdata.zst",
  pgliteData: `${PGLITE}/pglite.data`,
  pgliteWasm: `${PGLITE}/pglite.wasm`,
};
const MIGRATIONS = fileURLToPath(new URL("../drizzle/migrations", import.meta.url));
const Journal = z.object({ entries: z.array(z.object({ tag: z.string() })) });

const MADE = "// Made by `bun run own-files` (scripts/own-files.ts), never by hand.";

/** Names of the migrations in their order, as drizzle-kit's journal has them. */
function migrationNames(): readonly string[] {
  const journal = Journal.parse(JSON.parse(readFileSync(`${MIGRATIONS}/meta/_journal.json`, "utf8")));
  return journal.entries.map(({ tag }) => tag);
}

/** The text of src/core/own-files.ts. */
export function renderIndex(): string {
  const names = migrationNames();
  const files = Object.entries(FILES);
  const imports = [
    'import { resolve } from "node:path";',
    'import manifest from "../../drizzle/manifest.txt" with { type: "text" };',
    ...names.map(
      (name, index) => `import sql${index} from "../../drizzle/migrations/${name}.sql" with { type: "text" };`,
    ),
    ...files.map(([name, path]) => `import ${name} from "${path}" with { type: "file" };`),
  ];
  return `${MADE}

${imports.join("\n")}

/** What the migrations make of an empty database (\`bun run manifest\`). */
export const MANIFEST: string = manifest;

/** The texts of the migrations, in order. */
export const MIGRATIONS: readonly string[] = [
${names.map((_, index) => `  sql${index},`).join("\n")}
];

/** A bundle names a file as it lies beside the bundle; all others name it whole. */
const at = (path: string): string => resolve(import.meta.dirname, path);

/** Paths of files, each of which may lie inside a compiled program. */
export const FILES = { ${files.map(([name]) => `${name}: at(${name})`).join(", ")} };
`;
}

/** The text of src/core/db/version.ts. */
export function renderVersion(): string {
  return `${MADE}

/** How many migrations this psn has. The tasks, which carry no migration, ask the database for exactly these. */
export const SCHEMA_VERSION = ${migrationNames().length};
`;
}

export const OWN_FILES: Readonly<Record<string, () => string>> = {
  "src/core/own-files.ts": renderIndex,
  "src/core/db/version.ts": renderVersion,
};

if (import.meta.main) {
  for (const [name, render] of Object.entries(OWN_FILES))
    writeFileSync(new URL(`../${name}`, import.meta.url), render());
  console.log(`written: ${Object.keys(OWN_FILES).join(", ")}`);
}
