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
  expect(documentOf(ran)).toEqual({ dryRun: true, hub: cwd, has: { key: false, user: false }, calls: [], ignored: [] });
  expect(await readdir(cwd)).toEqual([]);
});

test("init --neon --trigger: tells its requests, asks nobody, needs no key", async () => {
  const cwd = await scratch();
  const places = ["--neon-api-host", "http://127.0.0.1:9/api/v2", "--trigger-url", "http://127.0.0.1:9"];
  const ran = await psn(
    ["init", "--neon", "--trigger", "--neon-region", "aws-eu-central-1", ...places, "--dry-run", "--json"],
    { cwd },
  );
  expect(ran.code).toBe(0);
  const { calls } = documentOf(ran) as { readonly calls: readonly { readonly method: string; readonly url: string }[] };
  expect(calls).toContainEqual(
    expect.objectContaining({
      method: "POST",
      url: "http://127.0.0.1:9/api/v2/projects",
      body: { project: expect.objectContaining({ region_id: "aws-eu-central-1" }) },
    }),
  );
  expect(calls).toContainEqual(
    expect.objectContaining({ method: "POST", url: "http://127.0.0.1:9/api/v1/orgs/ORGANISATION/projects" }),
  );
  expect(await readdir(cwd)).toEqual([]);
});

describe("connect", () => {
  test("writes no row, shows no secret", async () => {
    const secret = join(await scratch(), "secret");
    await writeFile(secret, "whsec_canarycanarycanarycanarycanaryAA\n");
    const before = await hub.state();
    const ran = await hub.psn([
      "connect",
      "webhook",
      "http://127.0.0.1:9/hook",
      "--secret-file",
      secret,
      "--dry-run",
      "--json",
    ]);
    expect(ran.code).toBe(0);
    expect(documentOf(ran)).toMatchObject({
      dryRun: true,
      platform: "webhook",
      form: { url: "http://127.0.0.1:9/hook" },
    });
    expect(ran.stdout + ran.stderr).not.toContain("canary");
    expect(await hub.state()).toEqual(before);
  });

  test("says at a terminal what would be asked for, and asks for nothing", async () => {
    const ran = await hub.psn(["connect", "bluesky", "ada.test", "--dry-run"], { tty: ["stdin", "stdout", "stderr"] });
    expect(ran).toMatchObject({
      code: 0,
      stdout: "would connect bluesky with identifier ada.test, password (asked for), server https://bsky.social\n",
    });
  });
});
