import { spawn } from "node:child_process";
import { childEnvironment, terminalEnv, updateEnv } from "@psn/core/utils/env.ts";
import { installed } from "@psn/service/installed.ts";
import { isDue, isNewer, readKnown, writeKnown } from "@psn/service/newest.ts";
import { type Sink, say } from "./output.ts";

export interface NoticeOptions {
  readonly argv: readonly string[];
  readonly version: string;
  readonly stderr: Sink;
  readonly now?: Date;
  /** Asks the registry in a process of its own. */
  readonly refresh?: () => void;
}

/** Behind these the notice would be late, or in the way. */
const SILENT: readonly string[] = ["worker", "upgrade", "completion"];

/**
 * Tells a person at a terminal, once a day at most, that there is a newer psn, and has it asked for where that is a day
 * ago. Takes no time that could be noticed, and never throws.
 */
export function noticeUpdate({ argv, version, stderr, now = new Date(), refresh = refreshApart }: NoticeOptions): void {
  const { isOff, cache } = updateEnv();
  if (!stderr.isTTY || isOff || cache === undefined || terminalEnv().ci) return;
  if (argv.includes("--json") || SILENT.includes(argv.find((word) => !word.startsWith("-")) ?? "")) return;
  const known = readKnown(cache);
  const tells = isNewer(known.newest, version) && isDue(known.toldAt, now);
  const asks = isDue(known.askedAt, now);
  if (!tells && !asks) return;
  if (tells)
    say(stderr, `a new version of psn is available: ${version} → ${known.newest}; psn upgrade shows how to install it`);
  // Written before the registry is asked: of many commands in one second one asks.
  writeKnown(cache, {
    ...known,
    askedAt: asks ? now.getTime() : known.askedAt,
    toldAt: tells ? now.getTime() : known.toldAt,
  });
  if (asks) refresh();
}

function refreshApart(): void {
  try {
    const [program, ...words] = installed().command;
    const options = { detached: true, stdio: "ignore", env: childEnvironment() } as const;
    const child = spawn(program, [...words, "upgrade", "--refresh"], options);
    child.on("error", () => undefined);
    child.unref();
  } catch {
    // The next command tries again, a day later.
  }
}
