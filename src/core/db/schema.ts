import type { Limits } from "@psn/core/types/capabilities.ts";
import {
  ACCOUNT_HEALTH,
  type AccountHealth,
  DELIVERY_STATES,
  type DeliveryState,
  HELD_REASONS,
  type HeldReason,
  type Json,
  LATE_POLICIES,
  type LatePolicy,
  OPERATIONS,
  type Operation,
  POST_STATES,
  type PostState,
  UNIT_STATES,
  type UnitState,
  type Visibility,
} from "@psn/core/types/index.ts";
import type { MediaKind } from "@psn/core/types/post.ts";
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  customType,
  doublePrecision,
  foreignKey,
  index,
  integer,
  pgPolicy,
  pgRole,
  pgSchema,
  primaryKey,
  smallint,
  text,
  time,
  timestamp,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import { storableJson } from "./storable.ts";

/*
 * Tables and row policies. Every table that belongs to somebody carries `user_id`, and every foreign key between two
 * such tables carries it too, so that a row cannot point into another user's rows. Roles, FORCE and functions are plain
 * SQL in drizzle/migrations, because drizzle-kit does not write them.
 */

export const psn = pgSchema("psn");

/** Group role of every login that runs the program. */
const runtime = pgRole("psn_runtime").existing();
/** Owns the functions that must see across users; nobody can log in as it. */
const definer = pgRole("psn_definer").existing();
/** Group role of the hub's own login, which may act for any user of the hub. */
const service = pgRole("psn_service").existing();

const bytea = customType<{ data: Uint8Array; driverData: Buffer }>({
  dataType: () => "bytea",
  toDriver: (value) => Buffer.from(value),
  fromDriver: (value) => new Uint8Array(value),
});

/**
 * Drizzle's own jsonb parses a string that it reads once more, so that the JSON string "12" would come back as the
 * number 12.
 */
const jsonb = customType<{ data: Json; driverData: unknown }>({
  dataType: () => "jsonb",
  toDriver: storableJson,
  fromDriver: (value) => value as Json,
});

const id = () => uuid("id").primaryKey();
const userId = () => uuid("user_id").notNull();
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });
const createdAt = () => instant("created_at").notNull().defaultNow();
const updatedAt = () => instant("updated_at").notNull().defaultNow();

const oneOf = (name: string, column: string, words: readonly string[]) =>
  check(name, sql.raw(`${column} in (${words.map((word) => `'${word}'`).join(", ")})`));

/**
 * The instants psn can write and read: from 1970 to the year 9999, so that each is a `Date` and a timestamp of RFC
 * 3339; none is infinite. Postgres reads every check anew for every statement, so these are short: `least` and
 * `greatest` leave out what is null.
 */
const instants = (table: string, ...columns: readonly string[]) => {
  const all = columns.join(", ");
  return check(
    `${table}_instants`,
    sql.raw(`least(${all}) >= to_timestamp(0) and greatest(${all}) < to_timestamp(253402300800)`),
  );
};

/**
 * Most bytes of a word or a sentence, and of what a post is made of. Nobody's rows may fill the memory of a worker that
 * loads them.
 */
const WORDS = 65_536;
const CONTENT = 2_097_152;
/** Of what the author wrote: a text file has up to 10 MB, and a post may have other words for each platform. */
const SOURCE = 33_554_432;
/** A JSON value and an array count as they are stored. */
const sizes = (table: string, words: readonly string[], content: readonly string[] = []) => {
  return check(`${table}_sizes`, sql.raw([...atMost(words, WORDS), ...atMost(content, CONTENT)].join(" and ")));
};
const atMost = (of: readonly string[], bytes: number) =>
  of.length === 0 ? [] : [`greatest(${of.join(", ")}) <= ${bytes}`];
const bytesOf = (...columns: readonly string[]) => columns.map((column) => `octet_length(${column})`);
const storedBytesOf = (...columns: readonly string[]) => columns.map((column) => `pg_column_size(${column})`);

