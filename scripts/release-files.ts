import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { isPlaceholder } from "@psn/service/release.ts";
import { z } from "zod";
import { SUMS } from "./build/binaries.ts";
import { ROOT } from "./build/bundle.ts";
import { addressOf, formula, parseSums, scoopManifest } from "./build/managers.ts";

/*
 * Writes what a release on GitHub has beside the programs, into the folder that `bun run build` wrote into: release/
 * has install.sh, psn.rb for Homebrew and psn.json for Scoop. They name the repository in package.json.
 *
 *   bun run release-files [--repository OWNER/NAME] [folder]
 *
 * --repository: the one that makes the release. Exits with 1 where package.json names another, or none yet: the
 * programs that were built would tell their users to install somebody else's.
 */

const { positionals, values } = parseArgs({ allowPositionals: true, options: { repository: { type: "string" } } });
const folder = resolve(positionals[0] ?? join(ROOT, "dist"));
const Manifest = z.looseObject({
  version: z.string(),
  description: z.string(),
  license: z.string(),
  repository: z.object({ url: z.string() }),
});
const manifest = Manifest.parse(JSON.parse(await readFile(join(folder, "npm", "package.json"), "utf8")));
const homepage = manifest.repository.url.replace(/^git\+/, "").replace(/\.git$/, "");
const refused = refusal(homepage, values.repository);
if (refused !== undefined) {
  console.error(refused);
  process.exit(1);
}
const sums = parseSums(await readFile(join(folder, "binaries", SUMS), "utf8"));
const release = { ...manifest, homepage, sums };

const script = await readFile(join(ROOT, "install.sh"), "utf8");
const named = script.replace(/^RELEASE=''$/m, `RELEASE='${addressOf(release, manifest.version)}'`);
if (named === script) throw new Error("install.sh has no line RELEASE=''");
await mkdir(join(folder, "release"), { recursive: true });
await writeFile(join(folder, "release", "install.sh"), named);
await chmod(join(folder, "release", "install.sh"), 0o755);
await writeFile(join(folder, "release", "psn.rb"), formula(release));
await writeFile(join(folder, "release", "psn.json"), scoopManifest(release));
console.log(`written: ${join(folder, "release")}`);

/** Why no release can be made by this repository from what was built. */
function refusal(named: string, own: string | undefined): string | undefined {
  const fix = 'set "repository" in package.json, run: bun run docs, and build again';
  if (!/^https:\/\/github\.com\/[\w.-]+\/[\w.-]+$/.test(named)) return `${named} is no repository on GitHub; ${fix}`;
  if (isPlaceholder(named)) return `package.json names no repository yet, but ${named}; ${fix}`;
  if (own !== undefined && named !== `https://github.com/${own}`)
    return `package.json names ${named}, and this is a release of ${own}; ${fix}`;
  return undefined;
}
