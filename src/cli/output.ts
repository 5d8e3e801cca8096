import { styleText } from "node:util";
import type { PsnError } from "@psn/core/errors.ts";

/** A stream as far as output needs it. */
export interface Sink {
  readonly isTTY: boolean;
  write(text: string): void;
}

export type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

/** The only writer: data on stdout, everything else on stderr; with `--json` one document on stdout and nothing else there. */
export interface Output {
  readonly json: boolean;
  /** True when stderr is a terminal, where progress is worth showing. */
  readonly interactive: boolean;
  /** The command's result, once: the document for `--json`, the lines for a person. */
  result(document: unknown, lines: () => string): void;
  /** For a person, on stderr: progress, the next command. Silent with `--json`. */
  note(line: string): void;
  /** What the command waits for somebody to do, on stderr, also with `--json`. */
  request(line: string): void;
  failure(error: PsnError): void;
  /** Decorates for stdout where that is a terminal and colour is wanted. */
  style(style: Style, text: string): string;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Undefined: each stream's being a terminal decides. */
  readonly color: boolean | undefined;
}

export function createOutput({ json, stdout, stderr, color }: OutputOptions): Output {
  const paint = (sink: Sink, style: Style, text: string) =>
    (color ?? sink.isTTY) ? styleText(style, text, { validateStream: false }) : text;
  return {
    json,
    interactive: stderr.isTTY && !json,
    result(document, lines) {
      const text = json ? JSON.stringify(document, null, 2) : printable(lines());
      if (text !== "") stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    },
    note(line) {
      if (!json) stderr.write(`${printable(line)}\n`);
    },
    request(line) {
      stderr.write(`${printable(line)}\n`);
    },
    failure(error) {
      if (json) {
        stdout.write(`${JSON.stringify({ error }, null, 2)}\n`);
        return;
      }
      // Three lines at most: what happened, what helps.
      stderr.write(`${paint(stderr, "red", "✗")} ${printable(oneLine(error.message))} ${paint(stderr, "dim", `(${error.code})`)}\n`);
      if (error.hint !== undefined) stderr.write(`  ${paint(stderr, "dim", "→")} ${error.hint}\n`);
    },
    style: (style, text) => paint(stdout, style, text),
  };
}

/** A handle or a server's answer must not move the cursor or rename the window: of all control sequences only colours pass. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are taken out
  return text.replaceAll(/\x1b(?!\[[\d;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]/g, "");
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, " ");
}

const GAP = 2;

/** Columns as wide as their widest cell, by what a terminal shows and not by string length. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, Bun.stringWidth(cell));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell + " ".repeat((widths[i] ?? 0) - Bun.stringWidth(cell) + GAP))
      .join("")
      .trimEnd();
  return rows.map(line).join("\n");
}

/** At most this many columns of one line, for a list. */
export function clip(text: string, columns: number): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  if (Bun.stringWidth(line) <= columns) return line;
  let cut = "";
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    if (Bun.stringWidth(cut + segment) > columns - 1) break;
    cut += segment;
  }
  return `${cut}…`;
}
