import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { HubFile } from "@psn/app/provision-hub.ts";
import {
  changeEnvFile,
  checkEnvText,
  type Environment,
  findHub,
  hubEnvPath,
  keysEnvPath,
  loadHubEnv,
  setEnvValue,
  unsetEnvValue,
} from "@psn/core/utils/env.ts";
import { makePrivateFolder, readTextFile, unwritable } from "@psn/core/utils/private-file.ts";

/** hub.env of a folder, made with its first setting. */
export function hubFile(folder: string, environment?: Environment): HubFile {
  const path = hubEnvPath(folder);
  return {
    get: (name) => (findHub(folder, {}) === folder ? loadHubEnv(folder, environment).get(name) : undefined),
    set: (values) => {
      keepFromGit(dirname(path));
      changeEnvFile(keysEnvPath(folder), (text) => (text === "" ? KEYS_HEAD : text));
      changeEnvFile(path, (text) => {
        const after = Object.entries(values).reduce(
          (file, [name, value]) => (value === null ? unsetEnvValue(file, name) : setEnvValue(file, { name, value })),
          text === "" ? HUB_HEAD : text,
        );
        checkEnvText(after, path);
        return after;
      });
    },
  };
}

const IGNORED = ["*.env", "*.tmp", "*.lock", ".*.lock", ".lock", "incarnation.*"];

/** A hub may lie in a repository; its secrets must not get into it, whatever a .gitignore that was there says. */
function keepFromGit(folder: string): void {
  const path = join(folder, ".gitignore");
  try {
    makePrivateFolder(folder);
    const before = readTextFile(path) ?? "";
    const lines = before.split("\n");
    // The last line that fits counts, so that what a later one takes back is said once more.
    const lacking = IGNORED.filter(
      (line) => !lines.slice(lines.findLastIndex((one) => one.startsWith("!")) + 1).includes(line),
    );
    if (lacking.length > 0)
      writeFileSync(path, `${before === "" || before.endsWith("\n") ? before : `${before}\n`}${lacking.join("\n")}\n`, {
        flush: true,
      });
  } catch (error) {
    throw unwritable("FILE_UNWRITABLE", { path: folder, error });
  }
}

const HUB_HEAD =
  "# Where this hub is. Every line is explained in config/hub.env.example of psn; `psn config list` shows the " +
  "values in use.\n# Keep a copy of the key elsewhere: without it nothing that is sealed can be decrypted.\n\n";
const KEYS_HEAD = "# Keys of your own apps on the platforms, one NAME=value a line.\n";
