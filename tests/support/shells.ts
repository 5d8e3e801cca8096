import { existsSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { debianFiles } from "./debian.ts";

/*
 * Real shells at a real terminal: bash of this machine, zsh and fish of Debian.
 */

const LIBRARIES = "usr/lib/x86_64-linux-gnu";

export interface ShellPlace {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A shell whose home is this folder, with a prompt of `$ `. Throws an Error where it cannot be had here. */
export async function shellIn(home: string, name: "bash" | "zsh" | "fish"): Promise<ShellPlace> {
  const base = { HOME: home, TERM: "xterm", PATH: `${home}/bin:${process.env["PATH"] ?? ""}`, PS1: "$ " };
  const isNew = async (path: string, text: string) => {
    await mkdir(dirname(path), { recursive: true });
    if (!existsSync(path)) await writeFile(path, text);
  };
  if (name === "bash") {
    const files = await debianFiles("bash-completion", (suite) => ({ suite, packages: ["bash-completion"] }));
    await isNew(join(home, ".bashrc"), `PS1='$ '\n. ${files}/usr/share/bash-completion/bash_completion\n`);
    return { command: ["bash", "-i"], env: base };
  }
  const root = await debianFiles(name, (suite) => ({ suite, packages: [name, `${name}-common`], libraries: true }));
  const env = { ...base, LD_LIBRARY_PATH: `${root}/${LIBRARIES}` };
  if (name === "fish") {
    // It takes its own files from beside itself only where both folders are there.
    if (!existsSync(`${root}/usr/etc`)) await symlink("../etc", `${root}/usr/etc`);
    await isNew(join(home, ".config/fish/config.fish"), "function fish_prompt; echo -n '$ '; end\nset fish_greeting\n");
    return { command: [`${root}/usr/bin/fish`, "-i"], env };
  }
  const functions = `${root}/usr/share/zsh/functions`;
  const lines = [
    `module_path=(${root}/${LIBRARIES}/zsh/*(/))`,
    // What completion itself is made of; compinit takes long to read the functions for all other programs.
    `fpath=(${functions}/Completion ${functions}/Completion/{Base,Zsh,Unix} ${functions}/{Misc,Zle})`,
    "PS1='$ '",
    "unsetopt beep",
  ];
  await isNew(join(home, ".zshenv"), `${lines.join("\n")}\n`);
  await isNew(join(home, ".zshrc"), "zstyle ':completion:*' list-prompt ''\n");
  return { command: [existsSync(`${root}/bin/zsh`) ? `${root}/bin/zsh` : `${root}/usr/bin/zsh`, "-i"], env };
}
