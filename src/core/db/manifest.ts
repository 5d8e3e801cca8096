import { PsnError } from "@psn/core/errors.ts";
import { MANIFEST } from "@psn/core/own-files.ts";
import type { Difference } from "@psn/core/ports/upkeep.ts";
import type { Fact } from "./facts.ts";
import { mend } from "./mend.ts";

const HEAD =
  "# What the migrations make of an empty database. Made by `bun run manifest`, never by hand; psn doctor compares " +
  "with it.\n";
/** Kind, name and how it is; some kinds are two words. */
const LINE = /^((?:event|default|foreign|columns) \w+|\w+) (.*?): (.*)$/;

const keyOf = ({ kind, name }: Pick<Fact, "kind" | "name">) => `${kind} ${name}`;

/** The facts as a text, in an order that does not depend on the server. */
export function renderManifest(facts: readonly Fact[]): string {
  const lines = facts.map((fact) => `${keyOf(fact)}: ${fact.says}`);
  return `${HEAD}${[...lines].sort((a, b) => (a < b ? -1 : 1)).join("\n")}\n`;
}

/** Throws BUG for a file that is not what `bun run manifest` writes. */
export function parseManifest(text: string): readonly Fact[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, kind, name, says] = LINE.exec(line) ?? [];
      if (kind === undefined || name === undefined || says === undefined)
        throw new PsnError("BUG", `drizzle/manifest.txt has the line "${line}"`);
      return { kind, name, says, undo: null };
    });
}

export const readManifest = (): readonly Fact[] => parseManifest(MANIFEST);

/** What is not as the migrations made it, the most telling kinds first. */
export function differences(facts: readonly Fact[], manifest = readManifest()): readonly Difference[] {
  const must = new Map(manifest.map((fact) => [keyOf(fact), fact]));
  const is = new Map(facts.map((fact) => [keyOf(fact), fact]));
  // What belongs to a table that is too many, or that is gone, says nothing more.
  const tables = [...is.keys(), ...must.keys()].filter(
    (key) => key.startsWith("table ") && !(is.has(key) && must.has(key)),
  );
  const told = tables.map((key) => key.slice("table ".length));
  const ofThose = ({ kind, name }: Fact) =>
    ["columns of", "constraint", "index"].includes(kind) &&
    told.some((table) => name === table || name.endsWith(` on ${table}`) || name.startsWith(`${table}_`));
  const all = [
    ...facts.filter((fact) => must.get(keyOf(fact))?.says !== fact.says),
    ...manifest.filter((fact) => !is.has(keyOf(fact))),
  ];
  return all
    .filter((fact) => !ofThose(fact))
    .map((fact) => differenceOf(is.get(keyOf(fact)), must.get(keyOf(fact))))
    .sort((a, b) => place(a) - place(b));
}

/** What is told last. */
const LAST: readonly string[] = ["neighbour", "index", "constraint", "columns of"];
const place = ({ kind }: Difference) => -LAST.indexOf(kind);

function differenceOf(is: Fact | undefined, must: Fact | undefined): Difference {
  const { kind, name } = is ?? must ?? { kind: "", name: "" };
  // Only what the migrations make is put back without a person: what is too many may hold something, or be somebody's.
  const repairable = (must ? PUT_BACK : TAKEN_AWAY).includes(kind);
  return { kind, said: said(kind, { name, is, must }), sql: mend(is, must), repairable, severe: kind !== "neighbour" };
}

const TAKEN_AWAY = ["policy", "grant", "trigger", "default privileges"];
const PUT_BACK = [...TAKEN_AWAY, "table", "sequence", "function", "constraint", "index"];

function said(
  kind: string,
  { name, is, must }: { readonly name: string; readonly is: Fact | undefined; readonly must: Fact | undefined },
): string {
  const were = kind.endsWith("s") || kind.endsWith("s of") ? "were" : "was";
  if (!is) return `the ${kind} ${name} is missing`;
  if (kind === "foreign keys of") return `the foreign keys of ${name} are ${is.says}`;
  if (kind === "member") return `${name.replace(" of ", " was made a member of ")}`;
  if (kind === "neighbour")
    return `${name.replace(" of ", ", of another hub on this server, can use this database and is a member of ")}`;
  if (kind === "login") return `the login ${name} has more rights than a login of psn may have: ${is.says}`;
  if (!must) return `the ${kind} ${name} ${were} added: ${is.says}${meaning(kind, is.says)}`;
  const [now, before] = [is.says.split("; "), must.says.split("; ")];
  const [only, lost] = [now.filter((part) => !before.includes(part)), before.filter((part) => !now.includes(part))];
  const changed = `the ${kind} ${name} ${were} changed`;
  if (kind === "function" && only.every((part) => part.startsWith("body "))) return `${changed}: its body differs`;
  const parts = [
    only.length > 0 ? `it has "${only.join("; ")}"` : "",
    lost.length > 0 ? `it must have "${lost.join("; ")}"` : "",
  ];
  return `${changed}: ${parts.filter((part) => part !== "").join(", and ")}${meaning(kind, is.says)}`;
}

/** What a policy that asks nothing lets happen. */
function meaning(kind: string, says: string): string {
  const [, to] = /^AS PERMISSIVE FOR \w+ TO (.+?) (?:USING|WITH CHECK) \(true\)/.exec(says) ?? [];
  return kind === "policy" && to !== undefined ? `; ${to} can access every row` : "";
}
