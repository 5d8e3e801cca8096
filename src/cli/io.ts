import { copied, type PsnError } from "@psn/core/errors.ts";
import type { Hub } from "@psn/wiring/hub.ts";
import type { CommandTable, Context } from "./command.ts";
import { createOutput, type Lines, type Output, type Sink, say } from "./output.ts";
import { Stopped, stoppingBy } from "./stop.ts";

export interface Io {
  readonly version: string;
  /** Aborted by the first signal. */
  readonly signal?: AbortSignal;
  readonly writeHelp: (text: string) => void;
  readonly output: (json: boolean, color: false | undefined) => Promise<Output>;
  readonly context: (options: ContextOptions) => Promise<RunContext>;
  /** Where a mistake of psn's own is shown with its stack. */
  readonly trace: (error: PsnError) => void;
}

export interface RunContext extends Context {
  /** What a command comes to: its exit code, or INTERRUPTED as soon as a signal may end it. */
  readonly untilStopped: (running: Promise<number | undefined>) => Promise<number | undefined>;
  /** Closes the hub. A command that was stopped has a moment to take back what it had begun. */
  readonly close: () => Promise<void>;
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
  readonly stdout: Sink;
  readonly stderr: NodeJS.WriteStream;
  readonly cwd: string;
  readonly version: string;
  readonly signal: AbortSignal;
}

/**
 * How long the hub may take to close once a signal has come, in milliseconds. A command that was stopped takes back
 * what it began in that time: longer than a holder of the embedded database lets others finish their statements
 * (drivers/embedded.ts), and shorter where the hub did not open, since another process may hold its database and stand
 * still.
 */
const CLOSE_MOST_MS = { done: 15_000, stopped: 3_500, unopened: 2_000, opening: 1_000 } as const;

/** The process's own streams, as the program sees them. What it needs of the rest of psn loads when it is needed. */
export function createIo({ stdin, stdout, stderr, cwd, version, signal }: IoOptions): Io {
  const sink = (stream: Sink | NodeJS.WriteStream): Sink => ({
    isTTY: stream.isTTY === true,
    columns: stream.columns,
    write: (text) => void stream.write(text),
  });
  return {
    version,
    signal,
    writeHelp: (text) => say(sink(stdout), text.replace(/\n$/, "").split("\n")),
    output: async (json, color) => {
      const { terminalEnv } = await import("@psn/core/utils/env.ts");
      const { noColor, forceColor, term } = terminalEnv();
      const wanted = color ?? (noColor || term === "dumb" ? false : forceColor);
      return createOutput({ json, stdout: sink(stdout), stderr: sink(stderr), color: wanted });
    },
    context: async ({ output, hub: named, input, yes, commands }) => {
      const [{ createPrompt }, { terminalEnv }] = await Promise.all([
        import("./prompt.ts"),
        import("@psn/core/utils/env.ts"),
      ]);
      const interactive = input && !output.json && stdin.isTTY === true && stderr.isTTY === true && !terminalEnv().ci;
      const stopping = stoppingBy(signal, () => {
        if (signal.reason instanceof Stopped && signal.reason.by === "SIGINT")
          say(sink(stderr), ["", "stopping; press Ctrl-C again to stop at once"]);
      });
      let opened: Promise<Hub> | undefined;
      let isOpen = false;
      let ran: Promise<unknown> | undefined;
      let isDone = false;
      const limit = () => {
        if (opened && !isOpen) return "opening";
        if (!stopping.isBroken()) return "done";
        return opened ? "stopped" : "unopened";
      };
      const folder = async () => (await import("@psn/wiring/hub.ts")).hubFolder(cwd, named);
      return {
        // A command that was stopped has been answered for.
        output: untilOver(output, stopping.isBroken),
        prompt: createPrompt({ interactive, yes, input: stdin, output: stderr, signal }),
        cwd,
        version,
        commands,
        now: () => new Date(),
        signal,
        noReturn: stopping.noReturn,
        endsBySignal: stopping.endsBySignal,
        leaves: stopping.leaves,
        yes,
        namedHub: named,
        folder,
        hub: async (use = "once", whenParted = "tell") => {
          const { openHub } = await import("@psn/wiring/hub.ts");
          opened ??= folder().then(async (found) => {
            const hub = await openHub({ folder: found, use });
            isOpen = true;
            return hub;
          });
          const hub = await opened;
          if (hub.parted && whenParted === "refuse") throw copied();
          if (hub.parted && whenParted === "tell") output.note([copied().message, `→ ${copied().hint}`]);
          return hub;
        },
        stdin: async () => (await import("./stdin.ts")).readStdin(stdin, signal),
        piped: async () => (await import("./stdin.ts")).isPiped(stdin),
        untilStopped: (running) => {
          ran = running.then(
            () => {
              isDone = true;
            },
            () => undefined,
          );
          stopping.listen();
          return Promise.race([stopping.broken, running]);
        },
        close: async () => {
          // A hub that did not open has said so already.
          const closed = opened?.then(
            async (hub) => {
              if (isDone && !stopping.isBroken()) {
                const { remember } = await import("./completion/known.ts");
                await remember(hub, stopping.isHeld());
              }
              await hub.close();
            },
            () => undefined,
          );
          const most = () => CLOSE_MOST_MS[limit()];
          await noLongerThan(signal, most, Promise.all([ran, closed]));
        },
      };
    },
    trace: (error) => {
      // The frames alone: a message that psn did not write may hold anything.
      const frames =
        error.cause instanceof Error
          ? (error.cause.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line))
          : [];
      say(sink(stderr), frames);
    },
  };
}

function untilOver(output: Output, isOver: () => boolean): Output {
  return {
    ...output,
    result: (document, lines) => void (isOver() || output.result(document, lines)),
    note: (lines: Lines) => void (isOver() || output.note(lines)),
    request: (lines: Lines) => void (isOver() || output.request(lines)),
    draw: (line) => !isOver() && output.draw(line),
    failure: (error) => void (isOver() || output.failure(error)),
  };
}

/** Waits for `work` to end; once a signal has come, so long at most. */
async function noLongerThan(signal: AbortSignal, mostMs: () => number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = Promise.withResolvers<void>();
  const stop = () => {
    timer = setTimeout(over.resolve, mostMs());
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([work, over.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
