import { chmodSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { filesOf, psn, scratch, type TestHub, testHub } from "../support/cli.ts";

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});

describe("psn init", () => {
  test("twice: the second run keeps everything", async () => {
    const before = await hub.state();
    for (const flags of [[], ["--tz", "Europe/Berlin", "--handle", "me"]]) {
      const { code, stdout } = await hub.psn(["init", ...flags]);
      expect({ code, stdout }).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^kept {2}key.*\nkept {2}database\nkept {2}user\n/),
      });
      expect(stdout).toContain("Times are in Europe/Berlin. To change that: psn init --tz ZONE");
      expect(await hub.state()).toBe(before);
    }
  });

  test("again with another zone or name changes it, also where hub.env says one", async () => {
    const due = async () => (await hub.psn(["post", "soon", "--at", "2030-01-01 09:00", "--dry-run"])).stdout;
    expect(await hub.psn(["init", "--tz", "Asia/Tokyo", "--dry-run"])).toMatchObject({
      stdout: expect.stringContaining("would set your time zone to Asia/Tokyo"),
    });
    expect(await due()).toContain("Europe/Berlin");
    expect(await hub.psn(["init", "--tz", "Asia/Tokyo", "--handle", "ada"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/changed {2}user\nTimes are in Asia\/Tokyo/),
    });
    expect(await due()).toContain("Asia/Tokyo");
    expect(await hub.rows("SELECT handle, time_zone FROM psn.users")).toEqual([
      { handle: "ada", time_zone: "Asia/Tokyo" },
    ]);
    expect(await hub.psn(["config", "set", "PSN_TIME_ZONE", "America/Lima"])).toMatchObject({ code: 0 });
    expect(await hub.psn(["init"])).toMatchObject({ stdout: expect.stringContaining("Times are in America/Lima") });
    expect(await hub.psn(["init", "--tz", "Asia/Tokyo"])).toMatchObject({
      stdout: expect.stringContaining("Times are in Asia/Tokyo"),
    });
    expect(await due()).toContain("Asia/Tokyo");
    const env = { PSN_TIME_ZONE: "UTC" };
    const ran = await hub.binary(["init", "--tz", "Europe/Berlin", "--json"], { env }).ended;
    expect(JSON.parse(ran.stdout)).toMatchObject({ user: { handle: "ada", timeZone: "UTC" }, ignored: [] });
    expect(await hub.binary(["init", "--tz", "Europe/Berlin"], { env }).ended).toMatchObject({
      stderr: expect.stringContaining("PSN_TIME_ZONE of the environment is UTC, and overrides --tz"),
    });
    expect(await hub.psn(["config", "set", "PSN_TIME_ZONE", "--unset"])).toMatchObject({ code: 0 });
    expect(await hub.psn(["init", "--tz", "Europe/Berlin", "--handle", "me"])).toMatchObject({ code: 0 });
  });

  test("makes a hub elsewhere, for its owner's eyes alone", async () => {
    const folder = join(await scratch("init"), "my hub");
    await mkdir(folder);
    chmodSync(folder, 0o755);
    const made = await psn(["init", folder, "--tz", "UTC"], { cwd: "/" });
    expect(made).toMatchObject({ code: 0 });
    const modes = (await filesOf(join(folder, "config"))).map((line) =>
      line
        .slice(folder.length + 1)
        .split(" ")
        .slice(0, 2)
        .join(" "),
    );
    expect(modes).toEqual(["config/.gitignore 644", "config/.lock 600", "config/hub.env 600", "config/keys.env 600"]);
    expect(statSync(join(folder, "config")).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, "data")).mode & 0o777).toBe(0o700);
    expect(await psn(["queue", "--hub", folder], { cwd: "/" })).toMatchObject({ code: 0 });
    expect(await psn(["doctor"], { cwd: join(folder, "data") })).toMatchObject({ code: 0 });
  });
});
