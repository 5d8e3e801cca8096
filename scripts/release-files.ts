import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { SUMS } from "./build/binaries.ts";
import { ROOT } from "./build/bundle.ts";
import { addressOf, formula, parseSums, scoopManifest } from "./build/managers.ts";

/*
 * Writes what a release on GitHub has beside the programs, into the folder that `bun run build` wrote into: release/
 * has install.sh, psn.rb for Homebrew and psn.json for Scoop. The npm package is told its repository, which npm
 * compares with the one that publishes it.
 *
 *   bun run release-files --repository OWNER/NAME [folder]
 */

const { positionals, values } = parseArgs({ allowPositionals: true, options: { repository: { type: "string" } } });
if (!/^[\w.-]+\/[\w.-]+$/.test(values.repository ?? "")) {
  console.error("--repository is needed, as OWNER/NAME");
  process.exit(2);
}

const folder = resolve(positionals[0] ?? join(ROOT, "dist"));
const homepage = `https://github.com/${values.repository}`;
const Manifest = z.looseObject({ version: z.string(), description: z.string(), license: z.string() });
const manifest = Manifest.parse(JSON.parse(await readFile(join(folder, "npm", "package.json"), "utf8")));
const sums = parseSums(await readFile(join(folder, "binaries", SUMS), "utf8"));
const release = { ...manifest, homepage, sums };

const repository = { type: "git", url: `git+${homepage}.git` };
await writeFile(join(folder, "npm", "package.json"), `${JSON.stringify({ ...manifest, repository }, null, 2)}\n`);

const script = await readFile(join(ROOT, "install.sh"), "utf8");
const named = script.replace(/^RELEASE=''$/m, `RELEASE='${addressOf(release, manifest.version)}'`);
if (named === script) throw new Error("install.sh has no line RELEASE=''");
await mkdir(join(folder, "release"), { recursive: true });
await writeFile(join(folder, "release", "install.sh"), named);
await chmod(join(folder, "release", "install.sh"), 0o755);
await writeFile(join(folder, "release", "psn.rb"), formula(release));
await writeFile(join(folder, "release", "psn.json"), scoopManifest(release));
console.log(`written: ${join(folder, "release")}`);
