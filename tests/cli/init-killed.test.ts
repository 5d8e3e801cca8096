import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { binary, scratch } from "../support/cli.ts";

test("psn init, killed at any moment, and run again", async () => {
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
