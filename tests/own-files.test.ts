import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { FILES } from "@psn/core/own-files.ts";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { expect, test } from "vitest";
import { OWN_FILES } from "../scripts/own-files.ts";

/* The index of the files that psn brings with it, and the number of its schema. */

const root = join(import.meta.dirname, "..");

test.each(Object.entries(OWN_FILES))("%s is what bun run own-files writes", (name, render) => {
  expect(readFileSync(join(root, name), "utf8")).toBe(render());
});

test("every file of the index is there", () => {
  for (const path of Object.values(FILES)) expect(existsSync(path), path).toBe(true);
});

test("the migrations are those that drizzle-orm's own migrator reads, in its order and with its hashes", () => {
  const read = readMigrationFiles({ migrationsFolder: join(root, "drizzle/migrations") });
  expect(knownMigrations()).toEqual(read.map(({ hash, sql: statements }) => ({ hash, statements })));
});
