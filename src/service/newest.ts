import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { childEnvironment } from "@psn/core/utils/env.ts";
import { z } from "zod";

/*
 * Which version of psn is the newest. Commands read it from a small file; a process of its own asks the registry, at
 * most once a day, so that no command waits for it.
 */

/** How long an answer counts, and how often a person is told, in milliseconds. */
export const DAY_MS = 86_400_000;
/** How long the registry may take, in milliseconds. */
const ANSWER_MS = 10_000;

const VERSION = /^\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]{1,64})?$/;
const Version = z.string().regex(VERSION);
const Known = z.object({
  newest: Version.nullable(),
  /** When the registry was asked, and a person was told: milliseconds since 1970. */
  askedAt: z.number(),
  toldAt: z.number(),
});
export type Known = z.output<typeof Known>;

const NOTHING: Known = { newest: null, askedAt: 0, toldAt: 0 };

/** What is known, in the folder where psn keeps what it can ask for again. */
export function readKnown(folder: string): Known {
  try {
    return Known.parse(JSON.parse(readFileSync(fileIn(folder), "utf8")));
  } catch {
    return NOTHING;
  }
}

/** Never throws: a notice more or less harms nobody. */
export function writeKnown(folder: string, known: Known): void {
  try {
    const path = fileIn(folder);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.${process.pid}`, JSON.stringify(known), { mode: 0o600 });
    renameSync(`${path}.${process.pid}`, path);
  } catch {
    // There is no such folder, or no room.
  }
}

/**
 * Asks the registry that this user's .npmrc or environment names, by `bun info`: psn's own Bun, also within a compiled
 * program (https://bun.com/docs/bundler/executables, BUN_BE_BUN, 2026-11).
 *
 * @returns the version; null where the registry has no psn.
 * @throws Error with Bun's words where it does not answer, or answers no version.
 */
export async function askNewest(stop: AbortSignal): Promise<string | null> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(ANSWER_MS)]);
  const options = { signal, cwd: homedir(), env: { ...childEnvironment(), BUN_BE_BUN: "1" } };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["info", "psn", "version", "--json"], options, (error, stdout, stderr) => {
      if (error) return /\b404\b/.test(stderr) ? resolve(null) : reject(new Error(stderr.trim(), { cause: error }));
      const answer = Version.safeParse(stdout.trim().replaceAll('"', ""));
      return answer.success ? resolve(answer.data) : reject(new Error("the answer is no version"));
    });
  });
}

/** Whether `newest` comes after `version` (https://semver.org, section 11). */
export function isNewer(newest: string | null, version: string): newest is string {
  return newest !== null && VERSION.test(version) && Bun.semver.order(newest, version) > 0;
}

/** Whether this was a day ago, or lies ahead: a clock that was set back must not silence psn for years. */
export function isDue(at: number, now: Date): boolean {
  return now.getTime() >= at + DAY_MS || at > now.getTime();
}

const fileIn = (folder: string): string => join(folder, "newest.json");
