import type { Check } from "@psn/app/doctor.ts";
import { examineSettings } from "@psn/app/examine-settings.ts";
import { APP_KEYS, type Environment, readHubEnv, readKeysEnv, unknownSetting } from "@psn/core/utils/env.ts";

/** The runtime and the files of settings, as `psn doctor` lists them. */
export function examineGround(folder: string, environment?: Environment): readonly Check[] {
  const hub = readHubEnv(folder, environment);
  const keys = readKeysEnv(folder, environment);
  const strange = [...keys.env.keys.keys()].filter((name) => !APP_KEYS.some((setting) => setting.name === name));
  return examineSettings(Bun.version, [
    {
      file: "hub.env",
      problems: hub.problems,
      unknown: hub.env.unknown.map(({ name, suggestion }) => ({
        name,
        fix: suggestion === undefined ? null : `did you mean ${suggestion}?`,
      })),
      overridden: hub.env.overridden,
    },
    {
      file: "keys.env",
      problems: keys.problems,
      unknown: strange.map((name) => ({ name, fix: unknownSetting(name, APP_KEYS).hint ?? null })),
      overridden: keys.env.overridden,
    },
  ]);
}
