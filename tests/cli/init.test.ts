import { chmodSync, statSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { binary, filesOf, psn, scratch, type TestHub, testHub } from "../support/cli.ts";

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});

describe("psn init", () => {
  test("twice: the second run keeps everything", async () => {
    const before = await hub.state();
    const { code, stdout } = await hub.psn(["init", "--tz", "UTC", "--handle", "other"]);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^kept {2}key.*\nkept {2}database\nkept {2}user\n/) });
    expect(await hub.state()).toBe(before);
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

  test("killed at any moment, and run again", async () => {
    const folder = await scratch("killed");
    const tmp = await scratch("tmp");
    const init = () => binary(["init", "--tz", "UTC"], { cwd: folder, env: { TMPDIR: tmp } });
    const moments = [0.02, 0.1, 0.3, 0.6, 1.2, 2.4].map((most) => Math.round(1000 * most * (0.5 + Math.random() / 2)));
    let key: string | undefined;
    for (const ms of moments) {
      const { child, ended } = init();
      await sleep(ms);
      child.kill("SIGKILL");
      await ended;
      const text = await readFile(join(folder, "config", "hub.env"), "utf8").catch(() => "");
      const [, found] = /^HUB_ENCRYPTION_KEY=([0-9a-f]{64})$/m.exec(text) ?? [];
      // A key that was there once is never replaced.
      if (key !== undefined) expect(found, `killed after ${moments.join(", ")} ms`).toBe(key);
      key = found ?? key;
    }
    expect(await init().ended, `killed after ${moments.join(", ")} ms`).toMatchObject({ code: 0 });
    const run = (...argv: string[]) => binary(argv, { cwd: folder, env: { TMPDIR: tmp } }).ended;
    expect(await run("connect", "feed", join(folder, "public"))).toMatchObject({ code: 0 });
    expect(await run("post", "after all")).toMatchObject({ code: 0 });
    expect(await run("doctor")).toMatchObject({ code: 0 });
    expect(await readdir(tmp)).toEqual([]);
    expect((await readdir(join(folder, "config"))).filter((name) => !name.includes("incarnation")).toSorted()).toEqual([
      ".gitignore",
      ".lock",
      "hub.env",
      "keys.env",
    ]);
  });
});
