import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("the prepared database has the files that initdb makes", () => {
  const script = fileURLToPath(new URL("../../scripts/prepared.ts", import.meta.url));
  const ran = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
  expect(ran.status, ran.stderr).toBe(0);
});
