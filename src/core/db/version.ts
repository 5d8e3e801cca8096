// Made by `bun run own-files` (scripts/own-files.ts), never by hand.

/** How many migrations this psn has. The tasks, which carry no migration, ask the database for exactly these. */
export const SCHEMA_VERSION = 24;
