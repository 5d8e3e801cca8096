import { isPlaceholder } from "@psn/service/release.ts";
import { repository } from "../package.json";

/*
 * The repository's address in texts that people and GitHub read, as package.json names it. `bun run docs` writes them.
 */

const [, slug = ""] = /^https:\/\/github\.com\/(.*)$/.exec(repository) ?? [];
const [owner = ""] = slug.split("/");

const SAID = isPlaceholder(repository)
  ? "OWNER stands for the owner of psn's repository."
  : `psn's repository is <${repository}>.`;

/** docs/install.md, whose commands download from the newest release. */
export function withAddresses(page: string): string {
  return page
    .replaceAll(/https:\/\/github\.com\/[\w.-]+\/[\w.-]+(?=\/releases\/)/g, repository)
    .replaceAll(/(?<=--repo )[\w.-]+\/[\w.-]+/g, slug)
    .replace(/<!-- repository -->.*<!-- \/repository -->/s, `<!-- repository -->\n\n${SAID}\n\n<!-- /repository -->`);
}

/** .github/CODEOWNERS, where a team may stand in place of the owner. */
export const withOwner = (text: string): string => text.replaceAll(/@OWNER\b/g, `@${owner}`);
