import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lockedRuntimes } from "../../scripts/build/runtimes.ts";
import { journey, psnIn } from "./journey.ts";

/*
 * psn as one program, as a user gets it who has neither Bun nor Node nor anything else on PATH, and no HOME.
 */

const ROOT = join(import.meta.dirname, "../..");
const PLATFORM = `linux-${process.arch}`;
let root: string;
let packed: Buffer;

/** The files that a build writes, in a folder of its own. */
async function build(name: string): Promise<string> {
  const args = [join(ROOT, "scripts/build.ts"), join(root, name), "--binaries", "--platform", PLATFORM];
  const built = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(built, built.stderr).toMatchObject({ status: 0 });
  return join(root, name, "binaries");
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "psn-binary-")));
  const folder = await build("first");
  expect((await readdir(folder)).toSorted()).toEqual(["SHA256SUMS", `psn-${PLATFORM}.gz`]);
  packed = await readFile(join(folder, `psn-${PLATFORM}.gz`));
  expect(await readFile(join(folder, "SHA256SUMS"), "utf8")).toBe(`${sha256(packed)}  psn-${PLATFORM}.gz\n`);
  await writeFile(join(root, "psn"), gunzipSync(packed));
  await chmod(join(root, "psn"), 0o755);
});
afterAll(() => rm(root, { recursive: true, force: true }));

test("two builds have the same bytes, and no path of the machine that built them", async () => {
  expect(gunzipSync(packed).includes(ROOT)).toBe(false);
  const second = await readFile(join(await build("second"), `psn-${PLATFORM}.gz`));
  expect(sha256(second)).toBe(sha256(packed));
});

test("the checksum of each platform's Bun is in bun.lock", async () => {
  const lock = await readFile(join(ROOT, "bun.lock"), "utf8");
  const runtimes = lockedRuntimes(lock);
  expect(new Set([...runtimes.values()].map(({ version }) => version))).toEqual(new Set([Bun.version]));
  expect(runtimes.size).toBe([...lock.matchAll(/^ +"@oven\/bun-/gm)].length);
});

test("no program is made of a Bun that is not the one in bun.lock", async () => {
  const cache = await mkdtemp(join(root, "cache-"));
  await writeFile(join(cache, `oven-bun-linux-x64-musl-${Bun.version}.tgz`), "another");
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, "scripts/build.ts"), join(root, "other"), "--binaries", "--platform", "linux-x64-musl"],
    { encoding: "utf8", env: { ...process.env, PSN_TEST_CACHE: cache } },
  );
  expect(status).not.toBe(0);
  expect(stderr).toContain("is not what bun.lock says; remove it and build again");
  expect(await readdir(join(root, "other", "binaries"))).toEqual([]);
});

describe("on a machine with nothing else", () => {
  const install = () => ({ program: join(root, "psn"), env: { PATH: "/nonexistent" }, folder: root });
  journey(install);

  test("psn knows what it is, and reads no file that it is not told of", async () => {
    expect(psnIn(install(), ["service", "print", "systemd"]).stdout).toContain(`="${join(root, "psn")}" "worker"`);
    expect(psnIn(install(), ["completion", "bash"]).stdout).toContain("psn");
    await writeFile(join(root, "hub", ".env"), "PSN_HUB=/nonexistent\n");
    await writeFile(join(root, "hub", "bunfig.toml"), 'preload = ["./nonexistent.ts"]\n');
    expect(psnIn(install(), ["queue"])).toMatchObject({ code: 0 });
  });
});
