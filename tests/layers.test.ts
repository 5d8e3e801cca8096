import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { refusals } from "../scripts/house/check.ts";
import { sourceFiles } from "../scripts/house/imports.ts";
import { surveyed } from "../scripts/house/picture.ts";
import { sizesOf } from "../scripts/house/sizes.ts";

/*
 * Who may import whom is said once, in scripts/house/layers.ts. Here each import of the tree is held against it, and so
 * are imports that nobody may write: by the table itself, and by Biome with what is generated from the table.
 */

const root = fileURLToPath(new URL("..", import.meta.url));

const FORBIDDEN: readonly (readonly [file: string, specifier: string])[] = [
  ["src/core/errors.ts", "./types/index.ts"],
  ["src/core/types/new.ts", "@psn/core/ports/world.ts"],
  ["src/core/types/new.ts", "@psn/domain/delivery.ts"],
  ["src/core/types/new.ts", "zod"],
  ["src/core/ports/new.ts", "node:fs"],
  ["src/core/utils/new.ts", "@psn/domain/text.ts"],
  ["src/core/net/new.ts", "@psn/core/utils/env.ts"],
  ["src/core/new.ts", "@psn/app/schedule-post.ts"],
  ["src/core/new.ts", "zod"],
  ["src/core/new/deep.ts", "@psn/app/schedule-post.ts"],
  ["src/core/vault.ts", "./db/connection.ts"],
  ["src/core/vault.ts", "drizzle-orm"],
  ["src/domain/new.ts", "node:fs"],
  ["src/domain/new.ts", "pg"],
  ["src/domain/new.ts", "@psn/core/ports/world.ts"],
  ["src/app/new.ts", "@psn/platforms/index.ts"],
  ["src/app/new.ts", "@psn/core/db/drivers/pg.ts"],
  ["src/app/new.ts", "@psn/core/utils/env.ts"],
  ["src/app/new.ts", "drizzle-orm/pg-core"],
  ["src/app/new.ts", "@electric-sql/pglite"],
  ["src/app/new.ts", "node:fs/promises"],
  ["src/platforms/x/new.ts", "@psn/core/db/connection.ts"],
  ["src/platforms/x/new.ts", "@psn/platforms/mastodon/api.ts"],
  ["src/platforms/x/new.ts", "../mastodon/index.ts"],
  ["src/platforms/x/new.ts", "@psn/platforms/index.ts"],
  ["src/platforms/x/new.ts", "pg"],
  ["src/platforms/kit/new.ts", "@psn/core/vault.ts"],
  ["src/platforms/kit/new.ts", "@psn/platforms/x/api.ts"],
  ["src/platforms/new.ts", "./x/index.ts"],
  ["src/core/db/stores/new.ts", "@psn/app/schedule-post.ts"],
  ["src/core/db/new.ts", "@psn/platforms/index.ts"],
  ["src/core/db/new.ts", "@psn/core/utils/crypto.ts"],
  ["src/queue/new.ts", "@trigger.dev/sdk"],
  ["src/wiring/new.ts", "@psn/cli/output.ts"],
  ["src/wiring/new.ts", "@psn/trigger/delivery.ts"],
  ["src/wiring/new.ts", "@psn/platforms/x/index.ts"],
  ["src/wiring/parts.ts", "./hub.ts"],
  ["src/wiring/tasks.ts", "@psn/wiring/hub.ts"],
  ["src/trigger/new.ts", "@psn/wiring/hub.ts"],
  ["src/trigger/new.ts", "@psn/cli/output.ts"],
  ["src/cli/commands/new.ts", "@psn/core/db/connection.ts"],
  ["src/cli/commands/new.ts", "@psn/wiring/tasks.ts"],
  ["src/cli/new.ts", "@psn/core/vault.ts"],
  ["src/cli/new.ts", "@psn/core/utils/crypto.ts"],
  ["src/cli/new.ts", "@trigger.dev/sdk"],
  ["src/new.ts", "@psn/wiring/hub.ts"],
  ["src/index.ts", "@psn/core/db/connection.ts"],
  ["src/index.ts", "@psn/cli/output.ts"],
  ["src/cli/new.ts", "@psn/index.ts"],
  ["src/core/db/new.ts", "../../../drizzle/manifest.txt"],
  ["src/web/new.ts", "@psn/core/errors.ts"],
];

const ALLOWED: readonly (readonly [file: string, specifier: string])[] = [
  ["src/core/db/new.ts", "@psn/core/ports/posts.ts"],
  ["src/core/vault.ts", "@psn/core/utils/crypto.ts"],
  ["src/domain/new.ts", "@psn/core/errors.ts"],
  ["src/domain/new.ts", "./text.ts"],
  ["src/platforms/x/new.ts", "@psn/platforms/kit/http.ts"],
  ["src/platforms/x/new.ts", "./api.ts"],
  ["src/cli/commands/new.ts", "@psn/cli/output.ts"],
  ["src/cli/new.ts", "../../package.json"],
  ["src/wiring/new.ts", "./parts.ts"],
  ["src/index.ts", "@psn/wiring/hub.ts"],
  ["src/app/new.ts", "zod"],
  ["src/core/own-files.ts", "../../drizzle/manifest.txt"],
  ["src/core/db/new.ts", "@psn/core/own-files.ts"],
];

const line = (specifier: string) => `import "${specifier}";\n`;

