import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { TASKS } from "@psn/app/deploy-tasks.ts";
import { z } from "zod";

/*
 * The tasks as a project of their own, which psn deploy needs: the sources that the tasks reach, Trigger.dev's
 * configuration, and of psn's packages those that the sources import and the CLI, by psn's own lockfile. What is
 * deployed from an installation is what the tests of the source tree have tested.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Trigger.dev's CLI. */
const TOOLS: readonly string[] = ["trigger.dev"];
const Manifest = z.object({
  name: z.string(),
  version: z.string(),
  type: z.string(),
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
});

/** The texts of the project's files, by their paths in it. */
export async function tasksProject(): Promise<Readonly<Record<string, string>>> {
  const { sources, packages } = await reached();
  const { name, version, type, dependencies, devDependencies } = Manifest.parse(
    await Bun.file(join(ROOT, "package.json")).json(),
  );
  const all = { ...dependencies, ...devDependencies };
  const needed = Object.keys(all)
    .filter((each) => packages.has(each) || TOOLS.includes(each))
    .toSorted();
  const exact = Object.fromEntries(needed.map((each) => [each, all[each]]));
  const manifest = `${JSON.stringify({ name, version, private: true, type, dependencies: exact }, null, 2)}\n`;
  const texts: [string, string][] = [];
  for (const path of [...sources, "tsconfig.json"].toSorted())
    texts.push([path, await readFile(join(ROOT, path), "utf8")]);
  return { "package.json": manifest, "bun.lock": await lockOf(manifest), ...Object.fromEntries(texts) };
}

/** Paths of the sources that the tasks and their configuration reach, and the names of what else these import. */
async function reached(): Promise<{ readonly sources: readonly string[]; readonly packages: ReadonlySet<string> }> {
  const built = await Bun.build({
    entrypoints: ["trigger.config.ts", ...TASKS.map((name) => `src/trigger/${name}.ts`)].map((one) => join(ROOT, one)),
    root: ROOT,
    target: "bun",
    metafile: true,
    packages: "external",
    naming: "[dir]/[name].[ext]",
  });
  const sources: string[] = [];
  const packages = new Set<string>();
  for (const [path, { imports }] of Object.entries(built.metafile?.inputs ?? {})) {
    if (path.endsWith(".ts")) sources.push(relative(ROOT, join(process.cwd(), path)).replaceAll("\\", "/"));
    for (const { path: to } of imports) packages.add(/^(@[^/]+\/)?[^/]+/.exec(to)?.[0] ?? "");
  }
  return { sources, packages };
}

/** Of psn's lockfile what these packages need. Bun takes out the rest and keeps every version that stays. */
async function lockOf(manifest: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "psn-build-lock-"));
  try {
    await writeFile(join(folder, "package.json"), manifest);
    await cp(join(ROOT, "bun.lock"), join(folder, "bun.lock"));
    const ran = Bun.spawnSync([process.execPath, "install", "--lockfile-only", "--ignore-scripts"], {
      cwd: folder,
      stderr: "pipe",
    });
    if (!ran.success) throw new Error(`the tasks' lockfile was not written: ${ran.stderr}`);
    return await readFile(join(folder, "bun.lock"), "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
