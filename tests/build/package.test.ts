import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checked } from "./checked.ts";
import { dryDeploy, expectSameTasks } from "./dry-deploy.ts";
import { journey } from "./journey.ts";

/*
 * The npm package as a user gets it: packed, and installed by npm into an empty prefix, with an empty HOME and cache
 * and with no other programs on PATH than Node and npm.
 */

const ROOT = join(import.meta.dirname, "../..");
let root: string;
let env: Record<string, string>;
let psnPath: string;
let sizes: Map<string, number>;

function run(command: string, args: readonly string[]) {
  const ran = spawnSync(command, args, { env, cwd: root, encoding: "utf8" });
  return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
}

function build(name: string): string {
  const folder = join(root, name);
  const built = spawnSync(process.execPath, [join(ROOT, "scripts/build.ts"), folder], { encoding: "utf8" });
  expect(built.stderr, built.stdout).toBe("");
  return join(folder, "npm");
}

async function contents(folder: string): Promise<Map<string, Buffer>> {
  const names = (await readdir(folder, { recursive: true })).toSorted();
  const files = new Map<string, Buffer>();
  for (const name of names)
    if ((await stat(join(folder, name))).isFile()) files.set(name, await readFile(join(folder, name)));
  return files;
}

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "psn-package-")));
  for (const name of ["tools", "home", "prefix", "cache"]) await mkdir(join(root, name));
  for (const name of ["node", "npm", "sh"])
    await symlink(await realpath(Bun.which(name) ?? ""), join(root, "tools", name));
  // npm is told where its registry is and whom it trusts, and nothing else of this machine.
  const registry = spawnSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).stdout.trim();
  env = { PATH: join(root, "tools"), HOME: join(root, "home"), npm_config_registry: registry };
  for (const name of ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "HTTPS_PROXY"])
    if (process.env[name] !== undefined) env[name] = process.env[name];
  Object.assign(env, { npm_config_cache: join(root, "cache"), npm_config_prefix: join(root, "prefix") });
  const folder = build("first");
  sizes = new Map([...(await contents(folder))].map(([name, bytes]) => [name, bytes.length]));
  expect(run("npm", ["pack", folder, "--silent"])).toMatchObject({ code: 0 });
  const tarball = (await readdir(root)).find((name) => name.endsWith(".tgz")) ?? "";
  const installed = run("npm", ["install", "--global", "--ignore-scripts", join(root, tarball)]);
  expect(installed, installed.stderr).toMatchObject({ code: 0 });
  psnPath = join(root, "prefix", "bin", "psn");
});
afterAll(() => rm(root, { recursive: true, force: true }));

test("two builds have the same bytes, and no path of the machine that built them", async () => {
  const [first, second] = [await contents(join(root, "first", "npm")), await contents(build("second"))];
  const sums = (files: Map<string, Buffer>) =>
    [...files].map(([name, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${name}`);
  expect(sums(second)).toEqual(sums(first));
  for (const [name, bytes] of first) expect(bytes.includes(ROOT), name).toBe(false);
});

test("the package is small, and has neither sources nor tools in it", () => {
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  expect(bytes).toBeLessThan(40_000_000);
  expect(sizes.size).toBeLessThan(300);
  expect([...sizes.keys()].filter((name) => /(?<!\.d)\.ts$|node_modules/.test(name))).toEqual([]);
});

test("the manual pages are installed where man looks for them", async () => {
  const page = await readFile(join(root, "prefix", "share", "man", "man1", "psn-post.1"), "utf8");
  expect(page).toContain("publish a post, now or at a time");
});

describe("installed", () => {
  const install = () => ({ program: psnPath, env, folder: root });
  journey(install);

  test("psn deploy --dry-run builds the same tasks as the source tree, and changes nothing", async () => {
    const ran = await dryDeploy({ psn: psnPath, env, hub: join(root, "hub") });
    expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
    expect(ran.asked.length).toBeGreaterThan(2);
    expect(ran.asked.filter((method) => method !== "GET")).toEqual([]);
    await expectSameTasks(join(root, "home", ".cache", "psn"));
  });

  test("takes nothing from a .env and a bunfig.toml of the folder where it starts", async () => {
    const folder = join(root, "strange");
    await mkdir(folder);
    await writeFile(join(folder, ".env"), `PSN_HUB=${join(root, "nowhere")}\n`);
    await writeFile(join(folder, "bunfig.toml"), 'preload = ["./strange.ts"]\n');
    await writeFile(join(folder, "strange.ts"), 'console.log("a stranger\'s code");\n');
    const ran = spawnSync(psnPath, ["queue", "--hub", join(root, "hub")], { cwd: folder, env, encoding: "utf8" });
    expect(ran, ran.stderr).toMatchObject({ status: 0 });
    expect(ran.stdout).not.toContain("stranger");
    const { stderr } = spawnSync(psnPath, ["queue"], { cwd: folder, env, encoding: "utf8" });
    expect(stderr).not.toContain("nowhere");
  });

  test("a program has openHub, with its types", async () => {
    const folder = join(root, "program");
    await mkdir(join(folder, "node_modules"), { recursive: true });
    await symlink(join(root, "prefix/lib/node_modules/psn"), join(folder, "node_modules/psn"));
    const source = `import { openHub, PsnError } from "psn";
const hub = await openHub({ folder: ${JSON.stringify(join(root, "hub"))} });
const { accounts } = await hub.accounts({});
const refused = await hub.show({ id: "00000000" }).catch((error: unknown) => error);
console.log(accounts.map(({ platform }) => platform).join(), refused instanceof PsnError && refused.code);
await hub.close();
`;
    await writeFile(join(folder, "main.ts"), source);
    const said = await checked(folder);
    expect(said).toBe("");
    const ran = spawnSync(process.execPath, ["main.ts"], { cwd: folder, env, encoding: "utf8" });
    expect(ran).toMatchObject({ stdout: "feed NOT_FOUND\n", stderr: "" });
  });

  test("Bun on PATH is taken if it is new enough, and what is missing is said", async () => {
    const other = join(root, "other");
    await mkdir(other);
    const has = async (version: string) => {
      await writeFile(join(other, "bun"), `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || echo taken\n`);
      await chmod(join(other, "bun"), 0o755);
      const PATH = `${other}:${env["PATH"]}`;
      return spawnSync(psnPath, ["--version"], { env: { ...env, PATH }, encoding: "utf8" }).stdout.trim();
    };
    expect(await has("1.4.0")).toBe("taken");
    expect(await has("1.3.9")).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
