import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BunPlugin } from "bun";
import { tasksProject } from "./tasks.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The command line, psn as a library, and the one thread that psn starts from a file. */
export const ENTRYPOINTS: readonly string[] = ["cli/main.ts", "index.ts", "core/utils/video-thread.ts"].map((name) =>
  join(ROOT, "src", name),
);

/** The thread lies beside what starts it, under the name that it has in a bundle. */
const thread: BunPlugin = {
  name: "thread",
  setup: (build) => {
    build.onLoad({ filter: /\/src\/core\/utils\/video\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replace("./video-thread.ts", "./video-thread.js"),
      loader: "ts",
    }));
  },
};

/** A build carries the tasks' project: in it there is no source tree. */
const tasks: BunPlugin = {
  name: "tasks",
  setup: async (build) => {
    const contents = `export const TASKS_PROJECT = ${JSON.stringify(await tasksProject())};`;
    build.onLoad({ filter: /\/src\/provision\/tasks-project\.ts$/ }, () => ({ contents, loader: "js" }));
  },
};

/** How psn is bundled. */
export const BUNDLING = {
  entrypoints: [...ENTRYPOINTS],
  root: ROOT,
  target: "bun" as const,
  format: "esm" as const,
  splitting: true,
  minify: true,
  naming: { entry: "[name].[ext]", chunk: "chunk-[hash].[ext]", asset: "[name]-[hash].[ext]" },
  plugins: [thread, tasks],
};
