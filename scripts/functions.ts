import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { migrationsOf } from "@psn/core/db/migrations.ts";
import { type Steps, stepsTo } from "./functions/compare.ts";
import { readSources } from "./functions/sources.ts";

/*
 * Writes the migration that brings a database from what the migrations make to the texts in src/core/db/functions, or
 * says that there is nothing to do.
 *
 *   bun run functions [--name what_changes]
 *
 * The newest migration takes it where it has not landed yet (it has no line in tests/db/migrations.sha256), each time
 * again; else a new one is made under that name.
 */

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MIGRATIONS = join(ROOT, "drizzle/migrations");
const BREAK = "\n--> statement-breakpoint\n";
/** What comes behind this line is made, and made again. */
const MADE = "-- Made by `bun run functions` from src/core/db/functions.";

const newest = () =>
  join(
    MIGRATIONS,
    readdirSync(MIGRATIONS)
      .filter((name) => name.endsWith(".sql"))
      .sort()
      .at(-1) ?? "",
  );
const hasLanded = (path: string) =>
  readFileSync(join(ROOT, "tests/db/migrations.sha256"), "utf8").includes(path.slice(MIGRATIONS.length + 1));

/** The migrations of a folder, in order. */
const textsIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => readFileSync(join(folder, name), "utf8"));

/** A migration's text without what an earlier run has written into it. */
function byHand(path: string): string {
  const text = readFileSync(path, "utf8");
  const at = text.indexOf(MADE);
  return (at < 0 ? text : text.slice(0, at)).replace(/\s*(?:--> statement-breakpoint)?\s*$/, "\n");
}

/** What is missing after these migrations: of the one that has not landed, only what was written by hand. */
async function steps(open: string | undefined): Promise<Steps> {
  const folder = mkdtempSync(join(tmpdir(), "psn-functions-"));
  const migrations = join(folder, "migrations");
  cpSync(MIGRATIONS, migrations, { recursive: true });
  if (open) writeFileSync(join(migrations, basename(open)), byHand(open));
  const database = await openEmbedded(join(folder, "data"));
  try {
    await migrate(database, migrationsOf(textsIn(migrations)));
    return await stepsTo(readSources(), database);
  } finally {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A new migration without statements, with drizzle's own notes about it. */
function begin(name: string): string {
  execFileSync(
    process.execPath,
    ["--bun", "node_modules/drizzle-kit/bin.cjs", "generate", "--custom", "--name", name],
    {
      cwd: ROOT,
      stdio: "ignore",
    },
  );
  const path = newest();
  writeFileSync(path, "");
  return path;
}

const at = process.argv.indexOf("--name");
const name = at < 0 ? undefined : process.argv[at + 1];
const open = hasLanded(newest()) ? undefined : newest();
const { changed, gone, statements } = await steps(open);
if (statements.length === 0) {
  console.log("nothing to do: the migrations make these texts");
  if (open) writeFileSync(open, byHand(open));
} else if (!open && name === undefined) {
  console.error(`not the text of its file: ${[...changed, ...gone].join(", ")}`);
  console.error("name the migration: bun run functions --name what_changes");
  process.exitCode = 1;
} else {
  const path = open ?? begin(name ?? "");
  const before = byHand(path).trim();
  const made = `${MADE}\n${statements.join(BREAK)}\n`;
  writeFileSync(path, before === "" ? made : `${before}${BREAK}${made}`);
  console.log(`written: ${path.slice(ROOT.length)} (${[...changed, ...gone].join(", ")})`);
  console.log("next: bun run own-files, the golden files (PSN_GOLDEN=write), bun run manifest, bun run docs");
}
