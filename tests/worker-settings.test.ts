import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { examineHub } from "@psn/app/doctor.ts";
import { deafness } from "@psn/app/keep-listening.ts";
import { PsnError } from "@psn/core/errors.ts";
import { READ_ONCE } from "@psn/core/types/index.ts";
import { hubEnvPath, loadHubEnv, writeEnvFile } from "@psn/core/utils/env.ts";
import { liveSettings } from "@psn/wiring/live-settings.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/* Which settings a worker says it goes by, and what psn doctor makes of it. */

const KEY = "ca".repeat(32);
const USER = "01930b1e-7c00-7000-8000-0000000000a1";
const OTHER: Readonly<Record<(typeof READ_ONCE)[number], string>> = {
  DATABASE_URL: "postgres://u:other@h/d",
  DATABASE_LISTEN_URL: "postgres://u:p@direct/d",
  DATABASE_DRIVER: "neon-ws",
  NEON_PROXY: "https://proxy.example.com",
  PSN_DATA: "elsewhere/",
  PSN_USER: "01930b1e-7c00-7000-8000-0000000000a2",
  TRIGGER_API_URL: "https://trigger.example.com",
  TRIGGER_SECRET_KEY: "tr_prod_other",
};

let hub = "";
beforeEach(() => {
  hub = mkdtempSync(join(tmpdir(), "psn-settings-"));
});
afterEach(() => rmSync(hub, { recursive: true, force: true }));

function write(settings: Readonly<Record<string, string>>): void {
  const all = { HUB_ENCRYPTION_KEY: KEY, PSN_USER: USER, DATABASE_URL: "postgres://u:p@h/d", ...settings };
  writeEnvFile(
    hubEnvPath(hub),
    Object.entries(all)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
}
const opened = (environment = {}) => liveSettings(hub, loadHubEnv(hub, environment), environment).told;

type Told = ReturnType<typeof opened>;
/** The line of psn doctor about a worker that says this. */
async function doctor(theirs: Told, ours: Told) {
  const world = {
    stores: {
      inspection: { workers: async () => [{ name: "w", version: "0", beatMsAgo: 0, settings: theirs() }] },
      accounts: { list: async () => [] },
    },
    settings: ours,
    now: () => new Date(),
  } as unknown as Parameters<typeof examineHub>[0];
  const options = {
    network: false,
    signal: new AbortController().signal,
    watchdogMinutes: 5,
    hears: async () => undefined,
  };
  return (await examineHub(world, { id: USER, handle: "ada", timeZone: "UTC" }, options)).find(
    ({ name }) => name === "worker",
  );
}

describe("a worker that runs while a setting is changed", () => {
  test.each(READ_ONCE)(
    "%s: goes by the one it started with, which psn doctor says until it is started again",
    async (name) => {
      write({});
      const worker = opened();
      expect(await doctor(worker, opened())).toMatchObject({ status: "ok" });
      write({ [name]: OTHER[name] });
      expect(await doctor(worker, opened())).toEqual({
        name: "worker",
        status: "warn",
        said: `w and this command use different values of ${name}; a worker reads them only when it starts`,
        fix: "restart psn worker",
      });
      expect(await doctor(opened(), opened())).toMatchObject({ status: "ok" });
      expect(JSON.stringify(worker())).not.toMatch(/postgres:|tr_prod|other/);
    },
  );

  test("follows what it reads again", async () => {
    write({});
    const worker = opened();
    write({ PSN_NOTIFY_URL: "https://ntfy.sh/x", S3_REGION: "eu" });
    expect(worker()).toMatchObject({ PSN_NOTIFY_URL: expect.any(String), S3_REGION: expect.any(String) });
    expect(await doctor(worker, opened())).toMatchObject({ status: "ok" });
  });

  test("names the shell where the setting is from there", async () => {
    write({});
    const worker = opened({ DATABASE_DRIVER: "pg" });
    expect(await doctor(worker, opened())).toMatchObject({
      fix: "unset DATABASE_DRIVER there, and start psn worker again",
    });
  });
});

test.each(["pooled", "elsewhere", new PsnError("DB_REFUSED", "no", { hint: "psn config set DATABASE_URL" })] as const)(
  "the advice about a deaf worker (%s) says to start it again",
  (now) => {
    expect(deafness(now)?.fix).toMatch(/psn config set DATABASE_\w+; where a worker runs, restart psn worker$/);
  },
);
