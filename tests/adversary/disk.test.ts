import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { databaseError } from "@psn/core/db/drivers/failure.ts";
import { afterAll, describe, expect, test } from "vitest";
import { binary, closedHub, failed } from "../support/cli.ts";
import { embeddedFolder, removeEmbeddedFolders } from "../support/embedded.ts";
import { newImage, whyNoCut } from "../support/ext4-image.ts";
import { type Disk, newDisk, whyNoDisk } from "../support/full-disk.ts";

/* A disk that is full, read-only or broken is named as that, at once, and never taken for another psn. */

const CHILD = fileURLToPath(new URL("../fixtures/embedded-child.ts", import.meta.url));
const skipped = whyNoDisk();
const noCut = await whyNoCut();
const disks: Disk[] = [];
afterAll(async () => {
  for (const disk of disks) disk.remove();
  await removeEmbeddedFolders();
});

/** Far below the 20 seconds that another psn is waited for. */
const AT_ONCE_MS = 10_000;

async function hubOn(size: number): Promise<{ readonly disk: Disk; readonly folder: string }> {
  const disk = newDisk(size);
  disks.push(disk);
  const folder = join(disk.folder, "hub");
  const { status, stderr } = spawnSync("cp", ["-R", await closedHub(), folder], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return { disk, folder };
}

const run = (folder: string, argv: readonly string[], stdin = "") => binary(argv, { cwd: folder, stdin }).ended;

describe.skipIf(skipped !== undefined)(`a full disk${skipped === undefined ? "" : ` (skipped: ${skipped})`}`, () => {
  test("every command says DB_FULL at once, and all is well when there is room again", async () => {
    const { disk, folder } = await hubOn(160);
    expect(await run(folder, ["connect", "feed", "./public"])).toMatchObject({ code: 0 });
    const before = readFileSync(join(folder, "config", "hub.env"), "utf8");
    disk.fill();
    for (const argv of [
      ["queue"],
      ["post", "x", "--to", "feed", "--in", "3d"],
      ["config", "set", "PSN_LATE", "drop"],
      ["keys", "set", "X_CLIENT_ID", "--stdin"],
      ["init", "another"],
    ]) {
      const began = performance.now();
      const said = failed(await run(folder, argv, "secret\n"), "DB_FULL");
      expect(said).toMatch(/disk is full/);
      expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
    }
    expect(readFileSync(join(folder, "config", "hub.env"), "utf8")).toBe(before);
    disk.empty();
    expect(await run(folder, ["post", "x", "--to", "feed", "--in", "3d"])).toMatchObject({ code: 0 });
  });

  test("a database that is open says so too, and so do an export and a feed", async () => {
    const { disk, folder } = await hubOn(160);
    const feed = newDisk(1);
    const file = newDisk(1);
    disks.push(feed, file);
    expect(await run(folder, ["connect", "feed", join(feed.folder, "public"), "--title", "full"])).toMatchObject({
      code: 0,
    });
    feed.fill();
    file.fill();
    const post = await run(folder, ["post", "to a full feed", "--to", "feed", "--no-wait"]);
    expect(post).toMatchObject({ code: 0 });
    const worker = binary(["worker"], { cwd: folder });
    await worker.says("disk is full");
    const sealed = await run(
      folder,
      ["export", join(file.folder, "hub.age"), "--passphrase-stdin"],
      "five random words are it\n",
    );
    expect(failed(sealed, "DB_FULL")).toMatch(/hub\.age/);
    expect(existsSync(join(file.folder, "hub.age"))).toBe(false);
    disk.fill();
    failed(
      await run(folder, ["post", randomBytes(60_000).toString("base64"), "--to", "feed", "--in", "3d"]),
      "DB_FULL",
    );
    worker.child.kill("SIGTERM");
    expect(await worker.ended).toMatchObject({ code: 0 });
  });

  test("psn init on a disk that is too small", async () => {
    const disk = newDisk(6);
    disks.push(disk);
    failed(await run(disk.folder, ["init", "hub"]), "DB_FULL");
  });

  test("a read-only disk is said to be one", async () => {
    const { disk, folder } = await hubOn(100);
    disk.readOnly();
    expect(failed(await run(folder, ["queue"]), "FILE_UNWRITABLE")).toMatch(/data.* read-only/);
    expect(failed(await run(folder, ["config", "set", "PSN_LATE", "drop"]), "CONFIG_UNWRITABLE")).toMatch(/read-only/);
    expect(failed(await run(folder, ["init", "another"]), "FILE_UNWRITABLE")).toMatch(/read-only/);
  });
});

test("Postgres's words for a full disk and a used up quota", () => {
  const of = (code: string, message: string) => databaseError(Object.assign(new Error(message), { code })).code;
  expect(of("53100", "could not extend file")).toBe("DB_FULL");
  expect(of("58030", 'could not write file "base/1": Disk quota exceeded')).toBe("DB_FULL");
  expect(of("XX000", 'could not write file "base/1": No space left on device')).toBe("DB_FULL");
  expect(of("58030", "could not read block 7")).toBe("DB_FAILED");
  // What a person wrote is not looked at.
  expect(of("22P02", 'invalid input: "No space left on device"')).toBe("DB_FAILED");
});

describe.skipIf(noCut !== undefined)(`a disk that fails${noCut === undefined ? "" : ` (skipped: ${noCut})`}`, () => {
  test("a statement whose commit cannot be synced ends, and so does closing", async () => {
    const image = await newImage(200);
    try {
      const data = join(image.folder, "data");
      mkdirSync(data, { mode: 0o700 });
      spawnSync("cp", ["-R", `${await embeddedFolder()}/pgdata`, data]);
      const child = spawn(process.execPath, [CHILD, "untilRefused", data], { stdio: ["pipe", "pipe", "inherit"] });
      const lines = createInterface({ input: child.stdout });
      const ended = once(child, "exit");
      try {
        await once(lines, "line");
        const refused = once(lines, "line");
        image.cut();
        // Deaf and for ever, if it failed: a signal would not end it either.
        const [line] = await Promise.race([refused, sleep(30_000, ["nothing"])]);
        expect(line).toMatch(/^refused (DB_UNREACHABLE|DB_FAILED|DB_UNUSABLE|FILE_UNWRITABLE)$/);
        expect(await Promise.race([ended, sleep(30_000, "goes on")])).toEqual([0, null]);
      } finally {
        child.kill("SIGKILL");
      }
    } finally {
      await image.remove();
    }
  });
});
