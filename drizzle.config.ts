import { defineConfig } from "drizzle-kit";

// `bun run db:generate` needs no database: it compares src/core/db/schema.ts with the last snapshot.
export default defineConfig({
  dialect: "postgresql",
  schema: "./src/core/db/schema.ts",
  out: "./drizzle/migrations",
  schemaFilter: ["psn"],
});
