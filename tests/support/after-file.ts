/*
 * What the helpers clean up after each test file. A worker keeps its modules from one file to the next
 * (vitest.config.ts), so that a module's own `afterAll` would be registered for the first file that imports it alone.
 */

const cleaners: (() => Promise<void>)[] = [];

/**
 * Registers what is done after every file from now on, in the order of registration. Called once, when a module is
 * loaded.
 */
export function afterFile(clean: () => Promise<void>): void {
  cleaners.push(clean);
}

export async function cleanUp(): Promise<void> {
  for (const clean of cleaners) await clean();
}
