import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Plugin } from "vite";

const IMPORT = /^import (\w+) from "([^"]+)" with \{ type: "(text|file)" \};$/gm;

/** Imports of texts and of files, as Bun has them: Vite takes no module that is no source. */
export const ownFiles: Plugin = {
  name: "own-files",
  enforce: "pre",
  transform: (code, id) => {
    if (!id.endsWith("/own-files.ts")) return undefined;
    return code.replaceAll(IMPORT, (_all, name: string, path: string, type: string) => {
      const file = resolve(dirname(id), path);
      return `const ${name} = ${JSON.stringify(type === "text" ? readFileSync(file, "utf8") : file)};`;
    });
  },
};
