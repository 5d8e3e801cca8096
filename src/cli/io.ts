import type { Hub } from "@psn/compose.ts";
import type { PsnError } from "@psn/core/errors.ts";
import type { CommandTable, Context } from "./command.ts";
import type { Output, Sink } from "./output.ts";

export interface Io {
  readonly version: string;
  readonly writeHelp: (text: string) => void;
  readonly output: (json: boolean, color: false | undefined) => Promise<Output>;
  readonly context: (options: ContextOptions) => Promise<Context & AsyncDisposable>;
  /** Where a mistake of psn's own is shown with its stack. */
  readonly trace: (error: PsnError) => void;
}

export interface ContextOptions {
  readonly output: Output;
  readonly hub: string | undefined;
  readonly input: boolean;
  readonly yes: boolean;
  readonly commands: CommandTable;
}

export interface IoOptions {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly cwd: string;
  readonly version: string;
  readonly signal: AbortSignal;
}

/** The process's own streams, as the program sees them. What it needs of the rest of psn loads when it is needed. */
export function createIo({ stdin, stdout, stderr, cwd, version, signal }: IoOptions): Io {
  const sink = (stream: NodeJS.WriteStream): Sink => ({ isTTY: stream.isTTY === true, write: (text) => void stream.write(text) });
  return {
    version,
    writeHelp: (text) => void stdout.write(text),
    output: async (json, color) => {
      const [{ createOutput }, { terminalEnv }] = await Promise.all([import("./output.ts"), import("@psn/core/utils/env.ts")]);
      const { noColor, forceColor, term } = terminalEnv();
      const wanted = color ?? (noColor || term === "dumb" ? false : forceColor);
      return createOutput({ json, stdout: sink(stdout), stderr: sink(stderr), color: wanted });
    },
    context: async ({ output, hub: named, input, yes, commands }) => {
      const [{ createPrompt }, { terminalEnv }] = await Promise.all([import("./prompt.ts"), import("@psn/core/utils/env.ts")]);
      const interactive = input && !output.json && stdin.isTTY === true && stderr.isTTY === true && !terminalEnv().ci;
      let opened: Promise<Hub> | undefined;
      const folder = async () => (await import("@psn/compose.ts")).hubFolder(cwd, named);
      return {
        output,
        prompt: createPrompt({ interactive, yes, input: stdin, output: stderr }),
        cwd,
        version,
        commands,
        now: () => new Date(),
        signal,
        yes,
        namedHub: named,
        folder,
        hub: async (use = "once") => {
          const { openHub } = await import("@psn/compose.ts");
          opened ??= folder().then((found) => openHub({ folder: found, use }));
          return opened;
        },
        stdin: async () => new Uint8Array(await new Response(stdin as unknown as ReadableStream).arrayBuffer()),
        [Symbol.asyncDispose]: async () => {
          // A hub that did not open has said so already.
          await opened?.then(
            (hub) => hub.close(),
            () => undefined,
          );
        },
      };
    },
    trace: (error) => {
      // The frames alone: a message that psn did not write may hold anything.
      const frames = error.cause instanceof Error ? (error.cause.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
      if (frames.length > 0) stderr.write(`${frames.join("\n")}\n`);
    },
  };
}
