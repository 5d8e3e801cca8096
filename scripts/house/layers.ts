/** A room of the house: a folder or a file below src, and what it may import. */
export interface Layer {
  /** Other layers, by their names in this table. Files below the same layer are always allowed. */
  readonly may: readonly string[];
  /**
   * npm packages; `node` and `bun` stand for the modules of the runtime, `package.json` for psn's own,
   * and `files` for files of psn that are no source.
   */
  readonly packages: readonly string[];
  /** What belongs here. */
  readonly holds: string;
}

const VOCABULARY = ["core/types", "core/errors.ts"];

/**
 * Who may import whom: what is not in this table is forbidden. tests/layers.test.ts checks every import against it;
 * Biome's overrides (biome.json) and the picture in docs/architecture.md are generated from it (`bun run docs`).
 *
 * A name is a folder or a file below src. `*` stands for the name of one folder, and each of these is a layer of its
 * own: a platform does not import another one. The most specific name counts.
 */
export const LAYERS: Readonly<Record<string, Layer>> = {
  "core/errors.ts": { may: [], packages: [], holds: "every error psn can report" },
  "core/types": { may: ["core/errors.ts"], packages: [], holds: "the vocabulary" },
  "core/ports": { may: VOCABULARY, packages: [], holds: "what the use cases need of the outside" },
  "core/net": {
    may: VOCABULARY,
    packages: ["node", "structured-headers", "package.json"],
    holds: "requests, and what is read of an answer",
  },
  "core/utils": {
    may: VOCABULARY,
    packages: ["node", "bun", "zod", "image-size", "mediabunny", "fastest-levenshtein"],
    holds: "files, settings, media, ciphers",
  },
  "core/utils/crypto.ts": { may: VOCABULARY, packages: ["node"], holds: "AES-256-GCM, and the hub's key" },
  "core/vault.ts": {
    may: [...VOCABULARY, "core/ports", "core/utils", "core/utils/crypto.ts"],
    packages: ["node"],
    holds: "sealed tokens",
  },
  "core/archive-file.ts": {
    may: [...VOCABULARY, "core/utils"],
    packages: ["node", "age-encryption"],
    holds: "the archive of a hub",
  },
  "core/bucket": { may: [...VOCABULARY, "core/ports", "core/net"], packages: ["node"], holds: "S3" },
  "core/own-files.ts": {
    may: [],
    packages: ["node", "files"],
    holds: "the index of the files that psn brings with it",
  },
  "core/db": {
    may: [...VOCABULARY, "core/ports", "core/utils", "core/net", "core/vault.ts", "core/own-files.ts"],
    packages: [
      "node",
      "drizzle-orm",
      "pg",
      "@neondatabase/serverless",
      "ws",
      "@electric-sql/pglite",
      "@electric-sql/pglite-socket",
    ],
    holds: "the database: drivers, stores, migrations",
  },
  domain: {
    may: VOCABULARY,
    packages: [
      "zod",
      "yaml",
      "tlds",
      "fastest-levenshtein",
      "mdast-util-from-markdown",
      "mdast-util-gfm",
      "micromark-extension-gfm",
      "parse5",
    ],
    holds: "decisions without I/O",
  },
  app: {
    may: [...VOCABULARY, "core/ports", "domain"],
    packages: ["zod"],
    holds: "use cases, one verb a file; queries; documents",
  },
  "platforms/kit": {
    may: [...VOCABULARY, "core/net", "domain"],
    packages: ["node", "zod", "image-size", "ipaddr.js", "parse5"],
    holds: "what platforms share",
  },
  "platforms/*": {
    may: [...VOCABULARY, "core/net", "domain", "platforms/kit"],
    packages: ["node", "zod", "tlds", "twitter-text", "@atproto/jwk-jose", "@atproto/oauth-client"],
    holds: "one network each",
  },
  "platforms/index.ts": { may: [...VOCABULARY, "platforms/*"], packages: [], holds: "the list of platforms" },
  service: {
    may: [...VOCABULARY, "core/utils"],
    packages: ["node", "bun", "zod", "package.json"],
    holds: "a worker that the system keeps running; how psn was installed, and the newest version",
  },
  queue: { may: [...VOCABULARY, "core/ports", "core/net"], packages: [], holds: "wake-ups at Trigger.dev" },
  provision: {
    may: [...VOCABULARY, "core/ports", "core/utils", "core/net"],
    packages: ["node", "zod"],
    holds: "the vendors' management APIs",
  },
  wiring: {
    may: ["app", "domain", "core/*", "platforms/index.ts", "platforms/kit", "queue", "provision", "wiring/parts.ts"],
    packages: ["node"],
    holds: "builds a world from hub.env",
  },
  "wiring/tasks.ts": {
    may: [
      "app",
      ...VOCABULARY,
      "core/ports",
      "core/utils",
      "core/vault.ts",
      "core/db",
      "platforms/index.ts",
      "queue",
      "wiring/parts.ts",
    ],
    packages: [],
    holds: "the tasks' world",
  },
  "wiring/parts.ts": {
    may: ["core/*", "platforms/index.ts", "platforms/kit", "queue"],
    packages: ["node"],
    holds: "what both worlds have",
  },
  cli: {
    may: ["wiring", "app", "domain", "service", ...VOCABULARY, "core/ports", "core/utils", "platforms/index.ts"],
    packages: ["node", "commander", "zod", "fastest-levenshtein", "oauth4webapi", "package.json"],
    holds: "the command line",
  },
  "index.ts": {
    may: ["wiring", "app", ...VOCABULARY],
    packages: ["zod", "package.json"],
    holds: "psn as a library: the verbs, typed",
  },
  trigger: {
    may: ["wiring/tasks.ts", "app", ...VOCABULARY, "core/ports", "core/utils"],
    packages: ["@trigger.dev/sdk", "zod", "package.json"],
    holds: "the tasks at Trigger.dev",
  },
};

/** The layer that a file below src belongs to, and the room: the layer's name with its `*` filled in. */
export function layerOf(
  path: string,
): { readonly name: string; readonly room: string; readonly layer: Layer } | undefined {
  const parts = path.replace(/^src\//, "").split("/");
  for (let length = parts.length; length > 0; length--) {
    const room = parts.slice(0, length).join("/");
    const starred = [...parts.slice(0, length - 1), "*"].join("/");
    // `*` stands for a folder.
    const name = LAYERS[room] ? room : length < parts.length && LAYERS[starred] ? starred : undefined;
    const layer = name === undefined ? undefined : LAYERS[name];
    if (name !== undefined && layer) return { name, room, layer };
  }
  return undefined;
}

/** All layers that `may` names, with `core/*` standing for all of core. */
export function namedBy(may: readonly string[]): readonly string[] {
  return may.flatMap((name) => {
    if (LAYERS[name]) return [name];
    return Object.keys(LAYERS).filter((each) => each.startsWith(name.replace("*", "")));
  });
}
