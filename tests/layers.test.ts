import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

/*
 * The layer rules are Biome's; this shows that each of them fires. One forbidden import a folder, in a file that is gone
 * again afterwards.
 */

const root = fileURLToPath(new URL("..", import.meta.url));
const NAME = "forbidden-import.ts";

const FORBIDDEN: readonly (readonly [folder: string, specifier: string])[] = [
  ["src/core/types", "@psn/core/errors.ts"],
  ["src/core/utils", "@psn/domain/text.ts"],
  ["src/core/net", "@psn/core/utils/env.ts"],
  ["src/domain", "node:fs"],
  ["src/domain", "@psn/core/ports/world.ts"],
  ["src/app", "@psn/platforms/index.ts"],
  ["src/app", "drizzle-orm"],
  ["src/app", "node:fs"],
  ["src/platforms", "@psn/core/db/connection.ts"],
  ["src/platforms", "./mastodon.ts"],
  ["src/platforms/kit", "@psn/core/vault.ts"],
  ["src/core/db/stores", "@psn/app/schedule-post.ts"],
  ["src/core/db", "@psn/platforms/index.ts"],
  ["src/cli/commands", "@psn/core/db/connection.ts"],
  ["src/cli", "@psn/core/vault.ts"],
  ["src/cli", "../compose.ts"],
];

const made = new Set<string>();
afterAll(() => {
  for (const path of made) rmSync(path, { force: true });
});

test.each(FORBIDDEN)("%s may not import %s", (folder, specifier) => {
  const path = join(root, folder, NAME);
  made.add(path);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `import "${specifier}";\n`);
  const { stdout, stderr, status } = spawnSync(join(root, "node_modules/.bin/biome"), ["lint", "--only=style/noRestrictedImports", path], {
    cwd: root,
    encoding: "utf8",
  });
  rmSync(path);
  expect(`${stdout}${stderr}`).toContain("noRestrictedImports");
  expect(status).not.toBe(0);
});

test("what a layer may import passes", () => {
  const path = join(root, "src/domain", NAME);
  made.add(path);
  writeFileSync(path, 'import "@psn/core/errors.ts";\nimport "./text.ts";\n');
  const { status } = spawnSync(join(root, "node_modules/.bin/biome"), ["lint", "--only=style/noRestrictedImports", path], {
    cwd: root,
    encoding: "utf8",
  });
  rmSync(path);
  expect(status).toBe(0);
});

test("no process measures how long it waits by the wall clock, which can step", () => {
  const names = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const sources = names.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const uses = sources.flatMap((name) => {
    const lines = readFileSync(join(root, "src", name), "utf8").split("\n");
    return lines.filter((line) => line.includes("Date.now()")).map((line) => `${name}: ${line.trim()}`);
  });
  // Where it is the time of day that counts: what is shown, how far two clocks are apart, and when somebody else is to look again.
  const meant = ["cli/commands/accounts.ts", "core/db/stores/inspection.ts", "trigger/delivery.ts"];
  expect(uses.filter((use) => !meant.some((name) => use.startsWith(`${name}:`)))).toEqual([]);
});
