import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";

/*
 * What `trigger deploy` does before it needs a server: it bundles the tasks, and a process of its own, under the
 * runtime that will run them, imports the bundle and says what is in it. Trigger.dev offers no public way to that, so
 * its CLI's modules are loaded by file path, here and nowhere else, and only of the one version this was written
 * against.
 */

const VERSION = "4.8.3";
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = dirname(createRequire(import.meta.url).resolve("trigger.dev/package.json"));

/** A module of the CLI, by its path below `dist/esm`. */
export async function cliModule<T>(path: string): Promise<T> {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(CLI, "package.json"), "utf8")));
  if (version !== VERSION) throw new Error(`the tests know trigger.dev ${VERSION} from the inside, and not ${version}`);
  // The CLI looks for Bun there and not on the path.
  delete process.env["BUN_INSTALL"];
  process.env["BUN_INSTALL_BIN"] = join(ROOT, "node_modules/.bin");
  const module: T = await import(pathToFileURL(join(CLI, "dist/esm", path)).href);
  return module;
}

const Queue = z.looseObject({ name: z.string().optional(), concurrencyLimit: z.number().nullish() });
const Worker = z.looseObject({
  runtime: z.string(),
  tasks: z.array(
    z.looseObject({
      id: z.string(),
      filePath: z.string(),
      exportName: z.string().optional(),
      maxDuration: z.number().optional(),
      queue: Queue.optional(),
      schedule: z.looseObject({ cron: z.string(), timezone: z.string() }).optional(),
      retry: z.looseObject({ maxAttempts: z.number().optional() }).optional(),
    }),
  ),
  queues: z.array(Queue).default([]),
});
/** What the process that imported the bundle found in it; whatever else it says is kept. */
export type Worker = z.output<typeof Worker>;

const Manifest = z.looseObject({
  runtime: z.string(),
  contentHash: z.string(),
  indexWorkerEntryPoint: z.string(),
  externals: z.array(z.looseObject({ name: z.string() })).optional(),
});

export interface TriggerBuild {
  readonly worker: Worker;
  /** As the worker's own process wants it. */
  readonly manifestPath: string;
  readonly contentHash: string;
  /** Packages that are not in the bundle and would be installed beside it. */
  readonly externals: readonly string[];
  /** Everything that would be deployed, but for source maps, by path below the folder; sizes in bytes. */
  readonly files: ReadonlyMap<string, number>;
  readonly bytes: number;
  /** Every source file that went into it, by path below the project. */
  readonly sources: ReadonlySet<string>;
  readonly folder: string;
  /** What the build and the import said. */
  readonly said: string;
  remove(): Promise<void>;
}

interface BuildOptions {
  /** The project: psn's own folder, if no other is named. */
  readonly root?: string;
  /** `dev` differs from `deploy` in the programs around the bundle: only those of `dev` run without a server. */
  readonly target?: "deploy" | "dev";
  /** For the build, as the deploying machine has it; nothing of it reaches the import. */
  readonly environment?: Readonly<Record<string, string>>;
}

interface Modules {
  loadConfig(options: object): Promise<{ readonly project: string }>;
  buildWorker(options: object): Promise<unknown>;
  indexWorkerManifest(options: object): Promise<unknown>;
  readonly logger: { loggerLevel: string };
}

/** Builds and imports the tasks, offline. Its folder lies in the project, where the bundle finds what is not in it. */
export async function buildTasks({
  root = ROOT,
  target = "deploy",
  environment = {},
}: BuildOptions = {}): Promise<TriggerBuild> {
  const { loadConfig } = await cliModule<Pick<Modules, "loadConfig">>("config.js");
  const { buildWorker } = await cliModule<Pick<Modules, "buildWorker">>("build/buildWorker.js");
  const { indexWorkerManifest } = await cliModule<Pick<Modules, "indexWorkerManifest">>(
    "indexing/indexWorkerManifest.js",
  );
  const { logger } = await cliModule<Pick<Modules, "logger">>("utilities/logger.js");
  logger.loggerLevel = "none";
  const folder = await mkdtemp(join(root, ".trigger-build-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  let said = "";
  const heard = (text: string) => {
    said += text;
  };
  try {
    const resolvedConfig = await loadConfig({ cwd: root, warn: false });
    const options = { target, environment: target === "dev" ? "dev" : "prod", destination: folder, resolvedConfig };
    const built = await within(environment, heard, () =>
      buildWorker({ ...options, rewritePaths: false, envVars: {}, forcedExternals: [], plain: true }),
    );
    const { runtime, contentHash, indexWorkerEntryPoint, externals = [] } = Manifest.parse(built);
    const buildManifestPath = join(folder, "built.json");
    await writeFile(buildManifestPath, JSON.stringify(built));
    const env = { PATH: process.env["PATH"], HOME: folder, TRIGGER_PROJECT_REF: resolvedConfig.project };
    const index = { runtime, indexWorkerPath: indexWorkerEntryPoint, buildManifestPath, env, cwd: root };
    const indexed = await indexWorkerManifest({ ...index, handleStdout: heard, handleStderr: heard });
    const manifestPath = join(folder, "index.json");
    await writeFile(manifestPath, JSON.stringify(indexed));
    const { files, sources } = await contentsOf(root, folder);
    return {
      worker: Worker.parse(indexed),
      manifestPath,
      contentHash,
      externals: externals.map(({ name }) => name),
      files,
      bytes: [...files.values()].reduce((sum, size) => sum + size, 0),
      sources,
      folder,
      get said() {
        return said;
      },
      remove,
    };
  } catch (error) {
    await remove();
    throw new Error(`the tasks could not be built: ${error instanceof Error ? error.message : "?"}\n${said}`, {
      cause: error,
    });
  }
}

/** The config reads the deploying machine's environment, and the build talks to the console. */
async function within<T>(
  environment: Readonly<Record<string, string>>,
  heard: (text: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const before = new Map(Object.keys(environment).map((name) => [name, process.env[name]]));
  const { log, warn } = console;
  console.log = (...words: unknown[]) => heard(`${words.join(" ")}\n`);
  console.warn = console.log;
  Object.assign(process.env, environment);
  try {
    return await work();
  } finally {
    Object.assign(console, { log, warn });
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

const SourceMap = z.looseObject({ sources: z.array(z.string()).default([]) });
/** Source maps, and what this file has written. */
const NOT_DEPLOYED = /\.map$|^(built|index)\.json$/;

async function contentsOf(
  root: string,
  folder: string,
): Promise<{ readonly files: Map<string, number>; readonly sources: Set<string> }> {
  const files = new Map<string, number>();
  const sources = new Set<string>();
  for (const path of await readdir(folder, { recursive: true })) {
    const file = join(folder, path);
    const about = await stat(file);
    if (!about.isFile()) continue;
    if (!NOT_DEPLOYED.test(path)) files.set(path, about.size);
    if (!path.endsWith(".map")) continue;
    const map = SourceMap.parse(JSON.parse(await readFile(file, "utf8")));
    for (const source of map.sources) sources.add(relative(root, resolve(dirname(file), source)));
  }
  return { files, sources };
}
