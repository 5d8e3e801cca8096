import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { renderManifest } from "@psn/core/db/manifest.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { factsOf } from "@psn/core/db/stores/inspection.ts";

/* Writes drizzle/manifest.txt from a fresh embedded database with all migrations in it. */

const MANIFEST = fileURLToPath(new URL("../drizzle/manifest.txt", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "psn-manifest-"));
const database = await openEmbedded(folder);
try {
  await migrate(database);
  writeFileSync(MANIFEST, renderManifest(await factsOf(database)));
} finally {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log("written: drizzle/manifest.txt");
