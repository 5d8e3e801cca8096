import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

/* The terminal in README.md is what psn prints today. */

it("README.md shows what psn prints", () => {
  const script = fileURLToPath(new URL("../../scripts/record.ts", import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
