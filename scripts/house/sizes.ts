import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/*
 * The sizes that say whether the house stays one in which people find their way: counted by the text, without a parser.
 */

export interface Sizes {
  readonly files: number;
  /** Lines. */
  readonly median: number;
  readonly longest: readonly { readonly name: string; readonly lines: number }[];
  readonly over300: number;
  /** Lines of each platform's folder. */
  readonly platforms: Readonly<Record<string, number>>;
  /** Functions that take more than three parameters, as `file: name`. */
  readonly manyParameters: readonly string[];
  /** `...(condition ? { … } : {})`, either way round, and `...(condition && { … })`, as `file:line`. */
  readonly conditionalSpreads: readonly string[];
  /** Lines over 120 columns in all that is written by hand, tests and scripts included, as `file:line`. */
  readonly wideLines: readonly string[];
  /** Lines of an edge (cli, trigger) that ask a store. */
  readonly storeCalls: readonly string[];
}

/** Columns of a line, and parameters of a function. */
const MOST_COLUMNS = 120;
const MOST_PARAMETERS = 3;

/** Where lines are measured. */
const WRITTEN = ["src", "tests", "scripts", "bench"];
/**
 * The functions of the database: the check of a hub compares them with what Postgres says of those that landed
 * migrations have made (pg_get_functiondef), where every space inside a body counts.
 */
const LANDED = "src/core/db/functions/";
/** What Postgres wrote. */
const RECORDED = "tests/db/schema.sql";

/** What is counted in the sources of a folder; tests are left out, but for the width of their lines. */
export function sizesOf(root: string): Sizes {
  const names = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.(test|d)\.ts$/.test(name))
    .toSorted();
  const files = names.map((name) => ({ name, text: readFileSync(join(root, "src", name), "utf8") }));
  const lines = files.map(({ name, text }) => ({ name, lines: text.split("\n").length - 1 }));
  const ordered = lines.toSorted((a, b) => b.lines - a.lines);
  const eachLine = files.flatMap((file) => linesOf(file));
  const platformOf = (name: string) => /^platforms\/(?:kit\/)?(\w+)(?:\/|\.ts$)/.exec(name)?.[1];
  const platforms = [...new Set(names.flatMap((name) => /^platforms\/(\w+)\/index\.ts$/.exec(name)?.[1] ?? []))];
  return {
    files: files.length,
    median: ordered[Math.floor(ordered.length / 2)]?.lines ?? 0,
    longest: ordered.slice(0, 5),
    over300: lines.filter((one) => one.lines > 300).length,
    platforms: Object.fromEntries(
      platforms.map((id) => [
        id,
        lines.filter(({ name }) => platformOf(name) === id).reduce((sum, one) => sum + one.lines, 0),
      ]),
    ),
    manyParameters: files.flatMap(({ name, text }) => manyParametersIn(text).map((one) => `${name}: ${one}`)),
    conditionalSpreads: files.flatMap(({ name, text }) =>
      conditionalSpreadsIn(text).map((at) => `${name}:${text.slice(0, at).split("\n").length}`),
    ),
    wideLines: WRITTEN.flatMap((folder) => wideLinesIn(root, folder)),
    storeCalls: eachLine.flatMap(({ name, at, line }) =>
      /^(cli|trigger)\//.test(name) && /\bstores\b\s*[.}]|\.stores\b/.test(line) ? [at] : [],
    ),
  };
}

interface File {
  readonly name: string;
  readonly text: string;
}

const linesOf = ({ name, text }: File) =>
  text.split("\n").map((line, index) => ({ name, at: `${name}:${index + 1}`, line }));

function wideLinesIn(root: string, folder: string): readonly string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name}`)
    .filter((name) => /\.(ts|sql)$/.test(name) && !name.startsWith(LANDED) && name !== RECORDED)
    .toSorted()
    .flatMap((name) => linesOf({ name, text: readFileSync(join(root, name), "utf8") }))
    .flatMap(({ at, line }) => (columnsOf(line) > MOST_COLUMNS ? [at] : []));
}

const graphemes = new Intl.Segmenter();
/** One for each sign that a reader sees: a flag of fourteen UTF-16 units takes one place. */
const columnsOf = (line: string) => (line.length > MOST_COLUMNS ? [...graphemes.segment(line)].length : line.length);

const NESTED = String.raw`(?:[^()]|\((?:[^()]|\([^()]*\))*\))*`;
const SPREAD = new RegExp(String.raw`\.\.\.\(${NESTED}\)`, "g");

/** Where conditional spreads begin. */
function conditionalSpreadsIn(text: string): readonly number[] {
  return [...text.matchAll(SPREAD)]
    .filter(([spread]) => (spread.includes("?") && /[?:]\s*\{\s*\}\s*[:)]/.test(spread)) || /&&\s*\{/.test(spread))
    .map(({ index }) => index);
}

const HEAD =
  /\bfunction\b\*?\s*(\w*)\s*(?:<[^(]*>)?\(|(\w+)\s*[:=]\s*(?:async\s*)?(?:<[^(]*>)?\(|^\s+(?:async\s+)?\*?(\w+)\(/gm;

function manyParametersIn(text: string): readonly string[] {
  return [...text.matchAll(HEAD)].flatMap((found) => {
    const open = found.index + found[0].length;
    const close = closing(text, open);
    const after = text.slice(close + 1, close + 200);
    const isFunction = found[1] !== undefined || /^\s*(?::[^=;]*?)?(=>|\{)/.test(after);
    if (!isFunction || /^(if|for|while|switch|catch|return)$/.test(found[3] ?? "")) return [];
    const name = found[1] ?? found[2] ?? found[3] ?? "";
    return parameters(text.slice(open, close)) > MOST_PARAMETERS ? [name] : [];
  });
}

/** Where the bracket that was opened before `from` is closed. */
function closing(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if ("([{".includes(text[at] ?? "")) depth++;
    if (")]}".includes(text[at] ?? "")) depth--;
    if (depth === 0) return at;
  }
  return text.length;
}

function parameters(list: string): number {
  let depth = 0;
  let count = 0;
  let isEmpty = true;
  for (const [at, sign] of [...list].entries()) {
    if ("([{<".includes(sign)) depth++;
    if (")]}".includes(sign) || (sign === ">" && list[at - 1] !== "=")) depth--;
    if (sign === "," && depth === 0) {
      count += isEmpty ? 0 : 1;
      isEmpty = true;
    } else if (!/\s/.test(sign)) isEmpty = false;
  }
  return count + (isEmpty ? 0 : 1);
}
