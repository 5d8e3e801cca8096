import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/* A word of the glossary (src/core/types/index.ts) means one thing: which exported names may hold it, and where. */

const SRC = fileURLToPath(new URL("../src", import.meta.url));

interface Word {
  readonly word: RegExp;
  /** The only meaning; a name that has another one is to be renamed. */
  readonly means: string;
  /** Where such names may be exported. */
  readonly where: RegExp;
  /** The names, where a place alone does not tell the meaning. */
  readonly names?: RegExp;
}

const WORDS: readonly Word[] = [
  { word: /compose/i, means: "shape a post into units", where: /^(platforms|domain|core\/types)\// },
  {
    word: /(?<!re)mov(e|ing)(?!d?By)/i,
    means: "give a post another time",
    where: /^(app|cli)\//,
    names: /^(move|moveDocument|MoveDocument)$/,
  },
  {
    word: /settle/i,
    means: "find out what became of a missing answer",
    where: /^(app|domain|trigger|queue|core)\//,
    names: /^(settleUnknown|settleQueue|settlement|Settlement|SETTLE_\w+)$/,
  },
  {
    word: /archive/i,
    means: "an exported hub",
    where: /^(app\/(transfer-hub|archive-lines)|core\/(archive-file|types\/transfer))\.ts$/,
  },
  { word: /hubFile/i, means: "hub.env or keys.env", where: /^(wiring|core\/utils|cli|app)\// },
  { word: /wake(up|-up)/i, means: "a request to look at a delivery", where: /^/, names: /[wW]akeUp/ },
  { word: /handle(?!r)/i, means: "the name of an account", where: /^/, names: /^\w+Handle$/ },
];

interface Exported {
  readonly file: string;
  readonly name: string;
}

function exportedNames(): readonly Exported[] {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => /(?<!\.test)\.ts$/.test(file));
  const head = /^export (?:async )?(?:function\*?|const|interface|type|class) (\w+)/gm;
  return files.flatMap((file) =>
    [...readFileSync(join(SRC, file), "utf8").matchAll(head)].map(([, name = ""]) => ({ file, name })),
  );
}

/** Names that hold a word and do not mean what it means. */
function others({ word, where, names = /^/ }: Word, exported: readonly Exported[]): readonly string[] {
  return exported
    .filter(({ file, name }) => word.test(name) && !(where.test(file) && names.test(name)))
    .map(({ file, name }) => `${file}: ${name}`);
}

test.each(WORDS)("$word means: $means", (one) => {
  expect(others(one, exportedNames())).toEqual([]);
});

test.each([
  ["compose", { file: "wiring/hub.ts", name: "composeHub" }],
  ["move", { file: "app/transfer-hub.ts", name: "movedHub" }],
  ["settle", { file: "app/run-worker.ts", name: "settleWrites" }],
  ["archive", { file: "cli/draft.ts", name: "archiveOf" }],
  ["hub file", { file: "core/archive-file.ts", name: "readHubFile" }],
  ["wake-up", { file: "app/wake-up.ts", name: "wakeup" }],
  ["handle", { file: "core/types/delivery.ts", name: "handleOfRequest" }],
])("another meaning of %s is found", (_word, name) => {
  expect(WORDS.flatMap((one) => others(one, [name]))).toHaveLength(1);
});
