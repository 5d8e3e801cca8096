import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TASKS } from "@psn/app/deploy-tasks.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BUNDLING } from "../../scripts/build/bundle.ts";
import { dryDeploy, expectSameTasks } from "./dry-deploy.ts";

/* psn deploy by one compiled program, for a user with Node on PATH, and without Bun, npm or a checkout of psn. */

let root: string;
let env: Record<string, string>;
let psn: string;
let hub: string;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "psn-deploy-program-")));
  for (const name of ["tools", "home", "hub"]) await mkdir(join(root, name));
  await symlink(await realpath(Bun.which("node") ?? ""), join(root, "tools", "node"));
  const registry = spawnSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).stdout.trim();
  env = { PATH: join(root, "tools"), HOME: join(root, "home"), npm_config_registry: registry };
  for (const name of ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "HTTPS_PROXY"])
    if (process.env[name] !== undefined) env[name] = process.env[name];
  psn = join(root, "psn");
  const built = await Bun.build({
    ...BUNDLING,
    compile: { outfile: psn, autoloadDotenv: false, autoloadBunfig: false },
  });
  expect(built.success, built.logs.join("\n")).toBe(true);
  hub = join(root, "hub");
  expect(spawnSync(psn, ["init"], { cwd: hub, env })).toMatchObject({ status: 0 });
});
afterAll(() => rm(root, { recursive: true, force: true }));

test("without a registry psn deploy says so, and leaves nothing half-made", async () => {
  const ran = await dryDeploy({ psn, hub, env: { ...env, npm_config_registry: "http://user:hunter2@127.0.0.1:9/" } });
  expect(ran).toMatchObject({ code: 1, asked: [] });
  expect(JSON.parse(ran.stdout)).toMatchObject({
    error: { code: "DEPLOY_FAILED", hint: expect.stringContaining("check the network") },
  });
  expect(ran.stdout + ran.stderr).not.toContain("hunter2");
  const made = await readdir(join(root, "home", ".cache", "psn"));
  expect(made.filter((name) => name.startsWith("tasks-"))).toEqual([]);
});

test("the program builds the same tasks as the source tree, and a second run installs nothing", async () => {
  const ran = await dryDeploy({ psn, hub, env });
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(ran.stdout)).toMatchObject({ dryRun: true, tasks: TASKS });
  expect(ran.asked.length).toBeGreaterThan(2);
  expect(ran.asked.filter((method) => method !== "GET")).toEqual([]);
  await expectSameTasks(join(root, "home", ".cache", "psn"));
  const again = await dryDeploy({ psn, hub, env: { ...env, npm_config_registry: "http://127.0.0.1:9/" } });
  expect(again, again.stdout + again.stderr).toMatchObject({ code: 0 });
});
