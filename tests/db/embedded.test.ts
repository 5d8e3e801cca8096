import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Database } from "@psn/core/db/connection.ts";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { hasNotification } from "@psn/core/db/drivers/serve-socket.ts";
import { socketFolderOf } from "@psn/core/db/drivers/socket-folder.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { embeddedFolder, removeEmbeddedFolders } from "../support/embedded.ts";
import { atMost, until } from "../support/until.ts";
import { newId, newUser, schedule, setUp } from "./stage.ts";

const CHILD = fileURLToPath(new URL("../fixtures/embedded-child.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const children = new Set<ChildProcess>();
const opened = new Set<Database>();
afterEach(async () => {
  const gone = [...children].map((child) =>
    child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined,
  );
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(gone);
  children.clear();
  for (const database of opened) await database.close();
  opened.clear();
});
afterAll(removeEmbeddedFolders);

/** Another process on the same folder; `said` is what it has said so far. */
function start(what: string, folder: string, ...words: readonly string[]) {
  const child = spawn(process.execPath, [CHILD, what, folder, ...words], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.add(child);
  const said: string[] = [];
  const exited = once(child, "exit");
  createInterface({ input: child.stdout }).on("line", (line) => said.push(line));
  const until = async (line: RegExp): Promise<string> => {
    for (let waited = 0; waited < 25_000; waited += 5) {
      const found = said.find((each) => line.test(each));
      if (found !== undefined) return found;
      if (child.exitCode !== null && waited > 1_000) break;
      await sleep(5);
    }
    throw new Error(`the other process said ${JSON.stringify(said.slice(-5))} and not ${line}`);
  };
  return {
    said,
    until,
    end: async () => {
      child.stdin.end();
      await exited;
    },
    /** Kills it while this process looks away. */
    suspend: () => child.kill("SIGSTOP"),
    killUnnoticed: () => {
      child.kill("SIGKILL");
      Bun.sleepSync(200);
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function open(folder: string): Promise<Database> {
  const database = await openEmbedded(folder);
  opened.add(database);
  return database;
}
async function close(database: Database): Promise<void> {
  opened.delete(database);
  await database.close();
}
const acks = (said: readonly string[]) => said.flatMap((line) => (line.startsWith("ack ") ? [line.slice(4)] : []));

/** Those of these users who are not there. */
async function missing(database: Database, ids: readonly string[]): Promise<readonly string[]> {
  const there = await database.asOwner?.(
    async (client) => (await client.query("SELECT id::text AS id FROM psn.users")).rows,
  );
  const known = new Set((there ?? []).map((row) => row["id"]));
  return ids.filter((id) => !known.has(id));
}

describe("the embedded database among processes", () => {
  it("is said to be busy by a holder that is suspended: nobody waits for ever", async () => {
    const folder = await embeddedFolder();
    const holder = start("keep", folder);
    await holder.until(/ready/);
    holder.suspend();
    await expect(openEmbedded(folder, undefined, 1_000)).rejects.toMatchObject({
      code: "DB_BUSY",
      hint: expect.stringContaining("fg"),
    });
    await holder.kill();
    const database = await open(folder);
    expect(await createStores(database).inspection.workers()).toEqual([]);
  });

  it("serves other processes while one holds it, also at once", async () => {
    const folder = await embeddedFolder();
    const database = await open(folder);
    const read = await Promise.all([1, 2, 3].map(() => start("once", folder).until(/^read /)));
    const ids = read.map((line) => line.slice(5));
    expect(new Set(ids).size).toBe(3);
    expect(await missing(database, ids)).toEqual([]);
  });

  it("is held by one when several open it at the same moment, and two of them may be one process", async () => {
    const folder = await embeddedFolder();
    const child = start("once", folder);
    const [one, two] = await Promise.all([open(folder), open(folder)]);
    const id = await newUser(createStores(one));
    expect(await createStores(two).users.get(id)).toBeDefined();
    expect(await missing(two, [(await child.until(/^read /)).slice(5)])).toEqual([]);
  });

  it("goes over to one of those left when its holder is killed, whatever they are doing", async () => {
    const folder = await embeddedFolder();
    const holder = start("keep", folder);
    await holder.until(/^ready/);
    const database = await open(folder);
    const stores = createStores(database);
    const other = start("write", folder);
    await other.until(/^ack /);
    // Fills the pool with connections, which will all be dead without this process having noticed.
    await Promise.all(Array.from({ length: 6 }, () => newUser(stores)));
    holder.killUnnoticed();
    const before = performance.now();
    const ids = await Promise.all(Array.from({ length: 6 }, () => newUser(stores)));
    expect(performance.now() - before).toBeLessThan(atMost(15_000));
    const acked = acks(other.said).length;
    for (let waited = 0; waited < 10_000 && acks(other.said).length < acked + 5; waited += 10) await sleep(10);
    expect(acks(other.said).length).toBeGreaterThanOrEqual(acked + 5);
    await other.kill();
    // It held the database perhaps. A statement whose connection was dead before it began is tried again.
    expect(await stores.users.get(ids[0] ?? "")).toBeDefined();
    expect(await missing(database, [...ids, ...acks(other.said)])).toEqual([]);
    // Whoever took it over lets it go.
    await close(database);
    expect(existsSync(join(folder, "socket"))).toBe(false);
  });

  it("goes over when its holder closes in good order", async () => {
    const folder = await embeddedFolder();
    const holder = start("keep", folder);
    await holder.until(/^ready/);
    const database = await open(folder);
    await newUser(createStores(database));
    await holder.end();
    const ids = await Promise.all(Array.from({ length: 6 }, () => newUser(createStores(database))));
    expect(await missing(database, ids)).toEqual([]);
  });

  it("is taken over at once from a process that was killed, and its socket is tidied away", async () => {
    const folder = await embeddedFolder();
    const holder = start("keep", folder);
    await holder.until(/^ready/);
    const socketFolder = socketFolderOf(folder) ?? "";
    expect(existsSync(socketFolder)).toBe(true);
    await holder.kill();
    const before = performance.now();
    const database = await open(folder);
    await newUser(createStores(database));
    // Opening after a crash recovers the log; waiting for somebody to let go would take twenty seconds.
    expect(performance.now() - before).toBeLessThan(atMost(10_000));
    expect(existsSync(socketFolder)).toBe(false);
    const mine = socketFolderOf(folder) ?? "";
    expect(existsSync(mine)).toBe(true);
    await close(database);
    expect(existsSync(mine)).toBe(false);
    expect(existsSync(join(folder, "socket"))).toBe(false);
  });

  it("loses no acknowledged row when holder and writers are killed at random moments", async () => {
    const folder = await embeddedFolder();
    const acked: string[] = [];
    for (let round = 0; round < 2; round += 1) {
      const writers = [start("write", folder), start("write", folder), start("write", folder)];
      await Promise.all(writers.map(({ until }) => until(/^ack /)));
      for (const writer of writers) {
        await sleep(Math.random() * 150);
        await writer.kill();
      }
      acked.push(...writers.flatMap(({ said }) => acks(said)));
      const database = await open(folder);
      expect(await missing(database, acked)).toEqual([]);
      await close(database);
    }
    expect(acked.length).toBeGreaterThan(10);
  });

  it("is not blocked by a process that is killed in the middle of a transaction", async () => {
    const folder = await embeddedFolder();
    const database = await open(folder);
    const stores = createStores(database);
    for (let round = 0; round < 3; round += 1) {
      const half = newId();
      const slow = start("slow", folder, half, "60000");
      await slow.until(/^began/);
      const waiting = newUser(stores);
      await sleep(20);
      await slow.kill();
      expect(await stores.users.get(await waiting)).toBeDefined();
      expect(await stores.users.get(half)).toBeUndefined();
    }
    for (let round = 0; round < 5; round += 1) {
      const writer = start("write", folder);
      await writer.until(/^ack /);
      await sleep(Math.random() * 50);
      await writer.kill();
      await newUser(stores);
      expect(await missing(database, acks(writer.said))).toEqual([]);
    }
  });

  it("keeps the transactions of two processes apart", async () => {
    const folder = await embeddedFolder();
    const database = await open(folder);
    const stores = createStores(database);
    const users = [await newUser(stores), await newUser(stores)];
    const said = await Promise.all(users.map((userId) => start("interleave", folder, userId).until(/^wrong/)));
    expect(said).toEqual(["wrong 0", "wrong 0"]);
  });

  it("keeps statements apart that are in no transaction, beside transactions of others", async () => {
    const database = await open(await embeddedFolder());
    const work = Array.from({ length: 6 }, (_, n) =>
      database.asOwner?.(async (client) => {
        const sums: unknown[] = [];
        for (let i = 0; i < 50; i += 1) {
          if (n < 2) await client.query("BEGIN; SELECT 1");
          sums.push((await client.query(`SELECT $1::int + ${n * 1000} AS sum`, [i])).rows[0]?.["sum"]);
          if (n < 2) await client.query("COMMIT");
        }
        return sums;
      }),
    );
    const wanted = work.map((_, n) => Array.from({ length: 50 }, (__, i) => n * 1000 + i));
    let found: unknown;
    void Promise.all(work).then((all) => {
      found = all;
    });
    await until("every statement is answered", () => found !== undefined, 60_000);
    expect(found).toEqual(wanted);
  });

  it("tells its holder what another process made due", async () => {
    const folder = await embeddedFolder();
    const database = await open(folder);
    const stage = await setUp({
      database,
      owner: database,
      asMember: () => Promise.reject(),
      roundTrips: () => undefined,
      close: async () => undefined,
    });
    const { id } = await schedule(stage, { dueInMs: 3_600_000 });
    let told = 0;
    const stop = await stage.stores.deliveries.listen(() => {
      told += 1;
    });
    expect(await start("move", folder, stage.userId, id).until(/^moved/)).toBe("moved 1");
    expect(told).toBeGreaterThan(0);
    await stop?.close();
  });

  it("lets a busy process finish before it closes, and the next holder has what it wrote", async () => {
    const folder = await embeddedFolder();
    const database = await open(folder);
    const id = newId();
    const slow = start("slow", folder, id, "700");
    await slow.until(/^began/);
    await close(database);
    await slow.until(/^committed/);
    await slow.until(/^closed/);
    const next = await open(folder);
    expect(await missing(next, [id])).toEqual([]);
  });

  it("lives in a folder however deep, though the path of a socket may not", async () => {
    const folder = await embeddedFolder({ deep: 6 });
    expect(folder.length).toBeGreaterThan(250);
    const database = await open(folder);
    const id = (await start("once", folder).until(/^read /)).slice(5);
    expect(await missing(database, [id])).toEqual([]);
  });
});

describe("hasNotification", () => {
  const message = (type: string, length: number) => {
    const bytes = new Uint8Array(1 + length);
    bytes[0] = type.charCodeAt(0);
    new DataView(bytes.buffer).setUint32(1, length);
    // An A among the values must not be taken for a message.
    bytes.fill(0x41, 5);
    return bytes;
  };
  it("finds a notification among other messages, and only there", () => {
    const bytes = (...messages: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(messages));
    expect(hasNotification(bytes())).toBe(false);
    expect(hasNotification(bytes(message("D", 30), message("Z", 5)))).toBe(false);
    expect(hasNotification(bytes(message("D", 30), message("A", 12), message("Z", 5)))).toBe(true);
    expect(hasNotification(message("A", 12).subarray(0, 3))).toBe(false);
  });
});
