import { readdirSync, readFileSync } from "node:fs";
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
  /** `...(condition ? { … } : {})`, either way round; `defined` says it. */
  readonly conditionalSpreads: number;
  /** Lines over 120 columns, as `file:line`. */
  readonly wideLines: readonly string[];
  /** Lines of an edge (cli, trigger) that ask a store. */
  readonly storeCalls: readonly string[];
}

/** Columns of a line, and parameters of a function. */
const MOST_COLUMNS = 120;
const MOST_PARAMETERS = 3;

/** What is counted in the sources of a folder; tests are left out. */
export function sizesOf(root: string): Sizes {
  const names = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.(test|d)\.ts$/.test(name))
    .toSorted();
  const files = names.map((name) => ({ name, text: readFileSync(join(root, "src", name), "utf8") }));
  const lines = files.map(({ name, text }) => ({ name, lines: text.split("\n").length - 1 }));
  const ordered = lines.toSorted((a, b) => b.lines - a.lines);
  const eachLine = files.flatMap(({ name, text }) =>
    text.split("\n").map((line, index) => ({ name, at: `${name}:${index + 1}`, line })),
  );
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
    conditionalSpreads: files.reduce(
      (sum, { text }) =>
        sum +
        [
          ...text.matchAll(/\.\.\.\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\?(?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)/g),
        ].filter(([spread]) => /[?:]\s*\{\s*\}\s*[:)]/.test(spread)).length,
      0,
    ),
    wideLines: eachLine.flatMap(({ at, line }) => (line.length > MOST_COLUMNS ? [at] : [])),
    storeCalls: eachLine.flatMap(({ name, at, line }) =>
      /^(cli|trigger)\//.test(name) && /\bstores\b\s*[.}]|\.stores\b/.test(line) ? [at] : [],
    ),
  };
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
