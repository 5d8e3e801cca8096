/** `check` runs less than everything (vitest.config.ts): what is left out here runs in `bun run thorough`. */
export const isShort = process.env["TESTS"] === "short";

/** All of them; in `check` every other, from the first. */
export const someOf = <T>(all: readonly T[]): T[] => all.filter((_, n) => !isShort || n % 2 === 0);
