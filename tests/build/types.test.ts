import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTypes } from "../../scripts/build/types.ts";
import { checked } from "./checked.ts";

/* The types of the npm package, as a program sees them that has neither zod nor drizzle. */

const ROOT = join(import.meta.dirname, "../..");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "psn-types-"));
  const psn = join(folder, "node_modules", "psn");
  await mkdir(psn, { recursive: true });
  await writeTypes(join(psn, "types"));
  const exports = { ".": { types: "./types/index.d.ts" } };
  await writeFile(join(psn, "package.json"), JSON.stringify({ name: "psn", type: "module", exports }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function program(text: string): Promise<string> {
  await writeFile(join(folder, "main.ts"), text);
  return checked(folder);
}

test("they name no package, no module of psn's and no path", async () => {
  const names = await readdir(join(folder, "node_modules/psn/types"));
  expect(names.toSorted()).toEqual(["errors.d.ts", "index.d.ts", "verbs.d.ts"]);
  for (const name of names) {
    const text = await readFile(join(folder, "node_modules/psn/types", name), "utf8");
    const imported = [...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map(([, what]) => what);
    expect(imported.filter((what) => !what?.startsWith("./"))).toEqual([]);
    expect(text).not.toContain(ROOT);
  }
});

test("the example of docs/library.md is right by them", async () => {
  const page = await readFile(join(ROOT, "docs/library.md"), "utf8");
  const [, example = ""] = /<!-- example[^>]*-->\s*```ts\n(.*?)```/s.exec(page) ?? [];
  expect(example).toContain("openHub");
  expect(await program(example)).toBe("");
});

test("what no verb takes, and what none answers, is refused", async () => {
  const said = await program(`import { openHub, PsnError } from "psn";
const hub = await openHub({ folder: "." });
await hub.post({ text: 1 });
await hub.post({ text: "a", colour: "red" });
(await hub.queue({})).deliveries[0]?.state satisfies "published";
new PsnError("NO_SUCH_CODE", "");
`);
  expect([...said.matchAll(/main\.ts\((\d)/g)].map(([, line]) => line)).toEqual(["3", "4", "5", "6"]);
});

test("they are the types of the sources, both ways", async () => {
  // In the tree's own configuration, which the sources need.
  const place = await mkdtemp(join(ROOT, "node_modules/.cache/types-"));
  try {
    await symlink(join(folder, "node_modules"), join(place, "node_modules"));
    await writeFile(
      join(place, "main.ts"),
      `import type { HubVerbs as Real, importHub as RealImport } from "@psn/index.ts";
import type { HubVerbs as Written, importHub as WrittenImport } from "psn";
export const there = (real: Real): Written => real;
export const back = (written: Written): Real => written;
export const importThere = (real: typeof RealImport): typeof WrittenImport => real;
export const importBack = (written: typeof WrittenImport): typeof RealImport => written;
`,
    );
    const config = { extends: join(ROOT, "tsconfig.json"), include: ["main.ts", join(ROOT, "src/**/*.d.ts")] };
    await writeFile(join(place, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    expect(spawnSync(tsc, ["--project", place], { encoding: "utf8" }).stdout).toBe("");
  } finally {
    await rm(place, { recursive: true, force: true });
  }
});
