import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { thrown } from "../../../tests/support/thrown.ts";
import {
  configPath,
  configText,
  getConfig,
  listConfig,
  maskValue,
  replaceConfig,
  setConfig,
  unsetConfig,
} from "./config.ts";
import { isExposed, loadHubEnv, writeEnvFile } from "./env.ts";

const KEY = "ca".repeat(32);

let hub = "";
beforeEach(() => {
  hub = mkdtempSync(join(tmpdir(), "psn-config-"));
});
afterEach(() => {
  rmSync(hub, { recursive: true, force: true });
});

const read = (file: "hub" | "keys") => readFileSync(configPath(hub, file), "utf8");

describe("list and get", () => {
  test("show every setting with its origin, and no secret", () => {
    writeEnvFile(
      configPath(hub, "hub"),
      `HUB_ENCRYPTION_KEY=${KEY}\nDATABASE_URL=postgres://u:canary@h/d?password=canary\nPSN_USRE=canary\n`,
    );
    writeEnvFile(configPath(hub, "keys"), "X_CLIENT_ID=my-app\nX_CLIENT_SECRET=canary\nOTHER=canary\n");
    const { rows, problems } = listConfig(hub, { PSN_TIME_ZONE: "UTC" });
    expect(problems).toEqual([]);
    const shown = Object.fromEntries(
      rows
        .filter((row) => row.shown !== undefined && (row.origin !== "default" || row.name === "PSN_DATA"))
        .map((row) => [row.name, row.shown]),
    );
    expect(shown).toEqual({
      HUB_ENCRYPTION_KEY: "••••••••",
      DATABASE_URL: "postgres://u:••••••••@h/d?…",
      PSN_DATA: "data/",
      PSN_TIME_ZONE: "UTC",
      X_CLIENT_ID: "my-app",
      X_CLIENT_SECRET: "••••••••",
      PSN_USRE: "••••••••",
      OTHER: "••••••••",
    });
    expect(JSON.stringify(rows)).not.toMatch(/canary|caca/);
    expect(getConfig(hub, "PSN_USRE", {})).toMatchObject({ file: "hub", suggestion: "PSN_USER", origin: { line: 3 } });
    expect(getConfig(hub, "PSN_USER", {})).toMatchObject({ file: "hub", shown: undefined });
    expect(getConfig(hub, "PSN_TIME_ZONE", { PSN_TIME_ZONE: "UTC" }).origin).toBe("environment");
    expect(thrown(() => getConfig(hub, "DATABASE_URLS", {}))).toMatchObject({
      code: "SETTING_UNKNOWN",
      hint: "did you mean DATABASE_URL?",
    });
  });

  test("go on where a file cannot be used, and tell why", () => {
    writeEnvFile(configPath(hub, "hub"), "canary\n");
    const { rows, problems } = listConfig(hub, {});
    expect(rows.length).toBeGreaterThan(10);
    expect(problems.map((problem) => problem.code)).toEqual(["CONFIG_INVALID"]);
  });

  test("a mask tells nothing of the value, its length included", () => {
    expect(maskValue("x")).toBe(maskValue("a much longer secret"));
    expect(maskValue("postgres://h/d")).toBe("postgres://h/d");
    expect(maskValue("https://u:p@h/")).toBe("••••••••");
  });
});

describe("set and unset", () => {
  test("write into the file a name belongs to, for its owner alone", () => {
    expect(setConfig(hub, "PSN_TIME_ZONE", "UTC")).toBe("hub");
    expect(setConfig(hub, "X_CLIENT_ID", "id")).toBe("keys");
    expect(read("hub")).toBe("PSN_TIME_ZONE=UTC\n");
    expect(read("keys")).toBe("X_CLIENT_ID=id\n");
    expect(isExposed(configPath(hub, "hub"))).toBe(false);
    expect(unsetConfig(hub, "X_CLIENT_ID")).toBe("keys");
    expect(read("keys")).toBe("");
  });

  test("an unknown name is not written, and can be taken out", () => {
    writeEnvFile(configPath(hub, "hub"), "FOO=1\n");
    expect(thrown(() => setConfig(hub, "FOO", "2"))).toMatchObject({ code: "SETTING_UNKNOWN" });
    expect(thrown(() => setConfig(hub, "NOPE", "canary"))).toMatchObject({
      code: "SETTING_UNKNOWN",
      hint: "psn config list",
    });
    expect(thrown(() => unsetConfig(hub, "NOPE"))).toMatchObject({ code: "SETTING_UNKNOWN" });
    expect(existsSync(configPath(hub, "keys"))).toBe(false);
    expect(unsetConfig(hub, "FOO")).toBe("hub");
  });

  test.each([
    ["PSN_TIMEZONE", "PSN_TIME_ZONE"],
    ["PSN_TZ", "PSN_TIME_ZONE"],
    ["X_CLIENT_SECRT", "X_CLIENT_SECRET"],
    ["X_ID", "X_CLIENT_ID"],
    ["psn_late", "PSN_LATE"],
  ])("%s: did you mean %s?", (name, meant) => {
    expect(thrown(() => setConfig(hub, name, "canary"))).toMatchObject({
      code: "SETTING_UNKNOWN",
      hint: `did you mean ${meant}?`,
    });
  });

  test("refuse what cannot be right, and write nothing", () => {
    expect(thrown(() => setConfig(hub, "PSN_USER", "canary")).code).toBe("INPUT_INVALID");
    expect(thrown(() => setConfig(hub, "HUB_ENCRYPTION_KEY", "canary")).message).not.toContain("canary");
    expect(thrown(() => setConfig(hub, "DATABSE_URL", "postgres://h/d"))).toMatchObject({
      code: "SETTING_UNKNOWN",
      hint: "did you mean DATABASE_URL?",
    });
    expect(thrown(() => unsetConfig(hub, "PSN_USER")).code).toBe("NOT_FOUND");
    expect(existsSync(configPath(hub, "hub"))).toBe(false);
    writeEnvFile(configPath(hub, "hub"), "PSN_USER=broken\nDATABASE_DRIVER=pg\n");
    expect(thrown(() => setConfig(hub, "DATABASE_DRIVER", "neon-ws")).code).toBe("CONFIG_INVALID");
    expect(read("hub")).toBe("PSN_USER=broken\nDATABASE_DRIVER=pg\n");
    unsetConfig(hub, "PSN_USER");
    setConfig(hub, "DATABASE_DRIVER", "neon-ws");
    expect(read("hub")).toBe("DATABASE_DRIVER=neon-ws\n");
  });

  test("close a file that stood open", () => {
    writeEnvFile(configPath(hub, "hub"), "DATABASE_DRIVER=pg\n");
    chmodSync(configPath(hub, "hub"), 0o644);
    setConfig(hub, "DATABASE_DRIVER", "pg");
    expect(isExposed(configPath(hub, "hub"))).toBe(false);
  });
});

