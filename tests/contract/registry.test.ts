import { readdir } from "node:fs/promises";
import { isPlatformId, platformIds, platforms } from "@psn/platforms/index.ts";
import { expect, test } from "vitest";

test("every folder in src/platforms but the kit is one registered platform, named after its id", async () => {
  const entries = await readdir(new URL("../../src/platforms", import.meta.url), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== "kit").map(({ name }) => name);
  expect([...platformIds].sort()).toEqual(folders.sort());
  for (const id of platformIds) expect((await platforms[id]()).id).toBe(id);
});

test("only a registered platform is a platform", () => {
  expect(platformIds.every(isPlatformId)).toBe(true);
  for (const other of ["myspace", "", "toString", "__proto__", "index"]) expect(isPlatformId(other)).toBe(false);
});
