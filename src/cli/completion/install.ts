import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import { type ShellEnv, shellEnv } from "@psn/core/utils/env.ts";
import { unwritable } from "@psn/core/utils/private-file.ts";
import { MARK, SCRIPTS, SHELLS, type Shell } from "./scripts.ts";

/*
 * The script in the place where a shell loads it from.
 */

/** Where bash-completion lies; without it bash loads no completion by itself. */
const BASH_COMPLETION = [
  "/usr/share/bash-completion/bash_completion",
  "/usr/local/share/bash-completion/bash_completion",
  "/opt/homebrew/share/bash-completion/bash_completion",
  "/etc/profile.d/bash_completion.sh",
];

export interface Installation {
  readonly shell: Shell;
  readonly path: string;
  readonly change: "written" | "removed" | "none";
  /** Lines that the user adds to a file of the shell's; none where the shell finds the script by itself. */
  readonly add: readonly string[];
  readonly addTo: string | undefined;
}

/** The shell that was named, else the user's. Throws USAGE, INPUT_REQUIRED. */
export function shellOf(named: string | undefined, { shell }: ShellEnv = shellEnv()): Shell {
  const wanted = named ?? shell?.split("/").at(-1);
  const known = SHELLS.find((one) => one === wanted);
  if (known) return known;
  const list = SHELLS.join(", ");
  if (named !== undefined) throw new PsnError("USAGE", `psn supports completion for ${list}, not for ${named}`);
  const why = shell === undefined ? "SHELL is not set" : `SHELL is ${shell}`;
  throw new PsnError("INPUT_REQUIRED", `psn does not know your shell: ${why}, and psn supports ${list}`, {
    hint: "psn completion install bash",
  });
}

/** Writes the script, or takes it away. Throws FOREIGN_CONTENT, FILE_UNWRITABLE. */
export function installCompletion(shell: Shell, { undo }: { readonly undo: boolean }): Installation {
  const environment = shellEnv();
  const path = pathOf(shell, environment);
  const text = textIn(path);
  if (text !== undefined && !text.includes(MARK))
    throw new PsnError("FOREIGN_CONTENT", `psn did not write ${path}, and leaves it as it is`, {
      hint: `remove ${path} if you do not need it, then run the command again`,
    });
  const script = `${SCRIPTS[shell]}\n`;
  const change = undo ? (text === undefined ? "none" : "removed") : text === script ? "none" : "written";
  try {
    if (change === "removed") rmSync(path);
    if (change === "written") {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, script);
    }
  } catch (error) {
    throw unwritable("FILE_UNWRITABLE", { path, error });
  }
  const { add, addTo } = toAdd(shell, path, environment);
  const isThere = addTo !== undefined && add.every((line) => (textIn(addTo) ?? "").includes(line));
  // What was added may go with the script.
  return { shell, path, change, add: isThere === undo ? add : [], addTo };
}

function pathOf(shell: Shell, { home, dataHome, configHome, bashCompletion }: ShellEnv): string {
  if (shell === "bash") return join(bashCompletion ?? join(dataHome, "bash-completion"), "completions", "psn");
  return shell === "zsh" ? join(home, ".zfunc", "_psn") : join(configHome, "fish", "completions", "psn.fish");
}

function toAdd(shell: Shell, path: string, { home, zdotdir }: ShellEnv): Pick<Installation, "add" | "addTo"> {
  if (shell === "zsh")
    return {
      add: [`fpath=(${join(home, ".zfunc")} $fpath)`, "autoload -Uz compinit && compinit"],
      addTo: join(zdotdir ?? home, ".zshrc"),
    };
  if (shell === "fish" || BASH_COMPLETION.some((file) => existsSync(file))) return { add: [], addTo: undefined };
  return { add: [`source ${path}`], addTo: join(home, ".bashrc") };
}

function textIn(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
