/** `check` runs less than everything (vitest.config.ts): what is left out here runs in `bun run thorough`. */
export const isShort = process.env["TESTS"] === "short";
