import { readFileSync } from "node:fs";
import { parseEnvFile, setEnvValue } from "@psn/core/utils/envfile.ts";
import { APP_KEYS, HUB_SETTINGS } from "@psn/core/utils/settings.ts";
import { describe, expect, test } from "vitest";
import { renderHubEnvExample, renderKeysEnvExample } from "../scripts/env-examples.ts";

describe.each([
  { file: "hub.env.example", text: renderHubEnvExample(), settings: HUB_SETTINGS },
  { file: "keys.env.example", text: renderKeysEnvExample(), settings: APP_KEYS },
])("config/$file", ({ file, text, settings }) => {
  test("is what the tables say: bun run scripts/env-examples.ts", () => {
    expect(readFileSync(new URL(`../config/${file}`, import.meta.url), "utf8")).toBe(text);
  });

  test("sets nothing when copied, and offers every name once", () => {
    expect(parseEnvFile(text, file)).toEqual([]);
    for (const { name } of settings) expect(text.split(`\n# ${name}=`)).toHaveLength(2);
  });

  test("its examples are of the form they illustrate, and a value lands below its own", () => {
    for (const { name, example, isValid } of settings) {
      expect(example === "" || isValid(example)).toBe(true);
      expect(setEnvValue(text, { name, value: "x" })).toContain(`\n# ${name}=${example}\n${name}=x\n`);
    }
  });
});
