import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database } from "@psn/core/db/connection.ts";
import { isLog } from "@psn/core/db/drivers/data-folder.ts";
import type { FileWatch } from "@psn/core/db/drivers/durable-files.ts";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { embeddedFolder, removeEmbeddedFolders } from "../support/embedded.ts";
import { newUser } from "./stage.ts";

/*
 * What the embedded database writes and syncs, in order. This process is the holder, so that an answer is an event
 * among them.
 */

interface Journal {
  readonly watch: FileWatch;
  readonly events: { readonly what: "write" | "sync" | "rename"; readonly path: string }[];
  /** Files that were written after their last sync, among those that `of` accepts. */
  unsynced(of: (path: string) => boolean): string[];
}

function newJournal(): Journal {
  const events: Journal["events"] = [];
  return {
    watch: (what, path) => events.push({ what, path }),
    events,
    unsynced: (of) => {
      const dirty = new Set<string>();
      for (const { what, path } of events) {
        if (what === "write") dirty.add(path);
        else if (what === "sync") dirty.delete(path);
      }
      return [...dirty].filter(of);
    },
  };
}

const opened = new Set<Database>();
const folders = new Set<string>();
async function open(folder: string, watch: FileWatch): Promise<Database> {
  const database = await openEmbedded(folder, watch);
  opened.add(database);
  return database;
}
async function close(database: Database): Promise<void> {
  opened.delete(database);
  await database.close();
}
async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "psn-durable-"));
  folders.add(folder);
  return folder;
}
const sql = (database: Database, text: string) => database.asOwner?.((client) => client.query(text));

afterEach(async () => {
  for (const database of opened) await close(database);
});
afterAll(async () => {
  await removeEmbeddedFolders();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** Every file and folder below, the folder itself included. */
function tree(folder: string): string[] {
  return [folder, ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name))];
}

describe("a commit of the embedded database", () => {
  it("is answered after its log has been synced", async () => {
    const journal = newJournal();
    const stores = createStores(await open(await embeddedFolder(), journal.watch));
    for (let n = 0; n < 50; n += 1) {
      const before = journal.events.length;
      await newUser(stores);
      expect(journal.events.slice(before).some(({ what, path }) => what === "write" && isLog(path))).toBe(true);
      expect(journal.unsynced(isLog)).toEqual([]);
    }
  });

  it("is answered after its log has been synced also when many come at once, and across segments", async () => {
    const journal = newJournal();
    const database = await open(await embeddedFolder(), journal.watch);
    const stores = createStores(database);
    for (let n = 0; n < 5; n += 1) {
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          await newUser(stores);
          expect(journal.unsynced(isLog)).toEqual([]);
        }),
      );
      await sql(database, "SELECT pg_switch_wal()");
    }
  });
});

describe("a checkpoint", () => {
  it("syncs every file it wrote before pg_control says so, and pg_control", async () => {
    const journal = newJournal();
    const folder = await embeddedFolder();
    const database = await open(folder, journal.watch);
    await newUser(createStores(database));
    journal.events.length = 0;
    await sql(database, "CHECKPOINT");
    const pgdata = join(folder, "pgdata");
    const control = join(pgdata, "global", "pg_control");
    expect(journal.events.some(({ what, path }) => what === "write" && path.startsWith(join(pgdata, "base")))).toBe(
      true,
    );
    // pg_subtrans is made anew at every start, and Postgres does not sync it.
    const kept = (path: string) => !path.startsWith(join(pgdata, "pg_subtrans"));
    expect(journal.unsynced(kept)).toEqual([]);
    journal.events.length = journal.events.findIndex(({ what, path }) => what === "write" && path === control);
    expect(journal.unsynced(kept)).toEqual([]);
  });

  it("comes by itself, so that the log of a process that runs for months stays small", async () => {
    const folder = await embeddedFolder();
    const database = await open(folder, () => undefined);
    const stores = createStores(database);
    for (let n = 0; n < 16; n += 1) {
      await newUser(stores);
      await sql(database, "SELECT pg_switch_wal()");
    }
    const segments = () =>
      readdirSync(join(folder, "pgdata", "pg_wal")).filter((name) => isLog(join("pg_wal", name))).length;
    await expect.poll(segments, { timeout: 10_000 }).toBeLessThanOrEqual(8);
  });
});

describe("a new embedded database", () => {
  it("gets its name after all of it has been synced, and then its folder is synced", async () => {
    const folder = join(await newFolder(), "data");
    // What a creation that was cut off has left: a part of a database, with the file in it that makes it look like one.
    mkdirSync(join(folder, "pgdata.new"), { recursive: true });
    writeFileSync(join(folder, "pgdata.new", "PG_VERSION"), "18\n");
    writeFileSync(join(folder, "pgdata.new", "left"), "");
    const journal = newJournal();
    await close(await open(folder, journal.watch));
    const renamed = journal.events.findIndex(({ what }) => what === "rename");
    expect(journal.events[renamed + 1]).toEqual({ what: "sync", path: folder });
    const last = new Map(
      journal.events.slice(0, renamed).map(({ what, path }) => [path.replace("pgdata.new", "pgdata"), what]),
    );
    // Also what was only created and never written, and every folder. Postgres makes pg_internal.init at each start.
    const all = tree(join(folder, "pgdata")).filter((path) => !/psn_synced$|pg_internal\.init$/.test(path));
    expect(all.length).toBeGreaterThan(390);
    expect(all.filter((path) => last.get(path) !== "sync")).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.startsWith("pgdata"))).toEqual(["pgdata"]);
    expect(readdirSync(join(folder, "pgdata"))).not.toContain("left");
  });

  it("is not made where files lie that are no complete database", async () => {
    const folder = await newFolder();
    mkdirSync(join(folder, "pgdata"));
    writeFileSync(join(folder, "pgdata", "pg_hba.conf"), "");
    await expect(openEmbedded(folder)).rejects.toMatchObject({
      code: "DB_UNUSABLE",
      hint: expect.stringContaining("mv "),
    });
    expect(readdirSync(join(folder, "pgdata"))).toEqual(["pg_hba.conf"]);
  });
});

describe("a database of an earlier psn, which never synced", () => {
  it("is synced as a whole before it opens, and once", async () => {
    const folder = await embeddedFolder();
    const pgdata = join(folder, "pgdata");
    rmSync(join(pgdata, "psn_synced"), { force: true });
    const all = tree(pgdata).filter((path) => statSync(path).isFile() || statSync(path).isDirectory());
    const first = newJournal();
    await close(await open(folder, first.watch));
    const written = first.events.findIndex(({ what }) => what === "write");
    const synced = new Set(first.events.slice(0, written).map(({ path }) => path));
    expect(all.filter((path) => !synced.has(path))).toEqual([]);

    const second = newJournal();
    await close(await open(folder, second.watch));
    expect(second.events.filter(({ what }) => what === "sync").length).toBeLessThan(100);
  });
});

it("an open database keeps 16 MB of shared memory at most", async () => {
  const database = await open(await embeddedFolder(), () => undefined);
  const found = await sql(database, "SELECT sum(allocated_size)::integer AS bytes FROM pg_shmem_allocations");
  expect(found?.rows[0]?.["bytes"]).toBeLessThanOrEqual(16 * 1024 * 1024);
});
