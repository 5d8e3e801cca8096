import { randomBytes } from "node:crypto";
import { createStores } from "@psn/core/db/stores/index.ts";
import type { SealedCredentials } from "@psn/core/ports/accounts.ts";
import type { Claim } from "@psn/core/ports/deliveries.ts";
import type { DeliveryDetail, NewDue, NewMedia, NewPost } from "@psn/core/ports/posts.ts";
import type { Stores } from "@psn/core/ports/world.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { Outcome, Unit } from "@psn/core/types/platform.ts";
import { answered as domainAnswered, LEASE_MS } from "@psn/domain/delivery.ts";
import { asOwner, type TestDatabase } from "../support/databases.ts";

/*
 * What the store tests have in common: a user with an account on a platform that no other test uses, so that the claims
 * of two tests never meet in one database.
 */

export interface Stage {
  readonly db: TestDatabase;
  readonly stores: Stores;
  readonly userId: string;
  readonly platform: string;
  readonly accountId: string;
}

export interface Scheduled {
  readonly postId: string;
  /** Of the first account. */
  readonly id: string;
  readonly ids: readonly string[];
  readonly unitIds: readonly string[];
}

export const newId = (): string => Bun.randomUUIDv7();

export const sealed = (id = newId(), more: Partial<SealedCredentials> = {}): SealedCredentials => ({
  id,
  version: 1,
  access: "v1.key1.access",
  refresh: "v1.key1.refresh",
  secret: null,
  secretUntil: null,
  expiresAt: null,
  scopes: ["write"],
  ...more,
});

export const profile = (subject: string) => ({
  subject,
  handle: `@${subject}`,
  url: `https://example.org/${subject}`,
  home: "https://example.org",
});

export async function newUser(stores: Stores): Promise<string> {
  const id = newId();
  await stores.users.add({ id, handle: "anna", timeZone: "Europe/Zurich" });
  return id;
}

export async function setUp(db: TestDatabase): Promise<Stage> {
  const stores = createStores(db.database);
  const userId = await newUser(stores);
  const stage = { db, stores, userId, platform: `platform-${randomBytes(6).toString("hex")}`, accountId: newId() };
  await stores.accounts.connect(
    userId,
    { id: stage.accountId, platform: stage.platform, profile: profile("first") },
    sealed(),
  );
  return stage;
}

/** One more account of the same user on the same platform. */
export async function connect({ stores, userId, platform }: Stage, subject: string): Promise<string> {
  const id = newId();
  await stores.accounts.connect(userId, { id, platform, profile: profile(subject) }, sealed());
  return id;
}

export const unit = (more: Partial<Unit> = {}): Unit => ({
  body: { text: "hello" },
  text: "hello",
  length: 5,
  media: [],
  prepare: false,
  ...more,
});

export const newPost = (more: Partial<NewPost> = {}): NewPost => ({
  id: newId(),
  parts: [{ text: "hello", media: [] }],
  overrides: {},
  options: {},
  title: null,
  language: null,
  visibility: null,
  contentWarning: null,
  split: false,
  numbered: false,
  idempotencyKey: null,
  ...more,
});

export interface Wish {
  readonly units?: readonly Partial<Unit>[];
  readonly accounts?: readonly string[];
  readonly dueInMs?: number;
  readonly due?: Omit<NewDue, "at">;
  readonly post?: Partial<NewPost>;
  readonly media?: readonly NewMedia[];
}

/** Schedules a post, by default one text that is due. */
export async function schedule(stage: Stage, wish: Wish = {}): Promise<Scheduled> {
  const { units = [{}], accounts = [stage.accountId], dueInMs = -60_000, media = [] } = wish;
  const post = newPost(wish.post);
  const targets = accounts.map((accountId) => ({
    id: newId(),
    accountId,
    units: units.map((more) => ({ id: newId(), unit: unit(more) })),
  }));
  const first = targets[0];
  const due = { at: new Date(Date.now() + dueInMs), ...wish.due };
  const made = await stage.stores.posts.schedule(stage.userId, { post, media, deliveries: targets, due });
  if (!made || !first) throw new Error("the post was not scheduled");
  return { postId: post.id, id: first.id, ids: targets.map(({ id }) => id), unitIds: first.units.map(({ id }) => id) };
}

export interface ClaimWish {
  readonly worker?: string;
  readonly most?: number;
  readonly leaseMs?: number;
  readonly only?: readonly string[];
  /** In flight for one account. */
  readonly atOnce?: number;
}

/** A lease that has ended by the next statement. */
export const EXPIRED = 0;

export function claim(stage: Stage, wish: ClaimWish = {}): Promise<readonly Claim[]> {
  const { worker = "worker-1", most = 100, leaseMs = LEASE_MS, atOnce = 100, only } = wish;
  const request = { worker, most, leaseMs, concurrency: { [stage.platform]: atOnce } };
  return stage.stores.deliveries.claim(only ? { ...request, only } : request);
}

/** Claims what must be exactly one delivery. */
export async function claimOne(stage: Stage, wish: ClaimWish = {}): Promise<Claim> {
  const claims = await claim(stage, wish);
  const [only] = claims;
  if (!only || claims.length !== 1) throw new Error(`expected one claim, got ${claims.length}`);
  return only;
}

export const settle = (stage: Stage, claimed: Claim, change: DeliveryChange, worker = "worker-1") =>
  stage.stores.deliveries.record(claimed, worker, change);

export const ref = (id: string) => ({ id, url: `https://example.org/p/${id}` });
export const published = (id: string): Outcome => ({ status: "published", ref: ref(id) });

/** The last unit is out. */
export const done = (id: string, position = 0): DeliveryChange =>
  domainAnswered(position, { outcome: published(id), next: undefined, leaseMs: LEASE_MS });

export async function detail({ stores, userId }: Stage, id: string): Promise<DeliveryDetail> {
  const [found] = await stores.posts.detail(userId, [id]);
  if (!found) throw new Error("no such delivery");
  return found;
}

export const stateOf = async (stage: Stage, id: string) => (await detail(stage, id)).state;
export const eventsOf = async (stage: Stage, id: string) => (await detail(stage, id)).events.map(({ event }) => event);

/** Lets the lease of a delivery end. */
export const expire = ({ db }: Stage, id: string) =>
  asOwner(db, "UPDATE psn.deliveries SET lease_until = now() - interval '1 second' WHERE id = $1", [id]);

/** Makes a delivery due. */
export const makeDue = ({ db }: Stage, id: string) =>
  asOwner(db, "UPDATE psn.deliveries SET wake_at = now() - interval '1 second' WHERE id = $1", [id]);

/** How a suite of store tests says what it tests: each test has a user and a platform of its own. */
export type Test = (name: string, body: (stage: Stage) => Promise<void>) => void;
