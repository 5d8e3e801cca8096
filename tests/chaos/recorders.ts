import type { Platform } from "@psn/core/types/platform.ts";
import { recorder } from "../engine/recorder.ts";

/*
 * The two ways of settling a lost answer that none of psn's platforms needs today, so that the engine is held to them
 * too: a platform that can only be searched, and one that cannot be asked at all. And one whose posts take a while to
 * be public.
 */

export const RECORDERS: ReadonlyMap<string, Platform> = new Map(
  [
    recorder("chosen", { duplicates: "client-id", concurrency: 4 }),
    recorder("searched", { duplicates: "lookup", concurrency: 4 }),
    recorder("blind", { duplicates: "ask-human", lookup: false, concurrency: 4 }),
  ].map((platform) => [platform.id, platform]),
);

/**
 * The adapters know no other address; a process of the suite goes to the server on this machine and says which one it
 * meant.
 */
export const RECORDER_HEADER = "x-recorder";
export const isRecorder = (url: URL): boolean => RECORDERS.has(url.hostname.replace(/\.example$/, ""));
