import { PsnError } from "@psn/core/errors.ts";

/*
 * The text of a `.env` file: read, and changed without losing what its owner wrote around the values. Pure.
 *
 * The rules are those dotenv and the shell agree on: `NAME=value`, `export` before it, spaces around `=`, whole-line
 * and inline comments, three kinds of quotes that may span lines, no expansion of `$NAME`. Where they differ, psn keeps
 * what is in the value: `#` begins a comment only after a space or a tab, as in a shell, so that a password with a `#`
 * in it is not cut.
 *
 * What psn writes into a file whose lines end in a line feed alone means the same to a shell that sources it. Within
 * quotes a carriage return belongs to the value where the line behind the closing quote ends in a line feed alone;
 * elsewhere it is a line break of the file.
 */

export interface EnvEntry {
  readonly name: string;
  readonly value: string;
  readonly file: string;
  /** Where the entry begins; the first line is 1. */
  readonly line: number;
}

/** An entry and where it stands in the text, as offsets of UTF-16 units. */
interface Statement extends EnvEntry {
  /** The first character of its first line. */
  readonly start: number;
  /** Behind the line break of its last line. */
  readonly end: number;
  /** The value as written, quotes included, without the comment behind it. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

interface Scan {
  readonly statements: readonly Statement[];
  /** Where a commented-out `# NAME=` ends, for each name: a good place to put its value. */
  readonly offered: ReadonlyMap<string, number>;
  /** The first one outside of values. */
  readonly lineBreak: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const ASSIGNMENT = /[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=/y;
const OFFER = /^[ \t]*#[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=/;
const LINE_END = /\r\n?|\n|$/g;
/** What needs no quotes in a shell either, so that the file can be sourced. */
const PLAIN = /^[A-Za-z0-9_./:@%+,=-]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must be escaped.
const CONTROL = /[\u0000-\u001f\u007f]/;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\", '"': '"', $: "$", "`": "`" };

/**
 * The entries of a file in their order; a name may come twice.
 *
 * @param file named in errors and origins.
 * @throws PsnError CONFIG_INVALID with file and line for what cannot be read; no value is ever repeated.
 */
export function parseEnvFile(text: string, file: string): EnvEntry[] {
  return scan(text, file).statements.map(({ name, value, line }) => ({ name, value, file, line }));
}

/**
 * The text with this value, in place of the old one and with everything else as it was, comments and order included. A
 * new name goes below its commented-out line if there is one, else to the end. Earlier entries of the same name go,
 * since they have no effect.
 *
 * @throws PsnError INPUT_INVALID when the name cannot be one, CONFIG_INVALID when the text cannot be read.
 */
export function setEnvValue(
  text: string,
  { name, value, file = "the file" }: { readonly name: string; readonly value: string; readonly file?: string },
): string {
  if (!NAME.test(name)) {
    throw new PsnError("INPUT_INVALID", "A name is made of letters, digits and _, and does not begin with a digit.");
  }
  const { statements, offered, lineBreak: common } = scan(text, file);
  const mine = statements.filter((statement) => statement.name === name);
  const effective = mine.at(-1);
  if (effective === undefined)
    return insert(text, {
      at: offered.get(name) ?? text.length,
      last: statements.at(-1),
      lineBreak: common,
      line: (end) => `${name}=${written(value, end)}`,
    });
  const gap = text.charAt(effective.valueEnd) === "#" ? " " : "";
  const eol = endOfLine(text, effective.valueEnd);
  const lineBreak = text.slice(eol.at, eol.next);
  // How a value is read depends on the line break behind it.
  const added = lineBreak === "" && CONTROL.test(value) ? common : "";
  const changed =
    text.slice(0, effective.valueStart) +
    written(value, lineBreak || added) +
    gap +
    text.slice(effective.valueEnd) +
    added;
  return cut(changed, mine.slice(0, -1));
}

/**
 * The text without any entry of this name, and with everything else as it was.
 *
 * @throws PsnError CONFIG_INVALID when the text cannot be read.
 */
export function unsetEnvValue(text: string, name: string, file = "the file"): string {
  return cut(
    text,
    scan(text, file).statements.filter((statement) => statement.name === name),
  );
}

function cut(text: string, statements: readonly Statement[]): string {
  return statements.toReversed().reduce((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), text);
}

function insert(
  text: string,
  {
    at,
    last,
    lineBreak,
    line,
  }: {
    readonly at: number;
    readonly last: Statement | undefined;
    readonly lineBreak: string;
    readonly line: (lineBreak: string) => string;
  },
): string {
  const before = text.slice(0, at);
  const open = before !== "" && before !== "\uFEFF" && !/[\r\n]$/.test(before);
  // The carriage returns of an unfinished last line were read as line breaks, and still are.
  const end = last?.end === at && text.slice(last.start).includes("\r") ? "\r\n" : lineBreak;
  return `${before}${open ? end : ""}${line(lineBreak)}${lineBreak}${text.slice(at)}`;
}

/**
 * A value as it must stand in the file. Single quotes keep everything as it is, here and in a shell. Where lines end in
 * a carriage return it is escaped, which only psn reads back: a shell cannot source such a file.
 */
function written(value: string, lineBreak: string): string {
  if (PLAIN.test(value)) return value;
  const isEscaped = lineBreak !== "\n" && CONTROL.test(value);
  if (!(value.includes("'") || isEscaped)) return `'${value}'`;
  const quoted = value.replace(/[\\"$`]/g, "\\$&");
  return `"${isEscaped ? quoted.replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t") : quoted}"`;
}

function scan(text: string, file: string): Scan {
  const statements: Statement[] = [];
  const offered = new Map<string, number>();
  let position = text.startsWith("\uFEFF") ? 1 : 0;
  let line = 1;
  let lineBreak: string | undefined;
  while (position < text.length) {
    const eol = endOfLine(text, position);
    const content = text.slice(position, eol.at);
    const first = content.trimStart().charAt(0);
    if (first === "" || first === "#") {
      const offer = OFFER.exec(content)?.[1];
      if (offer !== undefined) offered.set(offer, eol.next);
      lineBreak ??= text.slice(eol.at, eol.next) || undefined;
      position = eol.next;
      line += 1;
      continue;
    }
    const statement = readStatement(text, { start: position, file, line });
    statements.push(statement);
    lineBreak ??= /(?:\r\n?|\n)$/.exec(text.slice(statement.valueEnd, statement.end))?.[0];
    line += [...text.slice(position, statement.end).matchAll(/\r\n?|\n/g)].length;
    position = statement.end;
  }
  return { statements, offered, lineBreak: lineBreak ?? "\n" };
}

function readStatement(
  text: string,
  { start, file, line }: { readonly start: number; readonly file: string; readonly line: number },
): Statement {
  ASSIGNMENT.lastIndex = start;
  const name = ASSIGNMENT.exec(text)?.[1];
  if (name === undefined) {
    const hint = "write NAME=value; a name consists of letters, digits and _; a comment begins with #";
    throw new PsnError("CONFIG_INVALID", `${file}:${line} is not of the form NAME=value.`, { hint });
  }
  const behindSign = ASSIGNMENT.lastIndex;
  const valueStart = skipBlanks(text, behindSign);
  const quote = text.charAt(valueStart);
  if (quote !== '"' && quote !== "'" && quote !== "`") {
    const eol = endOfLine(text, behindSign);
    const raw = text.slice(behindSign, eol.at);
    const comment = raw.search(/[ \t]#/);
    const value = trimBlanks(comment === -1 ? raw : raw.slice(0, comment));
    const from = value === "" ? behindSign : valueStart;
    return { name, value, file, line, start, end: eol.next, valueStart: from, valueEnd: from + value.length };
  }
  const close = closingQuote(text, valueStart + 1, quote);
  if (close === -1) {
    const hint =
      `add a closing ${quote}; or, if the ${quote} is part of the value, put the whole value into ` +
      `another kind of quotes`;
    throw new PsnError(
      "CONFIG_INVALID",
      `${file}:${line}: the value of ${name} begins with ${quote}, but the closing ${quote} is missing.`,
      {
        hint,
      },
    );
  }
  const eol = endOfLine(text, close + 1);
  if (!/^[ \t]*(?:#.*)?$/.test(text.slice(close + 1, eol.at))) {
    const hint = `put the whole value between one pair of quotes that the value does not contain: '…', "…" or \`…\``;
    throw new PsnError("CONFIG_INVALID", `${file}:${line}: something follows the closing quote of ${name}.`, { hint });
  }
  const raw = text.slice(valueStart + 1, close);
  const inner = text.slice(eol.at, eol.next) === "\n" ? raw : raw.replace(/\r\n?/g, "\n");
  const value =
    quote === '"' ? inner.replace(/\\([nrt\\"$`])/g, (_, letter: string) => ESCAPES[letter] ?? letter) : inner;
  return { name, value, file, line, start, end: eol.next, valueStart, valueEnd: close + 1 };
}

function closingQuote(text: string, from: number, quote: string): number {
  if (quote !== '"') return text.indexOf(quote, from);
  for (let at = from; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "\\") at += 1;
    else if (character === quote) return at;
  }
  return -1;
}

function endOfLine(text: string, from: number): { readonly at: number; readonly next: number } {
  LINE_END.lastIndex = from;
  const match = LINE_END.exec(text);
  const at = match?.index ?? text.length;
  return { at, next: at + (match?.[0].length ?? 0) };
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text.charAt(at) === " " || text.charAt(at) === "\t") at += 1;
  return at;
}

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}
