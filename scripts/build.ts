import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ROOT } from "./build/bundle.ts";
import { writePackage } from "./build/package.ts";

/*
 * Builds psn into a folder, `dist` if none is named: npm/ is the package. The same sources give the same bytes.
 *
 *   bun run build [folder]
 */

const folder = join(resolve(process.argv[2] ?? join(ROOT, "dist")), "npm");
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
await writePackage(folder);
console.log(`written: ${folder}`);
