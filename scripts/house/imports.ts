import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** One import of a source file. */
export interface Import {
  /** The file that imports, from the root of the project. */
  readonly from: string;
  /** A file of the project, from its root; or a package's name, `node:*` and `bun` among them. */
  readonly to: string;
  readonly isPackage: boolean;
  /** Imports nothing at run time. */
  readonly isType: boolean;
}

const STATEMENT =
  /^(?:import|export)\s+(type\s)?[^;"']*?from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;

/** What this source of the project imports, statically and by `import()`. */
export function importsIn(from: string, source: string): readonly Import[] {
  return [...source.matchAll(STATEMENT)].map(([, type, named, bare, dynamic]) => {
    const specifier = named ?? bare ?? dynamic ?? "";
    const isFile = specifier.startsWith(".") || specifier.startsWith("@psn/");
    const to = specifier.startsWith("@psn/") ? `src/${specifier.slice(5)}` : normalize(join(dirname(from), specifier));
    return { from, to: isFile ? to : packageOf(specifier), isPackage: !isFile, isType: type !== undefined };
  });
}

/** `@scope/name/file` is of `@scope/name`; all of Node's own modules are `node`. */
function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return "node";
  if (specifier === "bun" || specifier.startsWith("bun:")) return "bun";
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

/** All source files below src, tests left out, from the root of the project. */
export function sourceFiles(root: string): readonly string[] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.endsWith(".d.ts"))
    .map((name) => `src/${name}`)
    .sort();
}

export function importsOf(root: string): readonly Import[] {
  return sourceFiles(root).flatMap((name) => importsIn(name, readFileSync(join(root, name), "utf8")));
}
