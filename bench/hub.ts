import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { World } from "@psn/app/ports.ts";
import { type Database, openDatabase } from "@psn/core/db/connection.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { startPostgres } from "../tests/support/postgres.ts";

/** A hub with one account on a platform that does nothing, so that only the engine is measured. */
export interface BenchHub {
  readonly driver: string;
  readonly database: Database;
  readonly world: World;
  readonly userId: string;
  readonly accountId: string;
  /** Called with every unit's key at the moment it is sent. */
  onPublish: (key: string) => void;
  schedule(dueAt: Date): Promise<string>;
  close(): Promise<void>;
}

const CONCURRENCY = 64;

export async function openBenchHub(kind: "embedded" | "pg"): Promise<BenchHub> {
  const folder = await mkdtemp(join(tmpdir(), "psn-bench-"));
  const postgres = kind === "pg" ? await startPostgres({ fast: false }) : undefined;
  const database = await openDatabase({ url: postgres && (await postgres.createDatabase()), dataFolder: folder, use: "session" });
  await migrate(database);
  const stores = createStores(database);
  const newId = () => Bun.randomUUIDv7();
  const userId = newId();
  const accountId = newId();
  await stores.users.add({ id: userId, handle: "bench", timeZone: "UTC" });
  const profile = { subject: "bench", handle: "bench", url: "https://example.com", home: "https://example.com" };
  const sealed = { id: newId(), access: "", refresh: null, secret: null, expiresAt: null, scopes: [] };
  await stores.accounts.connect(userId, { id: accountId, platform: "idle", profile }, sealed);

  const hub: BenchHub = {
    driver: database.driver,
    database,
    userId,
    accountId,
    onPublish: () => undefined,
    world: {
      stores,
      vault: { seal: (_place, plaintext) => plaintext, open: (_place, sealedValue) => sealedValue },
      platforms: { ids: ["idle"], load: async () => idle((key) => hub.onPublish(key)) },
      fetch: () => Promise.reject(new Error("the bench has no network")),
      now: () => new Date(),
      random: Math.random,
      newId,
      sleep: async (ms) => sleep(ms),
    },
    schedule: async (dueAt) => {
      const key = newId();
      const unit = { body: {}, text: "hello", length: 5, media: [], prepare: false };
      const post = {
        id: newId(),
        parts: [{ text: "hello", media: [] }] as const,
        overrides: {},
        title: null,
        language: null,
        visibility: null,
      };
      const more = { contentWarning: null, split: false, numbered: false, wallTime: null, timeZone: null, idempotencyKey: null };
      await stores.posts.schedule(userId, { ...post, ...more }, [], [{ id: newId(), accountId, units: [{ id: key, unit }] }], dueAt);
      return key;
    },
    close: async () => {
      await database.close();
      await postgres?.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return hub;
}

function idle(onPublish: (key: string) => void): Platform {
  const never = () => Promise.reject(new Error("not in the bench"));
  return {
    id: "idle",
    name: "Idle",
    docs: "https://example.com",
    capabilities: {
      text: { max: 1_000, unit: "grapheme" },
      altText: false,
      thread: "merge",
      visibilities: ["public"],
      contentWarning: false,
      duplicates: "client-id",
      concurrency: CONCURRENCY,
    },
    auth: { kind: "form", fields: [] },
    connect: never,
    identify: never,
    compose: () => ({ ok: false, issues: [{ code: "bench", message: "not in the bench" }] }),
    publish: async ({ key }) => {
      onPublish(key);
      return { status: "published", ref: { id: key, url: `https://example.com/${key}` } };
    },
    remove: never,
  };
}
