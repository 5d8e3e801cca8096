/*
 * The words for what psn takes out of a file, and how they are found in texts that name their fields: XMP, PNG text
 * chunks, QuickTime keys, Matroska tags.
 */

/** In the order in which they are told. */
export const TAKEN = [
  "position",
  "camera serial number",
  "owner name",
  "comment",
  "preview picture",
  "camera data",
  "other metadata",
  "data behind the end",
] as const;
export type Taken = (typeof TAKEN)[number];

export interface Cleaned {
  readonly bytes: Uint8Array;
  /** What was taken out, each once, in the order of `TAKEN`; empty where nothing was. */
  readonly taken: readonly Taken[];
}

/** Each once, in the order of `TAKEN`. */
export const ordered = (found: Iterable<Taken>): readonly Taken[] => {
  const all = new Set(found);
  return TAKEN.filter((one) => all.has(one));
};

const OWNERS = [
  "owner|artist|author|creator(?!tool)|by-?line|credit|copyright|rights|person|publisher",
  String.raw`\xa9(ART|aut|cpy)|cprt|auth|perf`,
].join("|");

const SIGNS: readonly (readonly [Taken, RegExp])[] = [
  ["position", /gps|location|latitude|longitude|[^a-z](city|country|state|province|sublocation|geo)|\xa9xyz|loci/i],
  ["camera serial number", /[Ss]erial|SNum|Camera_?I[Dd]|[^a-zA-Z]CAME/],
  ["owner name", new RegExp(OWNERS, "i")],
  [
    "comment",
    /comment|description|caption|headline|title|subject|keyword|instructions|\xa9(cmt|des|nam)|dscp|titl|desc/i,
  ],
];

/** So much of a text is looked through for what it is about; all of it goes. */
const LOOKED = 1_000_000;

/**
 * What a text in which fields have names is about; `other metadata` where no name says it. Namespaces and RDF's own
 * words are no fields.
 */
export function takenIn(text: string): Taken[] {
  const fields = text
    .slice(0, LOOKED)
    .replaceAll(/xmlns:[\w-]+\s*=\s*("[^"]*"|'[^']*')|rdf:Description|https?:\/\/[^\s"'<>]*/g, "");
  const found = SIGNS.filter(([, sign]) => sign.test(` ${fields}`)).map(([taken]) => taken);
  return found.length > 0 ? found : ["other metadata"];
}

/** Of IPTC-IIM records (IIM 4.2, 2): what the data sets psn knows are about. */
export function takenInIptc(bytes: Uint8Array): Taken[] {
  const found = new Set<Taken>();
  for (let at = bytes.indexOf(0x1c); at >= 0 && at + 5 <= bytes.length; at = bytes.indexOf(0x1c, at + 1)) {
    if (bytes[at + 1] !== 2) continue;
    const set = bytes[at + 2] ?? 0;
    // 26 and 27 are places' codes and names, 90 to 101 city to country; 80, 85, 110, 116 by-line to copyright.
    if (set === 26 || set === 27 || (set >= 90 && set <= 101)) found.add("position");
    else if ([80, 85, 110, 115, 116, 118, 122].includes(set)) found.add("owner name");
    else if ([5, 25, 40, 105, 120].includes(set)) found.add("comment");
  }
  return found.size > 0 ? [...found] : ["other metadata"];
}
