import { z } from "zod";
import { Count, type DocumentOf, DryRun, Instant, instant } from "./values.ts";

/*
 * Documents about the keys of the user's own developer apps.
 */

/** Where a value that is not sealed comes from: a line of keys.env, or by its name. */
export type KeyOrigin = string | { readonly file: string; readonly line: number };

/** Where it is, as a person reads it. */
export function placeOf(origin: KeyOrigin): string {
  return typeof origin === "string" ? `the ${origin}` : `${origin.file.split("/").at(-1)}:${origin.line}`;
}

export const KeysListDocument = z.strictObject({
  keys: z.array(
    z.strictObject({
      name: z.string(),
      file: z.string().nullable().describe("Where keys.env or the environment has it, which counts first."),
      sealed: Instant.nullable().describe("Since when the hub has it sealed."),
    }),
  ),
});

export interface KeyFacts {
  readonly name: string;
  /** Undefined where neither keys.env nor the environment has it. */
  readonly origin: KeyOrigin | undefined;
  /** Undefined where the hub has none sealed. */
  readonly sealedAt: Date | undefined;
}

export function keysListDocument(keys: readonly KeyFacts[]): DocumentOf<typeof KeysListDocument> {
  return {
    keys: keys.map(({ name, origin, sealedAt }) => ({
      name,
      file: origin === undefined ? null : placeOf(origin),
      sealed: instant(sealedAt),
    })),
  };
}

export const KeysSetDocument = z.strictObject({ name: z.string(), sealed: z.literal(true) });
export const KeysRemoveDocument = z.strictObject({ name: z.string(), removed: z.literal(true) });
export const KeysPushDocument = z.strictObject({
  sealed: z.array(z.string()),
  same: Count.describe("How many the hub has sealed already."),
  unknown: z.array(z.string()).describe("Names that psn does not know."),
  dryRun: DryRun,
});
