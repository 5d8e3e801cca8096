import { PsnError } from "@psn/core/errors.ts";

/** The PsnError that this throws; fails when it throws nothing or something else. */
export function thrown(run: () => unknown): PsnError {
  try {
    run();
  } catch (error) {
    if (error instanceof PsnError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
