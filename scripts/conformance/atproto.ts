import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { RichText as OfficialRichText } from "@atproto/api";
import { findFacets, mentionFacet, sortFacets } from "../../src/platforms/bluesky/facets.ts";
import type { Difference, Found } from "./difference.ts";

/*
 * atproto's own tests, with psn's detection in place of theirs: their file is run as it is but for its imports, which
 * lead here. A test does not end at its first difference.
 */

let asked = "";
let checks = 0;
let differences: Difference[] = [];

export class RichText extends OfficialRichText {
  override async detectFacets(): Promise<void> {
    const { text } = this;
    asked = text;
    const { facets, mentions } = findFacets(text);
    const known = mentions.map((mention) => mentionFacet(mention, `did:fake:${mention.handle}`));
    // As JSON psn's facets are the library's; its type also names their class.
    this.facets = sortFacets([...facets, ...known]) as unknown as NonNullable<OfficialRichText["facets"]>;
  }
}

export class AtpAgent {}
export const isTag = (feature: { $type?: string }) => feature.$type === "app.bsky.richtext.facet#tag";

const tests: (() => unknown)[] = [];
export function describe(_: string, body: () => void): void {
  body();
}
export function it(_: string, body: () => unknown): void {
  tests.push(body);
}
it.each =
  (rows: readonly (readonly unknown[])[]) =>
  (_: string, body: (...row: unknown[]) => unknown): void => {
    for (const row of rows) tests.push(() => body(...row));
  };
export const expect = (psn: unknown) => ({
  toEqual(suite: unknown) {
    checks += 1;
    if (!isDeepStrictEqual(psn, suite)) differences.push({ check: "Bluesky's marks", text: asked, suite, psn });
  },
});

export async function atprotoDifferences(path: string): Promise<Found> {
  [checks, differences] = [0, []];
  const folder = mkdtempSync(join(tmpdir(), "psn-conformance-"));
  try {
    const body = readFileSync(path, "utf8").replace(/^import [\s\S]*? from '[^']*';?$/gm, "");
    const here = JSON.stringify(import.meta.path);
    const source = `import { AtpAgent, RichText, describe, expect, isTag, it } from ${here};\n${body}`;
    writeFileSync(join(folder, "suite.ts"), source);
    await import(join(folder, "suite.ts"));
    for (const test of tests) await test();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { checks, differences };
}
