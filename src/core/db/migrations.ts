import { createHash } from "node:crypto";
import { MIGRATIONS } from "@psn/core/own-files.ts";

export interface Migration {
  readonly hash: string;
  readonly statements: readonly string[];
}

/** What drizzle-kit writes between two statements. */
const BREAK = "--> statement-breakpoint";

/** The migrations with these texts, each known by the SHA-256 of its text, as drizzle-orm's own migrator has it. */
export function migrationsOf(texts: readonly string[]): readonly Migration[] {
  return texts.map((text) => ({
    hash: createHash("sha256").update(text).digest("hex"),
    statements: text.split(BREAK),
  }));
}

let known: readonly Migration[] | undefined;

/** What this psn knows, in order. */
export function knownMigrations(): readonly Migration[] {
  known ??= migrationsOf(MIGRATIONS);
  return known;
}
