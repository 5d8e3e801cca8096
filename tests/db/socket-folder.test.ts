import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Database } from "@psn/core/db/connection.ts";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { placeOf, socketFolderOf } from "@psn/core/db/drivers/socket-folder.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { afterAll, afterEach, expect, test } from "vitest";
import { embeddedFolder, removeEmbeddedFolders } from "../support/embedded.ts";
import { newUser } from "./stage.ts";

/*
 * Whose socket it is: of a data folder that was copied, of a temporary folder that was cleared, of a note somebody else
 * wrote.
 */

const CHILD = fileURLToPath(new URL("../fixtures/embedded-child.ts", import.meta.url));
const children = new Set<ChildProcess>();
const opened = new Set<Database>();
const made = new Set<string>();
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  children.clear();
  for (const database of opened) await database.close();
  opened.clear();
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});
afterAll(removeEmbeddedFolders);

async function open(folder: string): Promise<Database> {
  const database = await openEmbedded(folder);
  opened.add(database);
  return database;
}

/** Another process that does this in the folder; resolves to its first line. */
async function child(what: string, folder: string): Promise<string> {
  const started = spawn(process.execPath, [CHILD, what, folder], { stdio: ["pipe", "pipe", "inherit"] });
  children.add(started);
  const [line] = await once(createInterface({ input: started.stdout }), "line");
  return String(line);
}

const temporary = () => {
  const folder = mkdtempSync(join(tmpdir(), "psn-"));
  made.add(folder);
  return folder;
};

test("who opens a copy leaves the original's socket alone, and is not led to the original's database", async () => {
  const folder = await embeddedFolder();
  expect(await child("keep", folder)).toBe("ready");
  const socketFolder = socketFolderOf(folder) ?? "";
  const copy = join(temporary(), "data");
  cpSync(folder, copy, { recursive: true, filter: (path) => !path.endsWith("postmaster.pid") });
  expect(socketFolderOf(copy)).toBeUndefined();
  const there = await open(copy);
  const id = await newUser(createStores(there));
  expect(existsSync(socketFolder)).toBe(true);
  expect(await child("once", folder)).toMatch(/^read /);
  expect(await createStores(await open(folder)).users.get(id)).toBeUndefined();
});

test("a holder whose socket was removed makes another: it goes on, and so do those who come", async () => {
  const folder = await embeddedFolder();
  const stores = createStores(await open(folder));
  await newUser(stores);
  const before = socketFolderOf(folder) ?? "";
  rmSync(before, { recursive: true });
  const [line, id] = await Promise.all([child("once", folder), newUser(stores)]);
  expect(line).toMatch(/^read /);
  expect(await stores.users.get(id)).toBeDefined();
  const after = socketFolderOf(folder) ?? "";
  expect([existsSync(after), after === before]).toEqual([true, false]);
  // Once more, by a holder that is idle.
  rmSync(after, { recursive: true });
  expect(await child("once", folder)).toMatch(/^read /);
});

test("nothing is removed by a note that leads elsewhere", async () => {
  const folder = await embeddedFolder();
  const parent = temporary();
  const victim = join(parent, "victim");
  mkdirSync(victim);
  const own = `\n${placeOf(folder)}\n`;
  const linked = join(tmpdir(), `psn-${basename(parent).slice(4).split("").toReversed().join("")}`);
  symlinkSync(victim, linked);
  made.add(linked);
  const full = temporary();
  writeFileSync(join(full, "letter"), "words");
  const open755 = temporary();
  chmodSync(open755, 0o755);
  for (const path of [
    `${parent}/../${basename(parent)}/victim`,
    victim,
    linked,
    full,
    open755,
    parent,
    `${parent}/`,
    tmpdir(),
    "",
  ]) {
    writeFileSync(join(folder, "socket"), `${path}${own}`);
    const database = await openEmbedded(folder);
    await newUser(createStores(database));
    await database.close();
    expect([existsSync(victim), existsSync(linked), existsSync(open755), readdirSync(full)]).toEqual([
      true,
      true,
      true,
      ["letter"],
    ]);
  }
});

test("a data folder that was open to others is closed to them", async () => {
  const folder = await embeddedFolder();
  chmodSync(folder, 0o755);
  await open(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});
