import { realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { serviceEnv } from "@psn/core/utils/env.ts";
import { NEWEST_RELEASE } from "./release.ts";

/*
 * How psn came to this machine, by how this process was started. A service must start the same program after an
 * upgrade, and an upgrade goes by the tool that installed psn.
 */

export const INSTALLED_BY = ["homebrew", "scoop", "binary", "npm", "bun", "package", "npx", "bunx", "source"] as const;
export type InstalledBy = (typeof INSTALLED_BY)[number];

export interface Installed {
  readonly by: InstalledBy;
  /** Where the program lies. */
  readonly path: string;
  /** What starts psn, without arguments; the same after an upgrade. */
  readonly command: readonly [string, ...string[]];
  /** The one command that upgrades it; for what runs the newest version by itself, the command that runs it. */
  readonly upgrade: string;
}

export interface Started {
  /** The file that the process began with: `Bun.main`. */
  readonly main: string;
  /** The program that runs it: `process.execPath`. */
  readonly execPath: string;
  readonly home: string;
  /** The address of the newest release's files, where there is one. */
  readonly release: string | undefined;
}

/** A compiled program's own files are below these (https://bun.com/docs/bundler/executables). */
const COMPILED = /^(?:\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/i;

export function installed(how: Started = started()): Installed {
  const { main, execPath } = how;
  if (COMPILED.test(main)) return compiled(how);
  const path = slashed(main);
  const [, folder, inPackage] = /^(.*)\/node_modules\/(psn\/.*)$/.exec(path) ?? [];
  if (folder === undefined || inPackage === undefined) {
    const root = main.slice(0, Math.max(0, path.lastIndexOf("/src/")));
    const upgrade = `cd ${root === "" ? "." : root} && git pull && bun install --frozen-lockfile`;
    return { by: "source", path: main, command: [execPath, main], upgrade };
  }
  const by = packaged(folder);
  return { by, path: main, command: [execPath, ...nothingOfTheFolder(main), main], upgrade: UPGRADES[by] };
}

/**
 * As the package's launcher starts Bun (scripts/build/launcher.js): without the .env and the bunfig.toml of the folder
 * where it starts, which another person may have written.
 */
const nothingOfTheFolder = (main: string): readonly string[] => [
  "--no-env-file",
  `--config=${join(dirname(dirname(main)), "bin", "bunfig.toml")}`,
];

/** Whether the program is gone or another one soon: the cache of a tool that runs packages without installing them. */
export function isPassing({ by }: Installed): boolean {
  return by === "npx" || by === "bunx";
}

const UPGRADES = {
  npm: "npm install --global psn@latest",
  bun: "bun add --global psn@latest",
  package: "npm install psn@latest",
  npx: "npx psn@latest",
  bunx: "bunx psn@latest",
} as const;

function packaged(folder: string): keyof typeof UPGRADES {
  if (/\/_npx\/[0-9a-f]+$/.test(folder)) return "npx";
  if (/\/bunx-[^/]*$/.test(folder)) return "bunx";
  if (folder.endsWith("/install/global")) return "bun";
  // PREFIX/lib/node_modules, and on Windows %APPDATA%\npm\node_modules (npm help folders).
  return /\/(?:lib|npm)$/i.test(folder) ? "npm" : "package";
}

function compiled({ execPath, home, release }: Started): Installed {
  const path = slashed(execPath);
  // Both keep each version in a folder of its own, and have one path that leads to the newest.
  const [, prefix] = /^(.*)\/Cellar\/psn\//.exec(path) ?? [];
  if (prefix !== undefined)
    return { by: "homebrew", path: execPath, command: [`${prefix}/bin/psn`], upgrade: "brew upgrade psn" };
  const [, apps] = /^(.*\/scoop\/apps\/psn)\//i.exec(path) ?? [];
  if (apps !== undefined) {
    const current = `${apps}/current/psn.exe`.replaceAll("/", sep);
    return { by: "scoop", path: execPath, command: [current], upgrade: "scoop update psn" };
  }
  return { by: "binary", path: execPath, command: [execPath], upgrade: newer(path, home, release) };
}

/** install.sh replaces the program that it, or a person, put there under its own name. */
function newer(path: string, home: string, release: string | undefined): string {
  if (release === undefined || basename(path) !== "psn")
    return `replace ${path} with the program of the newest release${release === undefined ? "" : `: ${release}`}`;
  const folder = dirname(path);
  const there = folder === join(home, ".local", "bin") ? "" : `PSN_INSTALL=${shellWord(folder)} `;
  return `curl -fsSL ${release}/install.sh | ${there}sh`;
}

const shellWord = (word: string): string =>
  /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

function started(): Started {
  const { execPath } = process;
  return { main: Bun.main, execPath: real(execPath), home: serviceEnv().home, release: NEWEST_RELEASE };
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

const slashed = (path: string): string => path.replaceAll("\\", "/");
