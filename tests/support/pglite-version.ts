import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MANIFEST = fileURLToPath(new URL("../../node_modules/@electric-sql/pglite/package.json", import.meta.url));

/** Of the PGlite that is installed. */
export const PGLITE_VERSION = String(JSON.parse(readFileSync(MANIFEST, "utf8")).version);
