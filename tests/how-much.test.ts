import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { IN_PART, THOROUGH } from "./support/how-much.ts";

const ROOT = join(import.meta.dirname, "..");
const found = (patterns: readonly string[]) =>
  patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(ROOT)]).toSorted();

test("what `check` runs in part is run whole by `bun run thorough`", async () => {
  const asking: string[] = [];
  for (const path of found(["{src,tests}/**/*.test.ts"]))
    if (/import \{[^}]*\b(isShort|someOf|serverDatabases)\b/.test(await readFile(join(ROOT, path), "utf8")))
      asking.push(path);
  expect(found(IN_PART)).toEqual(asking);
});

test("each file that `check` leaves out is there", () => {
  expect(found(THOROUGH)).toEqual(THOROUGH.toSorted());
});
