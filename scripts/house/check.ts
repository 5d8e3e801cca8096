import { type Import, importsIn } from "./imports.ts";
import { layerOf, namedBy } from "./layers.ts";

/** What is wrong with the imports of a source file at this path, one line each. */
export function refusals(path: string, source: string): readonly string[] {
  const own = layerOf(path);
  if (!own) return [`${path} belongs to no layer: list its folder in scripts/house/layers.ts`];
  return importsIn(path, source).flatMap((one) => {
    const why = refusal(one, own);
    return why === undefined ? [] : [`${path}: ${why}`];
  });
}

/** What psn brings with it beside its sources. */
export const FILE = /^(drizzle|node_modules)\//;

function refusal(
  { from, to, isPackage }: Import,
  { name, room, layer }: NonNullable<ReturnType<typeof layerOf>>,
): string | undefined {
  if (FILE.test(to)) return layer.packages.includes("files") ? undefined : `${name} does not import the file ${to}`;
  if (isPackage || to === "package.json")
    return layer.packages.includes(to) ? undefined : `${name} does not import the package ${to}`;
  if (!to.startsWith("src/")) return `${from} imports ${to}, which is not in src`;
  const other = layerOf(to);
  if (!other) return `${to} belongs to no layer`;
  if (other.room === room) return undefined;
  return namedBy(layer.may).includes(other.name) && !(other.name === name)
    ? undefined
    : `${name} does not import ${other.room}`;
}
