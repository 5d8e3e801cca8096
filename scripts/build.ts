import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { isPlatform, PLATFORMS, writeBinaries } from "./build/binaries.ts";
import { ROOT } from "./build/bundle.ts";
import { writePackage } from "./build/package.ts";

/*
 * Builds psn into a folder, `dist` if none is named. The same sources give the same bytes.
 *
 *   bun run build [folder]                              npm/: the package
 *   bun run build [folder] --binaries [--platform P]    binaries/: psn-PLATFORM.gz and SHA256SUMS; P: only this one
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { binaries: { type: "boolean", default: false }, platform: { type: "string", multiple: true } },
});
const wanted = values.platform ?? Object.keys(PLATFORMS);
const platforms = wanted.filter(isPlatform);
if (platforms.length < wanted.length || (values.platform && !values.binaries)) {
  console.error(`--platform goes with --binaries, and is one of ${Object.keys(PLATFORMS).join(", ")}`);
  process.exit(2);
}

const folder = join(resolve(positionals[0] ?? join(ROOT, "dist")), values.binaries ? "binaries" : "npm");
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
await (values.binaries ? writeBinaries(platforms, folder) : writePackage(folder));
console.log(`written: ${folder}`);
