import { afterFile } from "./after-file.ts";

/*
 * A program at a pseudo terminal, as a person has it before them.
 */

export interface TerminalOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly columns?: number;
}

export interface AtTerminal {
  readonly type: (keys: string) => void;
  /** All that was shown, with the sequences that steer a terminal. */
  readonly shown: () => string;
  /** Once it shows this, behind what was there before the last `type`. */
  readonly shows: (text: string | RegExp) => Promise<void>;
  readonly ended: Promise<number>;
}

/** How long a terminal is waited for, in milliseconds. */
const PATIENCE_MS = 60_000;

const running = new Set<{ kill(signal: "SIGKILL"): void }>();
afterFile(async () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a program at a terminal of its own. */
export function atTerminal(command: readonly string[], { cwd, env, columns = 80 }: TerminalOptions): AtTerminal {
  let shown = "";
  let from = 0;
  const waiting = new Set<() => void>();
  const decoder = new TextDecoder();
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...env },
    terminal: {
      cols: columns,
      rows: 40,
      data: (_terminal, bytes) => {
        shown += decoder.decode(bytes, { stream: true });
        for (const look of waiting) look();
      },
    },
  });
  running.add(child);
  const ended = child.exited.finally(() => {
    running.delete(child);
    child.terminal?.close();
  });
  return {
    type: (keys) => {
      from = shown.length;
      child.terminal?.write(keys);
    },
    shown: () => shown,
    shows: (text) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`the terminal does not show ${text}: ${JSON.stringify(shown.slice(from))}`)),
          PATIENCE_MS,
        );
        const look = () => {
          const news = Bun.stripANSI(shown.slice(from));
          if (typeof text === "string" ? !news.includes(text) : !text.test(news)) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    ended,
  };
}
