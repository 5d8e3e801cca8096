import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Database, openDatabase } from "@psn/core/db/connection.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { type Postgres, startPostgres } from "../tests/support/postgres.ts";

/** A hub with accounts on a platform that does nothing, so that only the engine is measured. */
export interface BenchHub {
  readonly driver: string;
  readonly database: Database;
  readonly world: World;
  readonly userId: string;
  /** Called with every unit's key at the moment it is sent. */
  onPublish: (key: string) => void;
  /** One delivery, as the program schedules it. */
  schedule(dueAt: Date): Promise<string>;
  /**
   * Deliveries of one text each in bulk, due at instants spread evenly over the time given; shared out to the accounts.
   */
  fill(count: number, from: Date, overMs: number): Promise<void>;
  /** Runs a statement as the owner. */
  asOwner<Row>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  close(): Promise<void>;
}

export interface BenchHubOptions {
  readonly accounts?: number;
  /** Most in flight for one account. */
  readonly concurrency?: number;
  /** A server to make its database on, which then goes on after it. */
  readonly server?: Pick<Postgres, "createDatabase">;
}

/** No limit that the engine would meet. */
const UNLIMITED = 1_000;

export async function openBenchHub(kind: "embedded" | "pg", options: BenchHubOptions = {}): Promise<BenchHub> {
  const { accounts = 1, concurrency = UNLIMITED } = options;
  const folder = await mkdtemp(join(tmpdir(), "psn-bench-"));
  // With fsync: what a commit costs is what is measured.
  const own = kind === "pg" && !options.server ? await startPostgres({ fast: false }) : undefined;
  const server = options.server ?? own;
  const url = kind === "pg" ? await server?.createDatabase() : undefined;
  const database = await openDatabase({ url, dataFolder: folder, use: "session" });
  await migrate(database);
  const stores = createStores(database);
  const newId = () => Bun.randomUUIDv7();
  const userId = newId();
  await stores.users.add({ id: userId, handle: "bench", timeZone: "UTC" });
  const accountIds = Array.from({ length: accounts }, newId);
  for (const [n, id] of accountIds.entries()) {
    const profile = {
      subject: `bench-${n}`,
      handle: `bench-${n}`,
      url: "https://example.com",
      home: "https://example.com",
    };
    const sealed = {
      id: newId(),
      version: 1,
      access: "",
      refresh: null,
      secret: null,
      secretUntil: null,
      expiresAt: null,
      scopes: [],
    };
    await stores.accounts.connect(userId, { id, platform: "idle", profile }, sealed);
  }

  const platform = idle(concurrency, (key) => hub.onPublish(key));
  const asOwner = async <Row>(text: string, values: readonly unknown[] = []) => {
    if (!database.asOwner) throw new Error("no session to be the owner in");
    return database.asOwner(async (client) => (await client.query(text, values)).rows as readonly Row[]);
  };
  const hub: BenchHub = {
    driver: database.driver,
    database,
    userId,
    onPublish: () => undefined,
    world: {
      stores,
      vault: { seal: (_place, plaintext) => plaintext, open: (_place, sealedValue) => sealedValue },
      platforms: { ids: ["idle"], load: async () => platform },
      apps: { find: async () => undefined },
      fetch: () => Promise.reject(new Error("the bench has no network")),
      now: () => new Date(),
      elapsedMs: () => performance.now(),
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
        options: {},
        title: null,
        language: null,
        visibility: null,
      };
      const more = {
        contentWarning: null,
        split: false,
        numbered: false,
        idempotencyKey: null,
      };
      await stores.posts.schedule(userId, {
        post: { ...post, ...more },
        media: [],
        deliveries: [{ id: newId(), accountId: accountIds[0] ?? "", units: [{ id: key, unit }] }],
        due: { at: dueAt },
      });
      return key;
    },
    fill: async (count, from, overMs) => {
      await asOwner("ALTER TABLE psn.deliveries DISABLE TRIGGER deliveries_wake");
      await asOwner(FILL, [userId, accountIds, count, from, overMs]);
      await asOwner("ALTER TABLE psn.deliveries ENABLE TRIGGER deliveries_wake");
      await asOwner("VACUUM ANALYZE");
      // Else the disk is still busy with the filling while something is timed.
      await asOwner("CHECKPOINT");
    },
    asOwner,
    close: async () => {
      await database.close();
      await own?.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return hub;
}

const FILL = `WITH n AS (SELECT n, uuidv7() AS post, uuidv7() AS delivery FROM generate_series(0, $3::integer - 1) n),
  post AS (INSERT INTO psn.posts (id, user_id, parts) SELECT post, $1, '[{"text":"hello","media":[]}]' FROM n),
  delivery AS (
    INSERT INTO psn.deliveries (id, user_id, post_id, account_id, state, due_at, wake_at)
    SELECT delivery, $1, post, ($2::uuid[])[1 + n % cardinality($2::uuid[])], 'scheduled', due, due
    FROM n, LATERAL (SELECT $4::timestamptz + n * $5::double precision / $3 * interval '1 millisecond' AS due) at
  ),
  unit AS (
    INSERT INTO psn.delivery_units (id, user_id, delivery_id, position, body, text, length, media, needs_prepare)
    SELECT uuidv7(), $1, delivery, 0, '{}', 'hello', 5, '{}', false FROM n
  )
  INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, actor)
    SELECT delivery, $1, 'scheduled', 0, 'user' FROM n`;

function idle(concurrency: number, onPublish: (key: string) => void): Platform {
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
      concurrency,
    },
    auth: [{ kind: "form", fields: [] }],
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
