import { randomInt } from "node:crypto";
import { inspect } from "node:util";
import type { PsnError } from "@psn/core/errors.ts";
import { printable, printableJson } from "@psn/core/utils/printable.ts";

/*
 * The one door to stdout and stderr. Whatever comes to it may be a server's, a file's or an author's, so all of it is
 * made printable here, and psn's own colours are put in afterwards. tests/cli/one-door.test.ts proves that nothing else
 * writes.
 */

/** A stream as far as output needs it. */
export interface Sink {
  readonly isTTY: boolean;
  /** How wide the terminal is. */
  readonly columns?: number | undefined;
  write(text: string): void;
}

/** What a person reads: a string is one line, whatever is in it; more lines are a list. */
export type Lines = string | readonly Lines[];

export type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

/**
 * The only writer: data on stdout, everything else on stderr; with `--json` one document on stdout and nothing else
 * there.
 */
export interface Output<Document = unknown> {
  readonly json: boolean;
  /** True when stderr is a terminal, where progress is worth showing. */
  readonly interactive: boolean;
  /** How many columns a line of stdout may have; undefined where stdout is no terminal. */
  readonly screen: number | undefined;
  /**
   * The command's result, once: the document for `--json`, the lines for a person; no lines, or an empty one, write
   * nothing.
   */
  result(document: Document, lines: () => Lines): void;
  /** For a person, on stderr: progress, the next command. Silent with `--json`. */
  note(lines: Lines): void;
  /** What the command waits for somebody to do, on stderr, also with `--json`. */
  request(lines: Lines): void;
  failure(error: PsnError): void;
  /**
   * Draws one line of stderr in place of the one drawn before, above which notes go on; undefined takes it away. False
   * where nothing can be drawn: no terminal, a dumb one, one without colours, `--json`.
   */
  draw(line: string | undefined): boolean;
  /** Marks text for the streams that show colours; the others show it plain. */
  style(style: Style, text: string): string;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Undefined: each stream's being a terminal decides. */
  readonly color: boolean | undefined;
}

/** A terminal that does not tell how wide it is has 80 columns; below 60 lines wrap. */
const USUAL_COLUMNS = 80;
const LEAST_COLUMNS = 60;

/** What stands in the last line of stderr. Of the process and not of one output: another one tells a failure. */
let drawn: string | undefined;

export function createOutput({ json, stdout, stderr, color }: OutputOptions): Output {
  const draw = (line: string | undefined) => {
    if (json || !stderr.isTTY || color === false) return false;
    const shown = line === undefined ? "" : clip(line, (stderr.columns ?? USUAL_COLUMNS) - 1);
    if (line !== drawn) stderr.write(`\r\x1b[K${shown}`);
    drawn = line;
    return true;
  };
  /** What is drawn makes room for a line. */
  const write = (sink: Sink, lines: Lines) => {
    const kept = drawn;
    if (kept !== undefined) draw(undefined);
    say(sink, lines, color ?? sink.isTTY);
    if (kept !== undefined) draw(kept);
  };
  const writeDocument = (document: unknown) => stdout.write(`${printableJson(JSON.stringify(document, null, 2))}\n`);
  return {
    json,
    interactive: stderr.isTTY && !json,
    screen: stdout.isTTY ? Math.max(LEAST_COLUMNS, stdout.columns ?? USUAL_COLUMNS) : undefined,
    result(document, lines) {
      if (json) return writeDocument(document);
      draw(undefined);
      const all = flat(lines());
      if (all.some((line) => line !== "")) write(stdout, all);
    },
    note(lines) {
      if (!json) write(stderr, lines);
    },
    request(lines) {
      write(stderr, lines);
    },
    draw,
    failure(error) {
      draw(undefined);
      if (json) return writeDocument({ error });
      // What happened, what helps.
      write(stderr, `${styled("red", "✗")} ${error.message} ${styled("dim", `(${error.code})`)}`);
      if (error.hint !== undefined) write(stderr, `  ${styled("dim", "→")} ${error.hint}`);
    },
    style: styled,
  };
}

/** Writes lines to a stream, made printable; psn's own colours where `color` is wanted. */
export function say(sink: Sink, lines: Lines, color = false): void {
  const paint = (code: string) => (color ? `\x1b[${code}m` : "");
  const written = flat(lines).map((line) => pieces(line, paint));
  if (written.length > 0) sink.write(`${written.join("\n")}\n`);
}

/** With an empty line between them. */
export function paragraphs(parts: readonly Lines[]): Lines {
  return parts.map((part, index) => (index === 0 ? part : ["", part]));
}

function flat(lines: Lines): readonly string[] {
  return typeof lines === "string" ? [lines] : lines.flatMap(flat);
}

/*
 * psn's own colours have a number in them that nobody else can know: drawn again in each process. To what measures a
 * line they are the colour sequences that they become.
 */
const OWN = String(randomInt(2 ** 47, 2 ** 48 - 1));
const MARK = new RegExp(`\\x1b\\[${OWN};(\\d+)m`);

const mark = (code: number | string) => `\x1b[${OWN};${code}m`;

function styled(style: Style, text: string): string {
  const [open, close] = inspect.colors[style] ?? [0, 0];
  return text === "" ? "" : `${mark(open)}${text}${mark(close)}`;
}

/** Printable, with what `paint` makes of psn's own marks between. */
function pieces(line: string, paint: (code: string) => string): string {
  return line
    .split(MARK)
    .map((piece, index) => (index % 2 === 0 ? printable(piece) : paint(piece)))
    .join("");
}

/** What an author wrote, line by line. */
export function textLines(text: string): readonly string[] {
  return text.split(/\r\n|[\n\v\f\r\x85\u2028\u2029]/);
}

/** At most this many columns of one line, for a list. */
export function clip(text: string, columns: number): string {
  const line = printable(text.replaceAll(/\s+/g, " ").trim());
  if (Bun.stringWidth(line) <= columns) return line;
  let cut = "";
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    if (Bun.stringWidth(cut + segment) > columns - 1) break;
    cut += segment;
  }
  return `${cut}…`;
}
