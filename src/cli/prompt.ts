import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { printable } from "@psn/core/utils/printable.ts";

export interface Prompt {
  /** Whether there is somebody to ask. */
  readonly interactive: boolean;
  /** Asks on the terminal; elsewhere throws INPUT_REQUIRED naming the flag. */
  text(question: string, flag: string): Promise<string>;
  /** The same without echo. */
  secret(question: string, flag: string): Promise<string>;
  /**
   * One line of whatever comes in, from a terminal or not; undefined when nothing comes any more. Throws INTERRUPTED
   * when stopped.
   */
  line(signal: AbortSignal): Promise<string | undefined>;
  /** True with `--yes` or a yes on the terminal; elsewhere throws INPUT_REQUIRED. */
  confirm(question: string): Promise<boolean>;
}

export interface PromptOptions {
  /** False without a terminal, in CI and with `--no-input`. */
  readonly interactive: boolean;
  readonly yes: boolean;
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** Ends a question, and gives the terminal back its echo. */
  readonly signal?: AbortSignal;
}

export function createPrompt({ interactive, yes, input, output, signal: stop }: PromptOptions): Prompt {
  const need = (what: string, flag: string) => {
    if (!interactive)
      throw new PsnError("INPUT_REQUIRED", `required, but there is no interactive terminal to ask for it: ${what}`, {
        hint: `pass ${flag}`,
      });
  };
  const ask = async (words: string, muted: boolean) => {
    // Every question begins alike, so that one finds it among what a command says.
    const question = `? ${printable(words)} `;
    const lines = createInterface({ input, output: muted ? undefined : output, terminal: true });
    if (muted) output.write(question);
    try {
      return (await lines.question(muted ? "" : question, stop ? { signal: stop } : {})).trim();
    } finally {
      lines.close();
      if (muted) output.write("\n");
    }
  };
  return {
    interactive,
    text: async (question, flag) => {
      need(question, flag);
      return ask(asking(question), false);
    },
    secret: async (question, flag) => {
      need(question, flag);
      return ask(`${asking(question)} (not shown)`, true);
    },
    line: async (signal) => {
      const lines = createInterface({
        input,
        ...defined({ output: input.isTTY ? output : undefined, terminal: input.isTTY ? true : undefined }),
      });
      try {
        return await new Promise<string | undefined>((resolve, reject) => {
          lines.once("line", resolve);
          // At a terminal the end of input is somebody's, who does not want to go on.
          const stop = () => reject(new PsnError("INTERRUPTED", "stopped; nothing was changed"));
          lines.once("SIGINT", stop);
          lines.once("close", () => (input.isTTY ? stop() : resolve(undefined)));
          if (signal.aborted) reject(signal.reason);
          else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      } finally {
        lines.close();
      }
    },
    confirm: async (question) => {
      if (yes) return true;
      need(`your consent: ${question}`, "--yes");
      return /^y(es)?$/i.test(await ask(`${question} (y/N)`, false));
    },
  };
}

/** A question ends with its mark, anything else with a colon. */
const asking = (words: string): string => (words.endsWith("?") ? words : `${words}:`);

/**
 * A secret from `--<name>-stdin` or `--<name>-file` (`--stdin`, `--file` without a name), one line; undefined when
 * neither was given.
 */
export async function givenSecret(
  name: string,
  {
    fromStdin,
    file,
    stdin,
  }: { readonly fromStdin: boolean; readonly file: string | undefined; readonly stdin: () => Promise<Uint8Array> },
): Promise<string | undefined> {
  const flag = name === "" ? "--" : `--${name}-`;
  if (fromStdin && file !== undefined) throw new PsnError("USAGE", `use ${flag}stdin or ${flag}file, not both`);
  if (fromStdin) return oneLine(new TextDecoder().decode(await stdin()), `standard input`);
  if (file === undefined) return undefined;
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new PsnError("FILE_UNREADABLE", `${file} cannot be read`, {
      cause,
      hint: `check the path you gave to ${flag}file`,
    });
  });
  return oneLine(text, file);
}

function oneLine(text: string, from: string): string {
  const value = text.replace(/\r?\n$/, "");
  if (value === "" || /[\r\n]/.test(value))
    throw new PsnError("INPUT_INVALID", `${from} must contain only the secret, on one line`, {
      hint: `check the content of ${from}`,
    });
  return value;
}
