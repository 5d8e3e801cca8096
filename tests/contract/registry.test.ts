import { readdir } from "node:fs/promises";
import { isPlatformId, platformIds, platforms } from "@psn/platforms/index.ts";
import { expect, test } from "vitest";

test("every file in src/platforms is one registered platform, named after its id", async () => {
  const entries = await readdir(new URL("../../src/platforms", import.meta.url), { withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name !== "index.ts" && !entry.name.endsWith(".test.ts"))
    .map(({ name }) => name.replace(/\.ts$/, ""));
  expect([...platformIds].sort()).toEqual(files.sort());
  for (const id of platformIds) expect((await platforms[id]()).id).toBe(id);
});

test("only a registered platform is a platform", () => {
  expect(platformIds.every(isPlatformId)).toBe(true);
  for (const other of ["myspace", "", "toString", "__proto__", "index"]) expect(isPlatformId(other)).toBe(false);
});
