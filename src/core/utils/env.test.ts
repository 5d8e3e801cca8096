import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { thrown } from "../../../tests/support/thrown.ts";
import {
  childEnvironment,
  dataDir,
  findHub,
  hubEnvPath,
  isExposed,
  keysEnvPath,
  loadHubEnv,
  loadKeysEnv,
  readHubEnv,
  systemTimeZone,
  terminalEnv,
  writeEnvFile,
} from "./env.ts";

const KEY = "ca".repeat(32);
const USER = "01930b1e-7c00-7000-8000-0000000000a1";

let hub = "";
beforeEach(() => {
  hub = mkdtempSync(join(tmpdir(), "psn-env-"));
});
afterEach(() => {
  rmSync(hub, { recursive: true, force: true });
});

describe("hub.env", () => {
  test("every setting with its origin, the environment above the file, the defaults below it", () => {
    const path = hubEnvPath(hub);
    writeEnvFile(path, `# mine\nHUB_ENCRYPTION_KEY=${KEY}\nPSN_USER=${USER}\nDATABASE_DRIVER=pg\nPSN_TIME_ZONE=\n`);
    const env = loadHubEnv(hub, { DATABASE_DRIVER: "neon-ws", PSN_USER: "", PATH: "/bin" });
    expect(Object.entries(env.settings).filter(([, { origin }]) => origin === "default").length).toBeGreaterThan(1);
    expect(env.settings).toMatchObject({
      HUB_ENCRYPTION_KEY: { value: KEY, origin: { file: path, line: 2 } },
      PSN_USER: { value: USER, origin: { file: path, line: 3 } },
      DATABASE_DRIVER: { value: "neon-ws", origin: "environment" },
      PSN_DATA: { value: "data/", origin: "default" },
    });
    expect(env.get("DATABASE_DRIVER")).toBe("neon-ws");
    expect(env.get("PSN_TIME_ZONE")).toBeUndefined();
    expect(env.unknown).toEqual([]);
    expect(dataDir(env)).toBe(join(hub, "data"));
    expect(dataDir(loadHubEnv(hub, { PSN_DATA: "/elsewhere" }))).toBe("/elsewhere");
  });

  test("without a hub folder the environment is all there is", () => {
    const env = loadHubEnv(undefined, { HUB_ENCRYPTION_KEY: KEY, DATABASE_URL: "postgres://h/d" });
    expect(env.get("HUB_ENCRYPTION_KEY")).toBe(KEY);
    expect(env.get("PSN_DATA")).toBe("data/");
    expect(loadKeysEnv(undefined, { X_CLIENT_ID: "id" }).get("X_CLIENT_ID")).toBe("id");
  });

  test("names psn does not know are kept, with the one that was probably meant", () => {
    writeEnvFile(
      hubEnvPath(hub),
      "DATABSE_URL=a\ndatabase_url=b\nHUB_ENCRYPTION_KEY_NEW=c\nPSN_USERS=d\nFOO=e\n__proto__=f\n",
    );
    const { unknown } = loadHubEnv(hub, {});
    expect(unknown.map(({ name, value, suggestion }) => [name, value, suggestion])).toEqual([
      ["DATABSE_URL", "a", "DATABASE_URL"],
      ["database_url", "b", "DATABASE_URL"],
      ["HUB_ENCRYPTION_KEY_NEW", "c", "HUB_ENCRYPTION_KEY_OLD"],
      ["PSN_USERS", "d", "PSN_USER"],
      ["FOO", "e", undefined],
      ["__proto__", "f", undefined],
    ]);
  });

  test.each([
    ["HUB_ENCRYPTION_KEY", "canary", "VAULT_LOCKED"],
    ["HUB_ENCRYPTION_KEY_OLD", "canary", "VAULT_LOCKED"],
    ["PSN_USER", "canary", "CONFIG_INVALID"],
    ["DATABASE_URL", "mysql://canary@h/d", "CONFIG_INVALID"],
    ["DATABASE_URL", "postgres://user:canary#x@h/d", "CONFIG_INVALID"],
    ["DATABASE_OWNER_URL", "canary", "CONFIG_INVALID"],
    ["DATABASE_DRIVER", "canary", "CONFIG_INVALID"],
    ["S3_ENDPOINT", "https://canary@s3.example.com", "CONFIG_INVALID"],
    ["PSN_TIME_ZONE", "Europe/Canary", "CONFIG_INVALID"],
    ["PSN_TIME_ZONE", "+01:00", "CONFIG_INVALID"],
  ])("a malformed %s is refused by name and origin, never repeated", (name, value, code) => {
    writeEnvFile(hubEnvPath(hub), `\n${name}='${value}'\n`);
    for (const [environment, where] of [
      [{}, `${hubEnvPath(hub)}:2`],
      [{ [name]: value }, "in the environment"],
    ] as const) {
      const error = thrown(() => loadHubEnv(hub, environment));
      expect(error.code).toBe(code);
      expect(error.message).toContain(`${name} (`);
      expect(error.message).toContain(where);
      expect(JSON.stringify(error) + String(error.stack)).not.toMatch(/canary/i);
    }
  });

  test.each([
    ["DATABASE_URL", "postgresql://u:p%23@h:5432/d?sslmode=require"],
    ["DATABASE_URL", "postgres:///d?host=/run/postgresql"],
    ["PSN_TIME_ZONE", "America/Argentina/Buenos_Aires"],
    ["PSN_TIME_ZONE", "UTC"],
    ["S3_ENDPOINT", "http://[::1]:9000/"],
    // An earlier psn took a path: it is refused where the bucket is used.
    ["S3_ENDPOINT", "https://s3.example.com/bucket"],
    ["HUB_ENCRYPTION_KEY", KEY.toUpperCase()],
  ] as const)("a good %s", (name, value) => {
    writeEnvFile(hubEnvPath(hub), `${name}='${value}'\n`);
    expect(loadHubEnv(hub, {}).get(name)).toBe(value);
  });

  test("a name that comes twice is refused with both lines", () => {
    writeEnvFile(hubEnvPath(hub), `HUB_ENCRYPTION_KEY=${KEY}\n\nHUB_ENCRYPTION_KEY=${"ab".repeat(32)}\n`);
    const error = thrown(() => loadHubEnv(hub, {}));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toMatch(/hub\.env:3: HUB_ENCRYPTION_KEY .* line 1/);
  });

  test("no hub.env", () => {
    const error = thrown(() => loadHubEnv(hub, { PSN_USER: USER }));
    expect(error.code).toBe("HUB_MISSING");
    expect(error.message).toContain(hubEnvPath(hub));
    expect(error.hint).toBe(`psn init ${hub}`);
  });

  test("a hub.env other people can read or write", () => {
    writeEnvFile(hubEnvPath(hub), `PSN_USER=${USER}\n`);
    for (const mode of [0o640, 0o604, 0o620, 0o666]) {
      chmodSync(hubEnvPath(hub), mode);
      expect(isExposed(hubEnvPath(hub))).toBe(true);
      const error = thrown(() => loadHubEnv(hub, {}));
      expect(error.code).toBe("CONFIG_EXPOSED");
      expect(error.hint).toBe(`chmod 600 ${hubEnvPath(hub)}`);
    }
    chmodSync(hubEnvPath(hub), 0o400);
    expect(loadHubEnv(hub, {}).get("PSN_USER")).toBe(USER);
  });

  test("the chmod hint can be pasted, whatever the folder is called", () => {
    const odd = join(hub, "it's mine");
    writeEnvFile(hubEnvPath(odd), "");
    chmodSync(hubEnvPath(odd), 0o644);
    expect(thrown(() => loadHubEnv(odd, {})).hint).toBe(`chmod 600 '${hubEnvPath(odd).replace("'", "'\\''")}'`);
  });

  test("a hub.env that is a folder, below a file, or not UTF-8", () => {
    mkdirSync(hubEnvPath(hub), { recursive: true });
    expect(thrown(() => loadHubEnv(hub, {})).code).toBe("CONFIG_UNREADABLE");
    writeFileSync(join(hub, "file"), "");
    expect(thrown(() => loadHubEnv(join(hub, "file"), {})).code).toBe("CONFIG_UNREADABLE");
    rmSync(hubEnvPath(hub), { recursive: true });
    for (const bytes of [Buffer.from("\uFEFFA=canary", "utf16le"), Buffer.from("A=canary\xe9", "latin1")]) {
      writeFileSync(hubEnvPath(hub), bytes, { mode: 0o600 });
      const error = thrown(() => loadHubEnv(hub, {}));
      expect(error.code).toBe("CONFIG_INVALID");
      expect(error.message).toContain("UTF-8");
      expect(JSON.stringify(error)).not.toContain("canary");
    }
  });

  test("every problem at once, and what can be read in spite of them", () => {
    writeEnvFile(hubEnvPath(hub), `HUB_ENCRYPTION_KEY=x\nDATABASE_DRIVER=x\nPSN_USER=${USER}\n`);
    chmodSync(hubEnvPath(hub), 0o644);
    const { env, problems } = readHubEnv(hub, {});
    expect(problems.map((problem) => problem.code)).toEqual(["CONFIG_EXPOSED", "VAULT_LOCKED", "CONFIG_INVALID"]);
    expect(env.get("PSN_USER")).toBe(USER);
  });
});

