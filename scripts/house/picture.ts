import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FILE } from "./check.ts";
import { importsOf, sourceFiles } from "./imports.ts";
import { layerOf } from "./layers.ts";

/** One layer as it is: what it holds, and which layers its files import. */
export interface Room {
  readonly name: string;
  readonly holds: string;
  readonly files: number;
  readonly lines: number;
  /** Names of layers, each with how many imports lead there. */
  readonly imports: ReadonlyMap<string, number>;
}

export interface House {
  /** The edges first: each room stands above everything it imports. */
  readonly rooms: readonly (Room & { readonly level: number })[];
  /** `a -> b` for each import that leads from a room to one that is not below it. */
  readonly upward: readonly string[];
  /** Each circle of files that import one another, types included. */
  readonly circles: readonly (readonly string[])[];
}

export function surveyed(root: string): House {
  const files = sourceFiles(root);
  const imports = importsOf(root).filter(({ isPackage, to }) => !isPackage && to !== "package.json" && !FILE.test(to));
  const nameOf = (path: string) => layerOf(path)?.name ?? "(none)";
  const names = [...new Set(files.map(nameOf))];
  const rooms = names.map((name): Room => {
    const own = files.filter((file) => nameOf(file) === name);
    const leading = imports
      .filter(({ from, to }) => nameOf(from) === name && nameOf(to) !== name)
      .map(({ to }) => nameOf(to));
    const counts = Map.groupBy(leading, (to) => to);
    return {
      name,
      holds: layerOf(own[0] ?? "")?.layer.holds ?? "",
      files: own.length,
      lines: own.reduce((sum, file) => sum + readFileSync(join(root, file), "utf8").split("\n").length - 1, 0),
      imports: new Map([...counts].map(([to, all]) => [to, all.length])),
    };
  });
  const levels = levelsOf(new Map(rooms.map(({ name, imports: to }) => [name, [...to.keys()]])));
  const level = (name: string) => levels.get(name) ?? 0;
  return {
    rooms: rooms
      .map((room) => ({ ...room, level: level(room.name) }))
      .toSorted((a, b) => b.level - a.level || a.name.localeCompare(b.name)),
    upward: rooms.flatMap(({ name, imports: to }) =>
      [...to.keys()].flatMap((other) => (level(other) < level(name) ? [] : [`${name} -> ${other}`])),
    ),
    circles: circlesIn(Map.groupBy(imports, ({ from }) => from)),
  };
}

/** How many rooms stand below one another under each; the rooms of a circle stand on one level. */
function levelsOf(graph: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, number> {
  const levels = new Map<string, number>();
  const visit = (name: string, path: readonly string[]): number => {
    const known = levels.get(name);
    if (known !== undefined) return known;
    const below = (graph.get(name) ?? []).filter((other) => !path.includes(other));
    const level = below.length === 0 ? 0 : 1 + Math.max(...below.map((other) => visit(other, [...path, name])));
    levels.set(name, level);
    return level;
  };
  for (const name of graph.keys()) visit(name, []);
  return levels;
}

/** Tarjan's strongly connected components of more than one file. */
function circlesIn(graph: ReadonlyMap<string, readonly { readonly to: string }[]>): readonly (readonly string[])[] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string) => {
    index.set(file, index.size);
    low.set(file, index.get(file) ?? 0);
    stack.push(file);
    for (const { to } of graph.get(file) ?? []) {
      if (!index.has(to)) visit(to);
      if (stack.includes(to)) low.set(file, Math.min(low.get(file) ?? 0, low.get(to) ?? 0));
    }
    if (low.get(file) !== index.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) found.push(circle);
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
}

/** The rooms and their arrows, for docs/architecture.md and `bun run house`. */
export function picture({ rooms }: House): string {
  const width = Math.max(...rooms.map(({ name }) => name.length));
  return rooms
    .map(({ level, name, imports }) =>
      `${String(level).padStart(2)}  ${name.padEnd(width)}  ${short([...imports.keys()])}`.trimEnd(),
    )
    .join("\n");
}

/** `core/{errors.ts, types}` for several of one folder. */
function short(names: readonly string[]): string {
  const folders = Map.groupBy(names.toSorted(), (name) => (name.startsWith("core/") ? "core/" : name));
  return [...folders]
    .map(([folder, all]) =>
      all.length === 1 ? all[0] : `${folder}{${all.map((name) => name.slice(folder.length)).join(", ")}}`,
    )
    .join(", ");
}
