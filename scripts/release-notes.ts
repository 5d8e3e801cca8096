import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { version } from "../package.json";

/*
 * Prints what CHANGELOG.md says of the version in package.json: the notes of its release.
 *
 *   bun run release-notes [--tag vX.Y.Z]
 *
 * --tag: the tag that is to be released. Exits with 1 where it is another version's, where CHANGELOG.md has no section
 * for it, or where lines are left under "Unreleased": they would be in no release.
 */

const { values } = parseArgs({ options: { tag: { type: "string" } } });

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

/** The text below a heading of the second level, up to the next. */
function section(text: string, heading: RegExp): string | undefined {
  const parts = text.split(/^## /m);
  return parts
    .find((part) => heading.test(part.split("\n")[0] ?? ""))
    ?.replace(/^.*\n/, "")
    .trim();
}

const changes = readFileSync(new URL("../CHANGELOG.md", import.meta.url), "utf8");
const number = version.replaceAll(".", "\\.");
const notes = section(changes, new RegExp(`^\\[?${number}\\]?(?:\\s|$)`));

if (values.tag !== undefined) {
  if (values.tag !== `v${version}`) fail(`package.json says ${version}, and the tag ${values.tag}`);
  if (/^- /m.test(section(changes, /^Unreleased/) ?? ""))
    fail(`move the lines under "Unreleased" in CHANGELOG.md into the section of ${version}`);
}
if (!notes) fail(`CHANGELOG.md has no section for ${version}`);
console.log(notes);