describe("keys.env", () => {
  test("any name, the environment above it", () => {
    const path = keysEnvPath(hub);
    writeEnvFile(path, "X_CLIENT_ID=file\nX_CLIENT_SECRET=file\nMY_OWN=file\nEMPTY=\n");
    const env = loadKeysEnv(hub, {
      X_CLIENT_SECRET: "environment",
      MY_OWN: "environment",
      THREADS_APP_ID: "environment",
      HOME: "/",
    });
    expect(Object.fromEntries(env.keys)).toEqual({
      X_CLIENT_ID: { value: "file", origin: { file: path, line: 1 } },
      X_CLIENT_SECRET: { value: "environment", origin: "environment" },
      MY_OWN: { value: "environment", origin: "environment" },
      THREADS_APP_ID: { value: "environment", origin: "environment" },
    });
    expect(env.get("HOME")).toBeUndefined();
  });

  test("none is no error; an exposed or malformed one is", () => {
    expect(loadKeysEnv(hub, {}).keys.size).toBe(0);
    writeEnvFile(keysEnvPath(hub), "X_CLIENT_ID=1\n");
    chmodSync(keysEnvPath(hub), 0o644);
    expect(thrown(() => loadKeysEnv(hub, {})).code).toBe("CONFIG_EXPOSED");
    writeEnvFile(keysEnvPath(hub), "canary\n");
    expect(thrown(() => loadKeysEnv(hub, {})).code).toBe("CONFIG_INVALID");
  });
});