test("every import of the tree is one that its layer may write", () => {
  const names = sourceFiles(root);
  expect(names.length).toBeGreaterThan(300);
  expect(names.flatMap((name) => refusals(name, readFileSync(join(root, name), "utf8")))).toEqual([]);
});

test("no room imports one above it, and no files import one another in a circle", () => {
  const { rooms, upward, circles } = surveyed(root);
  expect(rooms.length).toBeGreaterThan(10);
  expect(upward).toEqual([]);
  expect(circles).toEqual([]);
});

test.each(FORBIDDEN)("%s may not import %s", (file, specifier) => {
  expect(refusals(file, line(specifier))).toHaveLength(1);
  expect(refusals(file, `import type { One } from "${specifier}";\n`)).toHaveLength(1);
  expect(refusals(file, `export const one = await import("${specifier}");\n`)).toHaveLength(1);
});

test.each(ALLOWED)("%s may import %s", (file, specifier) => {
  expect(refusals(file, line(specifier))).toEqual([]);
});

const folder = mkdtempSync(join(tmpdir(), "psn-layers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("Biome refuses the same, by what is generated from the table", () => {
  cpSync(join(root, "biome.layers.json"), join(folder, "biome.json"));
  const write = (file: string, specifiers: readonly string[]) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), specifiers.map(line).join(""));
  };
  const all = Map.groupBy([...FORBIDDEN, ...ALLOWED], ([file]) => file);
  for (const [file, probes] of all)
    write(
      file,
      probes.map(([, specifier]) => specifier),
    );
  const { stdout } = spawnSync(
    join(root, "node_modules/.bin/biome"),
    ["lint", "--only=style/noRestrictedImports", "--max-diagnostics=none", "--reporter=json", "src"],
    { cwd: folder, encoding: "utf8" },
  );
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { location: { path: string; start: { line: number } } }[];
  };
  const refused = diagnostics.map(
    ({ location }) => `${location.path} ${all.get(location.path)?.[location.start.line - 1]?.[1]}`,
  );
  expect(refused.toSorted()).toEqual(FORBIDDEN.map(([file, specifier]) => `${file} ${specifier}`).toSorted());
});

const sizes = sizesOf(root);

test("no line is over 120 columns, but in what landed migrations fix", () => {
  expect(sizes.wideLines).toEqual([]);
});

test("a function takes at most three parameters, or an object", () => {
  expect(sizes.manyParameters).toEqual([]);
});

test("no spread has a condition: defined() leaves out what is undefined", () => {
  expect(sizes.conditionalSpreads).toEqual([]);
});

test.each([
  ["wideLines", `// ${"x".repeat(118)}\n`, "src/new.ts:1"],
  ["manyParameters", "export function four(a: 1, b: 2, c: 3, d: 4) {}\n", "new.ts: four"],
  ["manyParameters", "export const four = (a: 1, b: 2, c: [3, 3], d: 4) => a;\n", "new.ts: four"],
  ["conditionalSpreads", "const a = { ...(b ? { c } : {}) };\n", "new.ts:1"],
  ["conditionalSpreads", "const a = {\n  ...(d === (e ?? f) ? {} : { c }),\n};\n", "new.ts:2"],
  ["conditionalSpreads", "const a = { ...(b && { c }) };\n", "new.ts:1"],
] as const)("%s has: %s", (count, text, found) => {
  const tree = mkdtempSync(join(tmpdir(), "psn-sizes-"));
  try {
    mkdirSync(join(tree, "src"));
    writeFileSync(join(tree, "src/new.ts"), text);
    expect(sizesOf(tree)[count]).toEqual([found]);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
});

/** The folders and files through which the outside calls psn. */
const EDGES = /^src\/(?:cli|trigger|index\.ts)/;
/** A store that is reached for, or taken out of a world. */
const STORES = /\.stores\b|\{[^{}\n]*\bstores\b[^{}\n]*\}/;

test("an edge asks the application layer, and never a store", () => {
  const edges = sourceFiles(root).filter((name) => EDGES.test(name));
  expect(edges.length).toBeGreaterThan(50);
  const calls = edges.flatMap((name) =>
    readFileSync(join(root, name), "utf8")
      .split("\n")
      .filter((text) => STORES.test(text))
      .map((text) => `${name}: ${text.trim()}`),
  );
  expect(calls).toEqual([]);
});

test.each(["await world.stores.posts.list()", "const { stores } = world;", "({ stores, now }: World) => now"])(
  "an edge may not write: %s",
  (text) => {
    expect(STORES.test(text)).toBe(true);
  },
);

test("no process measures how long it waits by the wall clock, which can step", () => {
  const names = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const sources = names.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const uses = sources.flatMap((name) => {
    const lines = readFileSync(join(root, "src", name), "utf8").split("\n");
    return lines.filter((line) => line.includes("Date.now()")).map((line) => `${name}: ${line.trim()}`);
  });
  // Where it is the time of day that counts: what is shown, how far two clocks are apart, when somebody else is to look
  // again, and how old a file is.
  const meant = [
    "cli/commands/accounts.ts",
    "cli/completion/known.ts",
    "core/db/stores/inspection.ts",
    "provision/tasks-sweep.ts",
    "trigger/delivery.ts",
  ];
  expect(uses.filter((use) => !meant.some((name) => use.startsWith(`${name}:`)))).toEqual([]);
});
