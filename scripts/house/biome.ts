import { LAYERS, namedBy } from "./layers.ts";

/*
 * The table of layers as Biome's overrides. A pattern takes back what one before it refused, as in .gitignore; to name
 * a file, the folders above it are named too, each of which lets nothing else in.
 */

/** The text of biome.layers.json. */
export function biomeLayers(): string {
  const overrides = [
    {
      includes: ["src/**"],
      ...refusing(["**"], "This folder belongs to no layer: list it in scripts/house/layers.ts."),
    },
    ...byDepth().map((name) => override(name)),
  ];
  return `${JSON.stringify({ overrides }, null, 2)}\n`;
}

/** The general before the particular: of Biome's overrides the last one counts. */
function byDepth(): readonly string[] {
  const depth = (name: string) => name.split("/").length * 2 + (name.includes("*") ? 0 : 1);
  return Object.keys(LAYERS).toSorted((a, b) => depth(a) - depth(b));
}

function override(name: string) {
  const { may = [], packages = [], holds = "" } = LAYERS[name] ?? {};
  const isFile = name.endsWith(".ts");
  const group = [
    "**",
    ...(isFile ? [] : ["!./**"]),
    ...(isFile || name.includes("*")
      ? []
      : [...above(`@psn/${name}`), `@psn/${name}`, `@psn/${name}/**`].map((each) => `!${each}`)),
    ...packages.flatMap(packagePatterns),
    ...namedBy(may).flatMap((other) => layerPatterns(name, other)),
    ...Object.keys(LAYERS).flatMap((other) =>
      isWithin(other, name) && !namedBy(may).includes(other) ? [relative(name, other), `@psn/${other}`] : [],
    ),
    ...namedBy(may).flatMap((other) =>
      Object.keys(LAYERS).flatMap((inner) =>
        isWithin(inner, other) && !namedBy(may).includes(inner) ? [`@psn/${inner}`] : [],
      ),
    ),
  ];
  return {
    includes: [isFile ? `src/${name}` : `src/${name}/**`],
    ...refusing([...new Set(group)], `${name} holds ${holds}; what it may import is in scripts/house/layers.ts.`),
  };
}

const refusing = (group: readonly string[], message: string) => ({
  linter: {
    rules: { style: { noRestrictedImports: { level: "error", options: { patterns: [{ group, message }] } } } },
  },
});

function packagePatterns(name: string): readonly string[] {
  if (name === "package.json") return ["!../package.json", "!../../package.json", "!../../../package.json"];
  if (name === "files") return ["!../../drizzle/**", "!../../node_modules/**"];
  if (name === "node" || name === "bun") return [`!${name}`, `!${name}:*`, `!${name}:*/**`];
  return [...above(name), name, `${name}/**`].map((each) => `!${each}`);
}

/** A layer by its path, and by `./` where it lies beside. */
function layerPatterns(from: string, to: string): readonly string[] {
  const path = `@psn/${to}`;
  const beside = relative(from, to);
  const all = [...above(path), path, ...(beside.startsWith("./") ? [beside] : [])];
  const below = to.endsWith(".ts") ? [] : [`${path}/**`, ...(beside.startsWith("./") ? [`${beside}/**`] : [])];
  return [...all, ...below].map((each) => `!${each}`);
}

/** The folders above, the highest first. */
function above(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

const isWithin = (inner: string, outer: string) =>
  inner !== outer && !outer.endsWith(".ts") && inner.startsWith(`${outer}/`);

/** `./tasks.ts` for wiring/tasks.ts as seen from wiring; the name itself where it lies elsewhere. */
function relative(from: string, to: string): string {
  const folder = from.endsWith(".ts") ? from.slice(0, from.lastIndexOf("/")) : from;
  return to.startsWith(`${folder}/`) ? `./${to.slice(folder.length + 1)}` : to;
}
