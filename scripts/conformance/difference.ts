import { createHash } from "node:crypto";

/** Where psn and a suite do not agree about a text. */
export interface Difference {
  /** What was asked, for example "Mastodon's count". */
  readonly check: string;
  readonly text: string;
  readonly suite: unknown;
  readonly psn: unknown;
}

export interface Found {
  readonly checks: number;
  readonly differences: readonly Difference[];
}

/**
 * What a reason is kept by. psn's answer is part of it, so that a changed answer asks for its reason again; the suites'
 * texts are not psn's.
 */
export function idOf({ check, text, psn }: Difference): string {
  return createHash("sha256")
    .update(JSON.stringify([check, text, psn]))
    .digest("hex")
    .slice(0, 12);
}