describe("edit", () => {
  test("replaces only with what can be used", () => {
    writeEnvFile(configPath(hub, "hub"), "canary\n");
    const before = configText(hub, "hub");
    for (const bad of ["still canary", "PSN_USER=canary", "DATABASE_DRIVER=pg\nDATABASE_DRIVER=pg"]) {
      const error = thrown(() => replaceConfig(hub, { file: "hub", before, after: bad }));
      expect(error.code).toBe("CONFIG_INVALID");
      expect(error.message).not.toContain("canary");
    }
    expect(read("hub")).toBe("canary\n");
    replaceConfig(hub, { file: "hub", before, after: "# fixed\nDATABASE_DRIVER=pg\n" });
    expect(read("hub")).toBe("# fixed\nDATABASE_DRIVER=pg\n");
  });

  test("takes a value by its stricter rule, and leaves one that was there before that rule", () => {
    const old = "S3_ENDPOINT=https://s3.example.com/media\n";
    expect(thrown(() => setConfig(hub, "S3_ENDPOINT", "https://s3.example.com/media")).code).toBe("INPUT_INVALID");
    writeEnvFile(configPath(hub, "hub"), old);
    expect(loadHubEnv(hub, {}).get("S3_ENDPOINT")).toBe("https://s3.example.com/media");
    setConfig(hub, "PSN_LATE", "drop");
    replaceConfig(hub, { file: "hub", before: `${old}PSN_LATE=drop\n`, after: `${old}PSN_LATE=ask\n` });
    expect(read("hub")).toBe(`${old}PSN_LATE=ask\n`);
    const other = "S3_ENDPOINT=https://s3.example.com/other\n";
    expect(thrown(() => replaceConfig(hub, { file: "hub", before: `${old}PSN_LATE=ask\n`, after: other })).code).toBe(
      "CONFIG_INVALID",
    );
    setConfig(hub, "S3_ENDPOINT", "https://s3.example.com");
    expect(read("hub")).toContain("S3_ENDPOINT=https://s3.example.com\n");
  });

  test("takes no new name that psn does not know, and leaves one that was there", () => {
    writeEnvFile(configPath(hub, "keys"), "OLD_NAME=1\n");
    expect(
      thrown(() =>
        replaceConfig(hub, { file: "keys", before: "OLD_NAME=1\n", after: "OLD_NAME=1\nX_CLIENT_SECRT=canary\n" }),
      ),
    ).toMatchObject({
      code: "SETTING_UNKNOWN",
      hint: "did you mean X_CLIENT_SECRET?",
    });
    expect(
      thrown(() => replaceConfig(hub, { file: "keys", before: "OLD_NAME=1\n", after: "PSN_LATE=ask\n" })),
    ).toMatchObject({
      code: "SETTING_UNKNOWN",
    });
    replaceConfig(hub, { file: "keys", before: "OLD_NAME=1\n", after: "OLD_NAME=2\nX_CLIENT_ID=me\n" });
    expect(read("keys")).toBe("OLD_NAME=2\nX_CLIENT_ID=me\n");
  });

  test("does not undo what happened meanwhile", () => {
    const before = configText(hub, "hub");
    setConfig(hub, "HUB_ENCRYPTION_KEY", KEY);
    expect(thrown(() => replaceConfig(hub, { file: "hub", before, after: "DATABASE_DRIVER=pg\n" })).code).toBe(
      "CONFIG_CHANGED",
    );
    expect(read("hub")).toBe(`HUB_ENCRYPTION_KEY=${KEY}\n`);
  });
});