/**
 * `born`: what a row must be when it is written by anybody but an import, which brings a whole hub; functions write the
 * rest (ADR 18).
 */
const own = (table: string, born?: string) => {
  const isBorn = born === undefined ? "" : ` and (current_user = 'psn_service' or (${born}))`;
  return pgPolicy(`${table}_own`, {
    for: "all",
    to: runtime,
    using: sql`user_id = (select psn.current_user_id())`,
    withCheck: sql.raw(`user_id = (select psn.current_user_id())${isBorn}`),
  });
};
const acrossUsers = (table: string) =>
  pgPolicy(`${table}_definer`, { for: "all", to: definer, using: sql`true`, withCheck: sql`true` });

export const users = psn.table(
  "users",
  {
    id: id(),
    handle: text("handle").notNull(),
    /** IANA zone in which this user's wall times are meant. */
    timeZone: text("time_zone").notNull(),
    /** The database login that is this user and nobody else; null for users served by the hub's own login. */
    login: text("login").unique(),
    /** What is wrong with the hub, as its user was told of it: each once, until it is mended. */
    troubles: text("troubles").array().notNull().default([]),
    createdAt: createdAt(),
  },
  () => [
    instants("users", "created_at"),
    sizes("users", [...bytesOf("handle", "time_zone"), ...storedBytesOf("troubles")]),
    pgPolicy("users_own", {
      for: "all",
      to: runtime,
      using: sql`id = (select psn.current_user_id())`,
      withCheck: sql`id = (select psn.current_user_id())`,
    }),
    acrossUsers("users"),
  ],
);

export const accounts = psn.table(
  "accounts",
  {
    id: id(),
    userId: userId().references(() => users.id, { onDelete: "cascade" }),
    platform: text("platform").notNull(),
    subject: text("subject").notNull(),
    handle: text("handle").notNull(),
    url: text("url").notNull(),
    home: text("home").notNull(),
    limits: jsonb("limits").$type<Partial<Limits>>().notNull().default({}),
    health: text("health").$type<AccountHealth>().notNull().default("ok"),
    /** Why the account needs its user, in the platform's own words. */
    healthReason: text("health_reason"),
    /** Set by a platform's own rate limit: until then this account sends nothing, and others go on. */
    pausedUntil: instant("paused_until"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    unique("accounts_subject").on(t.userId, t.platform, t.subject),
    unique("accounts_id_user").on(t.id, t.userId),
    oneOf("accounts_health", "health", ACCOUNT_HEALTH),
    instants("accounts", "paused_until", "created_at", "updated_at"),
    sizes("accounts", [
      ...bytesOf("platform", "subject", "handle", "url", "home", "health_reason"),
      ...storedBytesOf("limits"),
    ]),
    own("accounts"),
    acrossUsers("accounts"),
  ],
);

/** Sealed by the vault; a row copied to another place does not open. */
export const oauthTokens = psn.table(
  "oauth_tokens",
  {
    id: id(),
    userId: userId(),
    accountId: uuid("account_id").notNull().unique(),
    accessToken: text("access_token").notNull(),
    refreshToken: text("refresh_token"),
    /** What begins a new session: an app password. */
    secret: text("secret"),
    /** When `secret` ends and is forgotten, where it does so by itself. */
    secretUntil: instant("secret_until"),
    /**
     * Bound into what is sealed: counted up with every new token, so that an older one put back into the row does not
     * open.
     */
    version: integer("version").notNull().default(1),
    scopes: text("scopes").array().notNull(),
    expiresAt: instant("expires_at"),
    /** One refresh at a time: whoever sets this by compare-and-set may refresh until then. */
    refreshLeaseUntil: instant("refresh_lease_until"),
    /** Set by an exchange: until then nobody exchanges it again. */
    refreshRestUntil: instant("refresh_rest_until"),
    refreshedAt: instant("refreshed_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    foreignKey({
      name: "oauth_tokens_account",
      columns: [t.accountId, t.userId],
      foreignColumns: [accounts.id, accounts.userId],
    }).onDelete("cascade"),
    instants(
      "oauth_tokens",
      "expires_at",
      "secret_until",
      "refresh_lease_until",
      "refresh_rest_until",
      "refreshed_at",
      "created_at",
      "updated_at",
    ),
    sizes("oauth_tokens", [...bytesOf("access_token", "refresh_token", "secret"), ...storedBytesOf("scopes")]),
    own("oauth_tokens"),
    acrossUsers("oauth_tokens"),
  ],
);

