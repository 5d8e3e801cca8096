import { FILES } from "@psn/core/own-files.ts";
import { socketFolderOf } from "./socket-folder.ts";

/*
 * The embedded Postgres's machine code, apart from the modules that use it: compiling takes a quarter of a second on
 * threads of its own, and everything else can load meanwhile.
 */

let compiled: Promise<WebAssembly.Module> | undefined;

/** Compiles once in a process, from the first call on; later calls share the module. */
export function compiledPostgres(): Promise<WebAssembly.Module> {
  compiled ??= Bun.file(FILES.pgliteWasm)
    .bytes()
    .then((bytes) => WebAssembly.compile(bytes));
  return compiled;
}

/** Starts to compile, unless another process seems to serve this folder's database. */
export function startCompiling(dataFolder: string): void {
  // Who needs the module is told of a failure.
  if (socketFolderOf(dataFolder) === undefined) compiledPostgres().catch(() => undefined);
}
