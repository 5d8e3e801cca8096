import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/*
 * psn as few files that Bun need not translate: a process of it starts with a third less of the processor's time than
 * from the sources. It is made once for a state of the sources, and kept in the tests' cache under a name that is a
 * hash of all of them, so that no other state's is ever run.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = process.env["PSN_TEST_CACHE"] ?? join(ROOT, "node_modules", ".cache", "psn");
const PREFIX = "cli-";
/** Another state's is removed when nobody has run it for so long, in milliseconds. A run of the tests is shorter. */
const KEPT_MS = 2 * 3_600_000;
/** Where the text of a module asks for its own place. */
const OWN_PLACE = "import.meta.url";

/** Names every file that is in the bundle or decides on it; packages by the lock file. */
export async function nameOf(root: string): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([Bun.version, root]));
  const sources = (await readdir(join(root, "src"), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const others = ["package.json", "bun.lock", "tsconfig.json", "tests/support/cli-bundle.ts"];
  for (const path of [...sources.toSorted(), ...others.map((name) => join(root, name))])
    hash.update(`\n${path}\n`).update(await readFile(path));
  return `${PREFIX}${hash.digest("hex").slice(0, 32)}`;
}

async function make(folder: string): Promise<void> {
  const draft = await mkdtemp(`${folder}.`);
  const built = await Bun.build({
    entrypoints: [join(ROOT, "src/cli/main.ts")],
    target: "bun",
    outdir: draft,
    splitting: true,
    plugins: [
      {
        name: "modules keep their place",
        setup: (build) => {
          build.onLoad({ filter: /(\/src\/|\/@electric-sql\/pglite).*\.(ts|m?js)$/ }, async ({ path }) => ({
            contents: (await readFile(path, "utf8")).replaceAll(OWN_PLACE, JSON.stringify(pathToFileURL(path).href)),
            loader: path.endsWith(".ts") ? "ts" : "js",
          }));
        },
      },
    ],
  });
  if (!built.success) throw new Error(`psn was not bundled: ${built.logs.join("\n")}`);
  // Another test process may have been faster; then its folder stays and this one goes.
  await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }));
}

async function bundled(): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  const name = await nameOf(ROOT);
  const folder = join(CACHE, name);
  const main = join(folder, "main.js");
  if (!(await Bun.file(main).exists())) await make(folder);
  const now = new Date();
  await utimes(folder, now, now);
  for (const other of await readdir(CACHE)) {
    if (!other.startsWith(PREFIX) || other.startsWith(name)) continue;
    const used = await stat(join(CACHE, other)).then(
      ({ mtimeMs }) => mtimeMs,
      () => now.getTime(),
    );
    if (now.getTime() - used > KEPT_MS) await rm(join(CACHE, other), { recursive: true, force: true });
  }
  return main;
}

/** What Bun runs as psn, with the same effect as src/cli/main.ts. */
export const BUNDLED_MAIN = await bundled();
