/**
 * The texts of the tasks' project by their paths in it: sources, Trigger.dev's configuration, package.json, bun.lock.
 * `bun run build` puts it in here (scripts/build/bundle.ts); in a source tree the tree itself is the project.
 */
export const TASKS_PROJECT: Readonly<Record<string, string>> | undefined = undefined;
