import { fileURLToPath } from "node:url";
import { readMigrationFiles } from "drizzle-orm/migrator";

const FOLDER = fileURLToPath(new URL("../../../drizzle/migrations", import.meta.url));

export interface Migration {
  readonly hash: string;
  readonly statements: readonly string[];
}

/** What this psn knows, in order. */
export function knownMigrations(folder = FOLDER): readonly Migration[] {
  return readMigrationFiles({ migrationsFolder: folder }).map(({ hash, sql: statements }) => ({ hash, statements }));
}
