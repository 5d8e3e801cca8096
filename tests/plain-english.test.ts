import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { pageOf, proseOf } from "../scripts/house/prose.ts";
import { REFUSED, refusedIn } from "../scripts/house/words.ts";

/* The texts of this repository keep to docs/style.md: none has a word that scripts/house/words.ts refuses. */

const root = fileURLToPath(new URL("..", import.meta.url));

/** Texts that are not reworded yet, or never: a prefix of their paths, with the reason. The list only gets shorter. */
const EXCEPT: Readonly<Record<string, string>> = {
  "docs/adr/": "a decision is not edited after it was made",
  "src/platforms/": "comments are not reworded yet; strings are read",
  "src/core/db/stores/": "not reworded yet",
  "src/core/db/schema.ts": "not reworded yet",
  "scripts/house/words.ts": "it lists the words",
  "docs/style.md": "it lists the words",
};
const STRINGS_ONLY = "src/platforms/";

const files = ["src", "scripts", "docs"]
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`),
  )
  .concat(["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
  .filter((path) => /\.(ts|md)$/.test(path) && !path.endsWith(".test.ts"))
  .sort();

const isExempt = (path: string) =>
  !path.startsWith(STRINGS_ONLY) && Object.keys(EXCEPT).some((prefix) => path.startsWith(prefix));

test("no comment, string or page has a word that is refused", () => {
  expect(files.length).toBeGreaterThan(300);
  const found = files
    .filter((path) => !isExempt(path))
    .flatMap((path) => {
      const kinds = path.startsWith(STRINGS_ONLY) ? (["string"] as const) : (["string", "comment"] as const);
      const text = readFileSync(join(root, path), "utf8");
      const prose = path.endsWith(".md") ? pageOf(text) : proseOf(text, kinds);
      return refusedIn(prose).map(({ line, word, instead }) => `${path}:${line}: "${word}": ${instead}`);
    });
  expect(found).toEqual([]);
});

test.each(REFUSED)("$word is refused in a comment, in a string and in a page", ({ word }) => {
  const probe = [
    "const a = 1;",
    `/** Here ${word} stands. */`,
    `const b = \`\${a} ${word}\`;`,
    `const c = "Here ${word} stands.";`,
  ];
  const text = probe.join("\n");
  expect(refusedIn(proseOf(text, ["comment"])).map(({ line }) => line)).toContain(2);
  expect(refusedIn(proseOf(text, ["string"])).map(({ line }) => line)).toEqual(expect.arrayContaining([3, 4]));
  expect(refusedIn(`# Page\n\nHere ${word} stands.`).map(({ line }) => line)).toContain(3);
});

test("names in code are not prose, and a regular expression hides no string", () => {
  const text =
    'import "./mend.ts"; const stranger = /"/.test(a) ? sick.mended : b / whoever / c;\nconst said = "a sick row";';
  expect(refusedIn(proseOf(text, ["string", "comment"]))).toMatchObject([{ line: 2, word: "sick" }]);
});

test("docs/style.md lists exactly these words", () => {
  const page = readFileSync(join(root, "docs/style.md"), "utf8");
  const listed = /<!-- words -->\n([\s\S]*?)\n<!-- \/words -->/.exec(page)?.[1]?.trim();
  expect(listed).toBe(REFUSED.map(({ word, instead }) => `- _${word}_: ${instead}`).join("\n"));
});
