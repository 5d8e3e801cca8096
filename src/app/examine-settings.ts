import type { PsnError } from "@psn/core/errors.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";

/** A file of settings as it was read. */
export interface SettingsFile {
  readonly file: "hub.env" | "keys.env";
  /** What is wrong with it. */
  readonly problems: readonly PsnError[];
  /** Names that psn does not know, with what the user may do about each. */
  readonly unknown: readonly { readonly name: string; readonly fix: string | null }[];
  /** Names that the environment sets to something else. */
  readonly overridden: readonly string[];
}

/** What `psn doctor` can see without opening the hub: the runtime, the files and what they say. */
export function examineSettings(bunVersion: string, files: readonly SettingsFile[]): readonly Check[] {
  const [major = 0, minor = 0] = bunVersion.split(".").map(Number);
  const recent = major > 1 || (major === 1 && minor >= 4);
  const runtime = recent
    ? ok("runtime", `Bun ${bunVersion}`)
    : fail("runtime", `Bun ${bunVersion} is too old`, "install Bun 1.4 or newer");
  const found = [
    ...files.flatMap(({ problems }) => problems.map(({ message, hint = null }) => fail("settings", message, hint))),
    ...files.flatMap(({ file, unknown }) =>
      unknown.map(({ name, fix }) => warn("settings", `psn does not know the setting ${name} in ${file}`, fix)),
    ),
    ...files.flatMap(({ file, overridden }) =>
      overridden.map((name) =>
        warn("settings", `${name} differs between this shell and ${file}; psn uses the shell's value`, `unset ${name}`),
      ),
    ),
  ];
  return [
    runtime,
    ...(found.length > 0 ? found : [ok("settings", "hub.env and keys.env are valid, and only you can read them")]),
  ];
}
