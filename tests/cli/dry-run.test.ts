import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentOf, psn, scratch, type TestHub, testHub } from "../support/cli.ts";

/* --dry-run on what makes and connects: it says what would be, and nothing is. */

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});
afterAll(() => hub.close());

test("init: an empty folder stays empty", async () => {
  const cwd = await scratch();
  const ran = await psn(["init", "--dry-run", "--json"], { cwd });
  expect(ran.code).toBe(0);
  expect(documentOf(ran)).toEqual({ dryRun: true, hub: cwd, has: { key: false, user: false } });
  expect(await readdir(cwd)).toEqual([]);
});

describe("connect", () => {
  test("asks nobody, writes no row, shows no secret", async () => {
    const secret = join(await scratch(), "secret");
    await writeFile(secret, "whsec_canarycanarycanarycanarycanary\n");
    const before = await hub.state();
    const ran = await hub.psn(["connect", "webhook", "http://127.0.0.1:9/hook", "--secret-file", secret, "--dry-run", "--json"]);
    expect(ran.code).toBe(0);
    expect(documentOf(ran)).toMatchObject({ dryRun: true, platform: "webhook", form: { url: "http://127.0.0.1:9/hook" } });
    expect(ran.stdout + ran.stderr).not.toContain("canary");
    expect(await hub.state()).toEqual(before);
  });
});
