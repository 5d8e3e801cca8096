/* What src/core/own-files.ts imports: a text, or the path of a file. */

declare module "*.sql" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: that is how an import of a file names it
  export default text;
}

declare module "*.wasm" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: that is how an import of a file names it
  export default path;
}

declare module "*.data" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: that is how an import of a file names it
  export default path;
}

declare module "*.zst" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: that is how an import of a file names it
  export default path;
}