describe("the hub folder", () => {
  test("is the nearest upward with a hub.env", () => {
    const below = join(hub, "a", "b");
    mkdirSync(join(below, "config"), { recursive: true });
    writeEnvFile(hubEnvPath(hub), "");
    expect(findHub(below, {})).toBe(hub);
    writeEnvFile(hubEnvPath(join(hub, "a")), "");
    expect(findHub(below, {})).toBe(join(hub, "a"));
  });

  test("is PSN_HUB, where that is set, even without a hub.env in it", () => {
    writeEnvFile(hubEnvPath(hub), "");
    expect(findHub(hub, { PSN_HUB: "/nowhere" })).toBe("/nowhere");
    expect(findHub(hub, { PSN_HUB: "other" })).toBe(join(hub, "other"));
    expect(findHub(hub, { PSN_HUB: "" })).toBe(hub);
  });

  test("is nowhere", () => {
    expect(findHub(hub, {})).toBeUndefined();
    expect(findHub("/", {})).toBeUndefined();
  });
});

describe("the environment", () => {
  test("about the terminal", () => {
    expect(terminalEnv({})).toEqual({
      noColor: false,
      forceColor: undefined,
      ci: false,
      term: undefined,
      editor: undefined,
      columns: undefined,
    });
    expect(terminalEnv({ NO_COLOR: "", FORCE_COLOR: "", CI: "", TERM: "", EDITOR: "", COLUMNS: "wide" })).toEqual({
      noColor: false,
      forceColor: true,
      ci: false,
      term: undefined,
      editor: undefined,
      columns: undefined,
    });
    expect(
      terminalEnv({
        NO_COLOR: "1",
        FORCE_COLOR: "0",
        CI: "true",
        TERM: "dumb",
        EDITOR: "vi",
        VISUAL: "code -w",
        COLUMNS: "120",
      }),
    ).toEqual({
      noColor: true,
      forceColor: false,
      ci: true,
      term: "dumb",
      editor: "code -w",
      columns: 120,
    });
    expect(terminalEnv({ CI: "false", FORCE_COLOR: "3", COLUMNS: "0" })).toMatchObject({
      ci: false,
      forceColor: true,
      columns: undefined,
    });
    expect(typeof terminalEnv().ci).toBe("boolean");
  });

  test("names a time zone of this machine", () => {
    expect(() => new Intl.DateTimeFormat("en", { timeZone: systemTimeZone() })).not.toThrow();
  });

  test("another program gets no secret", () => {
    const environment = {
      PATH: "/bin",
      HUB_ENCRYPTION_KEY: KEY,
      DATABASE_URL: "x",
      X_CLIENT_SECRET: "x",
      X_CLIENT_ID: "id",
      PSN_HUB: "/h",
      NONE: undefined,
    };
    expect(childEnvironment(environment)).toEqual({ PATH: "/bin", X_CLIENT_ID: "id", PSN_HUB: "/h" });
  });
});
