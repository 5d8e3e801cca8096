import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { until } from "../support/until.ts";

/*
 * What a person does with psn, however it is installed: from an empty folder to a hub that another machine takes over.
 */

export interface Install {
  readonly program: string;
  /** All that psn gets of this machine's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** An empty folder, in which the journey makes `hub`. */
  readonly folder: string;
}

const PASSPHRASE = "a long enough passphrase\n";

/** Runs psn in the journey's hub. */
export function psnIn({ program, env, folder }: Install, args: readonly string[], input = "") {
  const ran = spawnSync(program, args, { env, cwd: join(folder, "hub"), input, encoding: "utf8" });
  return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
}

/** The tests of the journey. `install` is called when they run. */
export function journey(install: () => Install): void {
  const hub = () => join(install().folder, "hub");
  const ok = (args: readonly string[], input?: string) => {
    const ran = psnIn(install(), args, input);
    expect(ran, `${args.join(" ")}: ${ran.stderr}`).toMatchObject({ code: 0 });
    return ran.stdout;
  };
  const published = async () => JSON.parse(await readFile(join(hub(), "public", "feed.json"), "utf8")).items.length;

  beforeAll(async () => {
    await mkdir(hub());
    ok(["init"]);
    ok(["connect", "feed", "./public"]);
  });

  test("a post goes out, also with a video, which a thread reads", async () => {
    ok(["post", "hello", "--to", "feed"]);
    expect(await published()).toBe(1);
    // No video: the thread begins, and says so.
    await writeFile(join(hub(), "clip.mp4"), Buffer.from("\0\0\0\x18ftypmp42\0\0\0\0mp42isom"));
    const args = ["post", "clip", "--to", "feed", "--media", "clip.mp4", "--dry-run"];
    expect(psnIn(install(), args).stderr).toContain("MEDIA_INVALID");
  });

  test("a worker that is killed leaves what the next one publishes once", async () => {
    ok(["post", "later", "--to", "feed", "--in", "5s", "--no-wait"]);
    const before = await published();
    const killed = await worker(install(), hub());
    // A launcher and, where Node cannot become another program, Bun below it.
    process.kill(-(killed.pid ?? 0), "SIGKILL");
    const next = await worker(install(), hub());
    await until("the post is published", async () => (await published()) === before + 1);
    next.kill("SIGTERM");
    expect(await new Promise((resolve) => next.on("close", resolve))).toBe(0);
  });

  test("doctor, rotation, export and import", async () => {
    ok(["doctor"]);
    ok(["vault", "rotate", "--yes"]);
    const [archive, copy] = [join(install().folder, "hub.psn"), join(install().folder, "copy")];
    ok(["export", archive, "--passphrase-stdin"], PASSPHRASE);
    await mkdir(copy);
    ok(["import", archive, "--hub", copy, "--passphrase-stdin", "--no-settings"], PASSPHRASE);
    expect(ok(["accounts", "--hub", copy])).toContain("feed");
  });
}

/** A worker that has said something, in a process group of its own. */
async function worker({ program, env }: Install, cwd: string): Promise<ChildProcess> {
  const child = spawn(program, ["worker"], { cwd, env, stdio: ["ignore", "ignore", "pipe"], detached: true });
  await new Promise((resolve) => child.stderr.once("data", resolve));
  child.stderr.resume();
  return child;
}
