import { chmod, cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { BUNDLING, ROOT } from "./bundle.ts";
import { writeTypes } from "./types.ts";

/*
 * The npm package: one bundle with everything in it but Bun, which comes as a package of its own for each platform.
 */

const Manifest = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  license: z.string(),
  repository: z.url(),
  devDependencies: z.looseObject({ bun: z.string() }),
});

/** Of `bun` on npm (optionalDependencies of 1.4.5): the platforms on which psn is known to make sense. */
const RUNTIMES: readonly string[] = [
  "darwin-aarch64",
  "darwin-x64",
  "linux-aarch64",
  "linux-aarch64-musl",
  "linux-x64",
  "linux-x64-musl",
  "windows-aarch64",
  "windows-x64",
];

/** Writes the package into this folder, which is empty. */
export async function writePackage(folder: string): Promise<void> {
  const built = await Bun.build({ ...BUNDLING, outdir: join(folder, "dist") });
  if (!built.success) throw new Error(`psn was not bundled: ${built.logs.join("\n")}`);
  await writeTypes(join(folder, "types"));
  const manifest = Manifest.parse(await Bun.file(join(ROOT, "package.json")).json());
  const { name, version, description, license, repository, devDependencies } = manifest;
  const man = (await readdir(join(ROOT, "docs/man"))).toSorted();
  const text = {
    name,
    version,
    description,
    license,
    // npm compares it with the repository whose workflow publishes the package.
    repository: { type: "git", url: `git+${repository}.git` },
    type: "module",
    bin: { psn: "bin/psn.js" },
    man: man.map((name) => `./man/${name}`),
    exports: { ".": { types: "./types/index.d.ts", default: "./dist/index.js" }, "./package.json": "./package.json" },
    engines: { node: ">=20" },
    optionalDependencies: Object.fromEntries(RUNTIMES.map((one) => [`@oven/bun-${one}`, devDependencies.bun])),
  };
  await writeFile(join(folder, "package.json"), `${JSON.stringify(text, null, 2)}\n`);
  await mkdir(join(folder, "bin"));
  await cp(join(ROOT, "scripts/build/launcher.js"), join(folder, "bin/psn.js"));
  await chmod(join(folder, "bin/psn.js"), 0o755);
  // The launcher names it, so that no other is read.
  await writeFile(join(folder, "bin/bunfig.toml"), "");
  await cp(join(ROOT, "docs/man"), join(folder, "man"), { recursive: true });
  for (const file of ["LICENSE", "README.md", "CHANGELOG.md"]) await cp(join(ROOT, file), join(folder, file));
}
