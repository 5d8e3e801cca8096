import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { binary, closedHub, failed, type Running } from "../support/cli.ts";
import { embeddedFolder, removeEmbeddedFolders } from "../support/embedded.ts";

/*
 * A psn that holds the embedded database and is suspended (Ctrl-Z): everybody else says so, in time, and ends by a
 * signal.
 */

const CHILD = fileURLToPath(new URL("../fixtures/embedded-child.ts", import.meta.url));

/** More than any of them needs on a busy machine, and much less than for ever, in milliseconds. */
const LIMIT_MS = 60_000;

let folder: string;
let holder: Running;
beforeAll(async () => {
  folder = await closedHub();
  expect(await binary(["connect", "feed", "./public"], { cwd: folder }).ended).toMatchObject({ code: 0 });
  holder = binary(["worker"], { cwd: folder });
  await holder.says("Ctrl-C stops it");
  await vi.waitUntil(() => existsSync(join(folder, "data", "socket")), 20_000);
});
afterAll(async () => {
  holder.child.kill("SIGCONT");
  holder.child.kill("SIGTERM");
  await holder.ended;
});
const suspend = () => holder.child.kill("SIGSTOP");
const goOn = () => holder.child.kill("SIGCONT");

test("every command says who holds the database, since when, and how it goes on", async () => {
  const commands = [
    ["queue"],
    ["post", "x", "--to", "feed", "--in", "3d"],
    ["doctor"],
    ["destroy", "--yes"],
    ["worker"],
  ];
  suspend();
  try {
    const began = performance.now();
    const all = await Promise.all(commands.map((argv) => binary(argv, { cwd: folder }).ended));
    expect(performance.now() - began).toBeLessThan(LIMIT_MS);
    for (const [index, ran] of all.entries()) {
      const [name = ""] = commands[index] ?? [];
      const said = ran.stdout + ran.stderr;
      expect(said, name).toMatch(new RegExp(`\\(pid ${holder.child.pid}, since \\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z\\)`));
      if (name !== "destroy") expect(said, name).toContain(`kill -CONT ${holder.child.pid}`);
      if (!["doctor", "destroy"].includes(name)) failed(ran, "DB_BUSY");
      expect(ran.code, name).not.toBe(0);
    }
  } finally {
    goOn();
  }
  expect(await binary(["queue"], { cwd: folder }).ended).toMatchObject({ code: 0 });
});

test("a holder that is suspended under a running command does not keep it", async () => {
  const running = binary(["worker"], { cwd: folder });
  await running.says("Ctrl-C stops it");
  suspend();
  try {
    await running.says("is suspended");
    running.child.kill("SIGTERM");
    const ended = await Promise.race([running.ended, sleep(LIMIT_MS)]);
    expect(ended).toMatchObject({ signal: null });
  } finally {
    goOn();
  }
});

test.each([
  ["a transaction", "0"],
  ["a transaction, while others of its own wait behind that", "3"],
])("one that is suspended within %s does not keep the others out", async (_name, others) => {
  const data = await embeddedFolder();
  const database = await openEmbedded(data);
  const stores = createStores(database);
  try {
    const child = spawn(process.execPath, [CHILD, "slow", data, Bun.randomUUIDv7(), "60000", others], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(createInterface({ input: child.stdout }), "line");
    child.kill("SIGSTOP");
    try {
      const id = Bun.randomUUIDv7();
      await stores.users.add({ id, handle: "one", timeZone: "UTC" });
      expect(await stores.users.get(id)).toMatchObject({ handle: "one" });
    } finally {
      child.kill("SIGKILL");
    }
  } finally {
    await database.close();
    await removeEmbeddedFolders();
  }
});
