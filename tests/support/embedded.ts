import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { removeLeftSocketFolder } from "@psn/core/db/drivers/socket-folder.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { FILES } from "@psn/core/own-files.ts";
import { PGLITE_VERSION } from "./pglite-version.ts";

/*
 * Folders of embedded databases that are migrated already. Making one takes seconds (all migrations), copying
 * one a moment, so the first is kept in node_modules/.cache, under a name that changes with the migrations and with
 * PGlite.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = process.env["PSN_TEST_CACHE"] ?? join(ROOT, "node_modules", ".cache", "psn");
const PREFIX = "embedded-";
/** Another template is removed when no test has copied it for so long, in milliseconds. */
const KEPT_MS = 2 * 3_600_000;

async function templateName(): Promise<string> {
  const hash = createHash("sha256")
    .update(PGLITE_VERSION)
    .update(await readFile(FILES.pgdata));
  for (const migration of knownMigrations()) hash.update(migration.hash);
  return `${PREFIX}${hash.digest("hex").slice(0, 16)}`;
}

let template: Promise<string> | undefined;

/** Another state's may be in use by the tests of another checkout, whose run is shorter than this. */
async function removeUnused(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found && Date.now() - found.mtimeMs > KEPT_MS) await rm(folder, { recursive: true, force: true });
}

/** The folder others are copied from; never opened itself. */
async function makeTemplate(): Promise<string> {
  const name = await templateName();
  const folder = join(CACHE, name);
  await mkdir(CACHE, { recursive: true });
  const kept = await readdir(CACHE);
  if (kept.includes(name)) {
    const now = new Date();
    await utimes(folder, now, now);
    return folder;
  }
  for (const other of kept) if (other.startsWith(PREFIX)) await removeUnused(join(CACHE, other));
  const making = await mkdtemp(join(CACHE, `${name}.`));
  const database = await openEmbedded(making);
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
  // Another test process may have been faster; then its folder stays and this one goes.
  await rename(making, folder).catch(() => rm(making, { recursive: true, force: true }));
  return folder;
}

/** Root folder and, below it, data folder. */
const made = new Map<string, string>();

/**
 * A hub's data folder with a migrated embedded database in it, unopened. `deep` puts it below that many long folder
 * names.
 */
export async function embeddedFolder({ deep = 0 } = {}): Promise<string> {
  template ??= makeTemplate();
  const from = await template;
  const root = await mkdtemp(join(tmpdir(), "psn-test-embedded-"));
  const folder = join(root, ...Array.from({ length: deep }, (_, n) => `${n}-${"deep".repeat(10)}`), "data");
  made.set(root, folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const copied = spawnSync("cp", ["-R", join(from, "pgdata"), folder], { encoding: "utf8" });
  if (copied.status !== 0) throw new Error(`the template was not copied: ${copied.stderr}`);
  return folder;
}

/** Removes every folder `embeddedFolder` made; nobody may have one open. */
export async function removeEmbeddedFolders(): Promise<void> {
  for (const [root, folder] of made) {
    // What the socket of a killed holder leaves; the next holder would remove it, but there will be none.
    removeLeftSocketFolder(folder);
    await rm(root, { recursive: true, force: true });
  }
  made.clear();
}