/** Sealed keys of the user's own platform apps. */
export const apiKeys = psn.table(
  "api_keys",
  {
    id: id(),
    userId: userId().references(() => users.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    value: text("value").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    unique("api_keys_name").on(t.userId, t.name),
    instants("api_keys", "created_at", "updated_at"),
    sizes("api_keys", bytesOf("name", "value")),
    own("api_keys"),
    acrossUsers("api_keys"),
  ],
);

/** One part of a post as stored: media by id. */
export interface StoredPart {
  readonly text: string;
  readonly media: readonly string[];
}

/** What the author wrote (ADR 26). What goes out is in `delivery_units`, composed of this. */
export const posts = psn.table(
  "posts",
  {
    id: id(),
    userId: userId().references(() => users.id, { onDelete: "cascade" }),
    parts: jsonb("parts").$type<readonly [StoredPart, ...StoredPart[]]>().notNull(),
    /** Other parts for one platform, by platform id. */
    overrides: jsonb("overrides")
      .$type<Readonly<Record<string, readonly [StoredPart, ...StoredPart[]]>>>()
      .notNull()
      .default({}),
    /** What only one platform knows, by platform id; null where an older psn wrote the post and kept none. */
    options: jsonb("options").$type<Readonly<Record<string, Readonly<Record<string, string>>>>>(),
    title: text("title"),
    language: text("language"),
    visibility: text("visibility").$type<Visibility>(),
    contentWarning: text("content_warning"),
    split: boolean("split").notNull().default(false),
    numbered: boolean("numbered").notNull().default(false),
    /** Ids of the accounts it is for. */
    targets: uuid("targets").array().notNull().default([]),
    state: text("state").$type<PostState>().notNull().default("ready"),
    /** Grows with every edit. */
    revision: integer("revision").notNull().default(1),
    /** What made it where it was no person's command, such as `folder` or `csv`, and which thing there. */
    origin: text("origin"),
    originRef: text("origin_ref"),
    idempotencyKey: text("idempotency_key"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    unique("posts_idempotency_key").on(t.userId, t.idempotencyKey),
    unique("posts_id_user").on(t.id, t.userId),
    instants("posts", "created_at", "updated_at"),
    oneOf("posts_state", "state", POST_STATES),
    check("posts_revision", sql`revision between 1 and 1000000`),
    check("posts_origin", sql`(origin is null) = (origin_ref is null)`),
    check(
      "posts_sizes",
      sql.raw(
        [
          ...atMost(
            [
              ...bytesOf("language", "visibility", "origin", "origin_ref", "idempotency_key"),
              ...storedBytesOf("targets"),
            ],
            WORDS,
          ),
          ...atMost(
            [...bytesOf("title", "content_warning"), ...storedBytesOf("parts", "overrides", "options")],
            SOURCE,
          ),
        ].join(" and "),
      ),
    ),
    own("posts", "revision = 1"),
    // An edit is its user's: the functions see no other post.
    pgPolicy("posts_definer", {
      for: "all",
      to: definer,
      using: sql`user_id = (select psn.current_user_id())`,
      withCheck: sql`user_id = (select psn.current_user_id())`,
    }),
  ],
);

export const media = psn.table(
  "media",
  {
    id: id(),
    userId: userId(),
    postId: uuid("post_id").notNull(),
    kind: text("kind").$type<MediaKind>().notNull(),
    mime: text("mime").notNull(),
    bytes: integer("bytes").notNull(),
    width: integer("width"),
    height: integer("height"),
    /** Of a video: how long it plays, and frames a second; null also where an older psn stored it. */
    durationMs: integer("duration_ms"),
    frameRate: doublePrecision("frame_rate"),
    sha256: text("sha256").notNull(),
    alt: text("alt"),
    /**
     * The file itself, so that a worker on another machine has it too; null while it is in the bucket, and once it is
     * pruned.
     */
    content: bytea("content"),
    /** The file's name in the bucket. */
    objectKey: text("object_key"),
    /** Which bucket it was put into, as `https://host/name`; null for what an older psn put there. */
    bucket: text("bucket"),
    createdAt: createdAt(),
  },
  (t) => [
    check("media_place", sql`content is null or object_key is null`),
    // What a worker holds in memory at once is counted by `bytes`.
    check("media_bytes", sql`bytes >= 0 and octet_length(content) = bytes`),
    check("media_play", sql`duration_ms >= 0 and frame_rate between 0 and 1000000`),
    instants("media", "created_at"),
    sizes("media", bytesOf("kind", "mime", "sha256", "alt", "object_key", "bucket")),
    foreignKey({
      name: "media_post",
      columns: [t.postId, t.userId],
      foreignColumns: [posts.id, posts.userId],
    }).onDelete("cascade"),
    index("media_post_id").on(t.postId),
    own("media"),
    acrossUsers("media"),
  ],
);

export const deliveries = psn.table(
  "deliveries",
  {
    id: id(),
    userId: userId(),
    postId: uuid("post_id").notNull(),
    accountId: uuid("account_id").notNull(),
    state: text("state").$type<DeliveryState>().notNull(),
    /** What is being done to its units, or was done last. */
    operation: text("operation").$type<Operation>().notNull().default("publish"),
    /** When the author wants it out. */
    dueAt: instant("due_at").notNull(),
    /**
     * The wall time that was meant by that, without a zone, and the zone: 9:00 stays 9:00 across daylight saving. No
     * wall time where an instant was meant: now, or in two hours.
     */
    wallTime: text("wall_time"),
    timeZone: text("time_zone"),
    /** Which revision of the post its units were composed of. */
    revision: integer("revision").notNull().default(1),
    /** When a worker should look next: the due time, or later after a failure that passes. */
    wakeAt: instant("wake_at").notNull(),
    /** Counts the claims. */
    attempt: integer("attempt").notNull().default(0),
    /** Fencing token: grows with every claim; a write that carries an older one changes nothing. */
    fence: bigint("fence", { mode: "number" }).notNull().default(0),
    leaseUntil: instant("lease_until"),
    worker: text("worker"),
    /**
     * An error code from the table and what was said, for held, failed and unconfirmed deliveries and while retrying.
     */
    code: text("code"),
    message: text("message"),
    /** Why it is held, and null while it is not; the trigger `deliveries_held` sees to that. */
    heldReason: text("held_reason").$type<HeldReason>(),
    /** What to do when it is very late. */
    late: text("late").$type<LatePolicy>().notNull().default("ask"),
    publishedAt: instant("published_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    foreignKey({
      name: "deliveries_post",
      columns: [t.postId, t.userId],
      foreignColumns: [posts.id, posts.userId],
    }).onDelete("cascade"),
    foreignKey({
      name: "deliveries_account",
      columns: [t.accountId, t.userId],
      foreignColumns: [accounts.id, accounts.userId],
    }).onDelete("cascade"),
    unique("deliveries_id_user").on(t.id, t.userId),
    unique("deliveries_post_account").on(t.postId, t.accountId),
    // What a claim walks: only open deliveries are in these, so that history costs it nothing.
    index("deliveries_scheduled").on(t.accountId, t.wakeAt).where(sql`state = 'scheduled'`),
    index("deliveries_pending").on(t.accountId, t.wakeAt).where(sql`state = 'pending'`),
    index("deliveries_leased").on(t.accountId, t.leaseUntil).where(sql`state in ('claimed', 'sending')`),
    // What `psn queue` walks.
    index("deliveries_open")
      .on(t.userId, t.dueAt)
      .where(sql`state not in ('published', 'failed', 'cancelled', 'removed')`),
    index("deliveries_recent").on(t.userId, t.updatedAt),
    oneOf("deliveries_state", "state", DELIVERY_STATES),
    oneOf("deliveries_late", "late", LATE_POLICIES),
    oneOf("deliveries_operation", "operation", OPERATIONS),
    oneOf("deliveries_held_reason", "held_reason", HELD_REASONS),
    check("deliveries_held", sql`(state = 'held') = (held_reason is not null)`),
    check("deliveries_revision", sql`revision between 1 and 1000000`),
    // A claim counts `attempt` no further than this, and takes nothing whose fence could not grow:
    // Number.MAX_SAFE_INTEGER.
    check("deliveries_numbers", sql`attempt between 0 and 1000000 and fence between 0 and 9007199254740991`),
    instants("deliveries", "due_at", "wake_at", "lease_until", "published_at", "created_at", "updated_at"),
    sizes("deliveries", bytesOf("worker", "code", "message", "wall_time", "time_zone")),
    own(
      "deliveries",
      "state = 'scheduled' and wake_at = due_at and attempt = 0 and fence = 0 and lease_until is null and worker " +
        "is null and revision = 1 and code is null and message is null and published_at is null and " +
        "operation = 'publish'",
    ),
    acrossUsers("deliveries"),
  ],
);

export const deliveryUnits = psn.table(
  "delivery_units",
  {
    /** The unit's key: stable across every attempt, and what a platform is given to recognise a repeat. */
    id: id(),
    userId: userId(),
    deliveryId: uuid("delivery_id").notNull(),
    position: smallint("position").notNull(),
    state: text("state").$type<UnitState>().notNull().default("waiting"),
    body: jsonb("body").$type<Json>().notNull(),
    text: text("text").notNull(),
    length: integer("length").notNull(),
    media: uuid("media").array().notNull(),
    needsPrepare: boolean("needs_prepare").notNull(),
    prepared: jsonb("prepared").$type<Json>(),
    /** When the unit was first about to be sent; written before the bytes leave and kept across attempts. */
    sentAt: instant("sent_at"),
    /** The platform's handle while it is processing. */
    handle: jsonb("handle").$type<Json>(),
    refId: text("ref_id"),
    refUrl: text("ref_url"),
    refRevision: text("ref_revision"),
    publishedAt: instant("published_at"),
    /** When its removal was first about to be asked for; kept across attempts, null where it certainly was not. */
    askedAt: instant("asked_at"),
    removedAt: instant("removed_at"),
  },
  (t) => [
    foreignKey({
      name: "delivery_units_delivery",
      columns: [t.deliveryId, t.userId],
      foreignColumns: [deliveries.id, deliveries.userId],
    }).onDelete("cascade"),
    unique("delivery_units_position").on(t.deliveryId, t.position),
    oneOf("delivery_units_state", "state", UNIT_STATES),
    check("delivery_units_numbers", sql`position between 0 and 999 and length >= 0`),
    instants("delivery_units", "sent_at", "published_at", "asked_at", "removed_at"),
    sizes(
      "delivery_units",
      [...bytesOf("ref_id", "ref_url", "ref_revision"), ...storedBytesOf("media")],
      [...bytesOf("text"), ...storedBytesOf("body", "prepared", "handle")],
    ),
    own(
      "delivery_units",
      "state = 'waiting' and prepared is null and sent_at is null and handle is null and ref_id is null and " +
        "ref_url is null and ref_revision is null and published_at is null and asked_at is null and removed_at is null",
    ),
    acrossUsers("delivery_units"),
  ],
);

/** Every transition of a delivery, in order; no secret and no text of the post. */
export const deliveryEvents = psn.table(
  "delivery_events",
  {
    deliveryId: uuid("delivery_id").notNull(),
    userId: userId(),
    /** Grows with time; gaps mean nothing. */
    sequence: bigint("sequence", { mode: "number" }).generatedAlwaysAsIdentity(),
    at: instant("at").notNull().defaultNow(),
    /** The state after it, or what was noted. */
    event: text("event").notNull(),
    attempt: integer("attempt").notNull(),
    unit: smallint("unit"),
    code: text("code"),
    note: text("note"),
    /** A worker's name, or `user`. */
    actor: text("actor").notNull(),
  },
  (t) => [
    primaryKey({ name: "delivery_events_key", columns: [t.deliveryId, t.sequence] }),
    foreignKey({
      name: "delivery_events_delivery",
      columns: [t.deliveryId, t.userId],
      foreignColumns: [deliveries.id, deliveries.userId],
    }).onDelete("cascade"),
    instants("delivery_events", "at"),
    sizes("delivery_events", bytesOf("event", "code", "note", "actor")),
    own("delivery_events"),
    acrossUsers("delivery_events"),
  ],
);

export const slots = psn.table(
  "slots",
  {
    id: id(),
    userId: userId().references(() => users.id, { onDelete: "cascade" }),
    /** ISO weekday: 1 is Monday, 7 is Sunday. */
    weekday: smallint("weekday").notNull(),
    wallTime: time("wall_time").notNull(),
    timeZone: text("time_zone").notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    unique("slots_time").on(t.userId, t.weekday, t.wallTime, t.timeZone),
    instants("slots", "created_at"),
    sizes("slots", bytesOf("time_zone")),
    own("slots"),
  ],
);

/** Heartbeats, so that `psn doctor` can prove that somebody is publishing. Belongs to the hub, not to a user. */
export const workers = psn.table(
  "workers",
  {
    name: text("name").primaryKey(),
    version: text("version").notNull(),
    /**
     * By the name of a setting: where this worker has it from, and a digest that tells it from another value (see
     * `World.settings`).
     */
    settings: jsonb("settings").$type<Readonly<Record<string, string>>>().notNull().default({}),
    startedAt: instant("started_at").notNull().defaultNow(),
    beatAt: instant("beat_at").notNull().defaultNow(),
  },
  () => [
    instants("workers", "started_at", "beat_at"),
    pgPolicy("workers_service", { for: "all", to: service, using: sql`true`, withCheck: sql`true` }),
  ],
);

/**
 * Which life of the hub this database lives: one row. What a copy or a restore brings along of it parts from what the
 * hub's files and the server say (ADR 15).
 */
export const incarnation = psn.table(
  "incarnation",
  {
    /** New whenever a person has said what became of a copy. */
    id: id(),
    one: boolean("one").notNull().default(true),
    /** Ids before this one: a machine that was not told yet knows one of them. */
    past: uuid("past").array().notNull().default([]),
    /** What tells this database from another one with the same rows: see `psn.database_identity`. */
    identity: jsonb("identity").notNull(),
    /** Grows with every look, and never goes back but with the database. */
    seen: bigint("seen", { mode: "number" }).notNull().default(0),
    /** While it is set nothing is published from here. */
    partedAt: instant("parted_at"),
    reason: text("reason"),
    createdAt: createdAt(),
  },
  (t) => [
    unique("incarnation_one").on(t.one),
    check("incarnation_is_one", sql`one`),
    instants("incarnation", "parted_at", "created_at"),
    acrossUsers("incarnation"),
  ],
);
