import { z } from "zod";

/*
 * Values that several verbs take.
 */

export const id = z.string().describe("The id of a delivery or of a post, or the last characters of it.");
export const dryRun = z.boolean().default(false).describe("Say what would change, and change nothing.");
export const instant = z.iso.datetime({ offset: true }).describe("An instant: ISO 8601 with its offset from UTC.");
export const timeZone = z.string().describe("The zone the time is meant in, by its IANA name; else the user's.");
export const wallTime = z
  .string()
  .nullable()
  .optional()
  .describe("What the author said, without a zone; null for a length of time; else what clocks show then.");
export const file = z.string().min(1);
export const passphrase = z.string().describe("What protects the file: with it the file can be read.");
