import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { COMMON_FLAGS } from "@psn/cli/command.ts";
import { namedCommands } from "@psn/cli/json-schema.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import { expect, test } from "vitest";

/* Each command that a page shows is one that psn has, with flags that it has. */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const pages = ["README.md", ...globSync("docs/**/*.md", { cwd: ROOT })];
const commands = await namedCommands(COMMANDS);

/** Commands in a page's shell blocks, without comments and what stands behind a pipe. */
function shown(page: string): readonly string[] {
  const text = readFileSync(`${ROOT}/${page}`, "utf8");
  return [...text.matchAll(/^ *```sh\n([\s\S]*?)```/gm)].flatMap(([, block = ""]) =>
    block
      .split("\n")
      .flatMap((line) =>
        [...line.replace(/\s#.*$/, "").matchAll(/(?<![\w/-])psn ([^|&<>]*)/g)].map(([, words = ""]) => words.trim()),
      ),
  );
}

/** What is wrong with it, or nothing. */
function wrong(line: string): string | undefined {
  const [first = "", second = ""] = line.split(/\s+/);
  if (first.startsWith("-") || first === "") return undefined;
  const found =
    commands.find(({ path }) => path === `${first} ${second}`) ?? commands.find(({ path }) => path === first);
  if (!found) return first === "help" ? undefined : `there is no psn ${first}`;
  const known = [...(found.command.flags ?? []), ...COMMON_FLAGS].flatMap(
    ({ flags }) => flags.match(/--[\w-]+/g) ?? [],
  );
  const typed = line.replaceAll(/"[^"]*"|'[^']*'/g, "WORDS").match(/(?<=\s)--[a-z][\w-]*/g) ?? [];
  const strange = typed.filter((flag) => !known.includes(flag) && flag !== "--help");
  return strange.length > 0 ? `psn ${found.path} has no ${strange.join(", ")}` : undefined;
}

test.each(pages)("%s", (page) => {
  expect(shown(page).flatMap((line) => wrong(line) ?? [])).toEqual([]);
});

test("the pages show commands", () => {
  expect(pages.flatMap(shown).length).toBeGreaterThan(60);
});
