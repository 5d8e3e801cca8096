import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/*
 * psn as one program, with its modules as bytecode: a process of it takes half of the processor's time that the
 * sources take, and four fifths of what one bundled file takes. It is made once for a state of the sources, and kept in
 * the tests' cache under a name that is a hash of all of them, so that no other state's is ever run.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = process.env["PSN_TEST_CACHE"] ?? join(ROOT, "node_modules", ".cache", "psn");
/** Another state's is removed when nobody has run it for so long, in milliseconds. A run of the tests is shorter. */
const KEPT_MS = 2 * 3_600_000;
/** What the text of a module asks for, which a program would answer with itself. */
const asked = (path: string): Readonly<Record<string, string>> => ({
  "import.meta.url": pathToFileURL(path).href,
  "process.execPath": process.execPath,
});

export interface Program {
  /** What its folders in the tests' cache begin with. */
  readonly prefix: string;
  readonly entry: string;
  /** Every folder that holds something of it. */
  readonly folders: readonly string[];
}
export const PSN: Program = { prefix: "cli-", entry: "src/cli/main.ts", folders: ["src", "drizzle"] };

/** Names every file that is in the program or decides on it; packages by the lock file. */
export async function nameOf(root: string, { prefix, folders: names }: Program = PSN): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([Bun.version, root]));
  const folders = names.map((name) => readdir(join(root, name), { recursive: true, withFileTypes: true }));
  const sources = (await Promise.all(folders))
    .flat()
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const others = ["package.json", "bun.lock", "tsconfig.json", "tests/support/cli-bundle.ts"];
  for (const path of [...sources.toSorted(), ...others.map((name) => join(root, name))])
    hash.update(`\n${path}\n`).update(await readFile(path));
  return `${prefix}${hash.digest("hex").slice(0, 32)}`;
}

async function make(folder: string, entry: string): Promise<void> {
  const draft = await mkdtemp(`${folder}.`);
  const built = await Bun.build({
    entrypoints: [join(ROOT, entry)],
    target: "bun",
    format: "esm",
    splitting: true,
    bytecode: true,
    compile: { outfile: join(draft, "psn") },
    plugins: [
      {
        name: "modules keep their place",
        setup: (build) => {
          build.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
            let contents = await readFile(path, "utf8");
            for (const [what, answer] of Object.entries(asked(path)))
              contents = contents.replaceAll(what, JSON.stringify(answer));
            return { contents, loader: "ts" };
          });
        },
      },
    ],
  });
  if (!built.success) throw new Error(`psn was not bundled: ${built.logs.join("\n")}`);
  // Another test process may have been faster; then its folder stays and this one goes.
  await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }));
}

/** The path of the program, made where it is not there yet. */
export async function compiled(wanted: Program): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  const name = await nameOf(ROOT, wanted);
  const folder = join(CACHE, name);
  const program = join(folder, "psn");
  if (!(await Bun.file(program).exists())) await make(folder, wanted.entry);
  const now = new Date();
  await utimes(folder, now, now);
  for (const other of await readdir(CACHE)) {
    if (!other.startsWith(wanted.prefix) || other.startsWith(name)) continue;
    const used = await stat(join(CACHE, other)).then(
      ({ mtimeMs }) => mtimeMs,
      () => now.getTime(),
    );
    if (now.getTime() - used > KEPT_MS) await rm(join(CACHE, other), { recursive: true, force: true });
  }
  return program;
}

/** The path of a program with the same effect as src/cli/main.ts. */
export const COMPILED_PSN = await compiled(PSN);
