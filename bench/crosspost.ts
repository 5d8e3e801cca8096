import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { take } from "./installed.ts";

/** A command line for Node that posts and keeps nothing (npmjs.com/package/@humanwhocodes/crosspost, 2026-11). */
const PACKAGE = "@humanwhocodes/crosspost";
const VERSION = "1.0.4";

export const CROSSPOST = `crosspost ${VERSION}`;

/** Installs it from npm into this folder, which it makes, and returns what it is started by. */
export async function installCrosspost(folder: string): Promise<readonly string[]> {
  await mkdir(folder);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "psn-bench-crosspost", private: true }));
  await take([process.execPath, "add", "--exact", "--ignore-scripts", `${PACKAGE}@${VERSION}`], { cwd: folder });
  return ["node", join(folder, "node_modules", PACKAGE, "dist/bin.js")];
}
