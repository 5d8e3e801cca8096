import { PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import type { NewMedia, NewPostMedia, StoredParts, StoredSource } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Limits } from "@psn/core/types/capabilities.ts";
import type { Content, Format } from "@psn/core/types/content.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { LatePolicy, Visibility } from "@psn/core/types/index.ts";
import type { Issue, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import { nameOf } from "./choose-accounts.ts";
import { shortId } from "./find-deliveries.ts";
import { keepMedia } from "./keep-media.ts";
import { credentialsFor } from "./session.ts";

/** A part as the author gave it, its media read. */
export interface DraftPart {
  readonly text: string;
  readonly media: readonly NewMedia[];
}
export type DraftParts = readonly [DraftPart, ...DraftPart[]];

export interface DraftPost {
  /** Absent: plain text. */
  readonly format?: Format;
  readonly parts: DraftParts;
  /** Other parts for one platform, by platform id. */
  readonly overrides: Readonly<Record<string, DraftParts>>;
  /** What only one platform knows, by platform id. */
  readonly options?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly title?: string;
  readonly language?: string;
  readonly visibility?: Visibility;
  readonly contentWarning?: string;
  readonly split: boolean;
  readonly numbered: boolean;
}

export interface Due {
  readonly at: Date;
  /** What becomes of it when nothing runs at that time; its user is asked if not given. */
  readonly late?: LatePolicy;
  /** What the author said, without and with its zone; null for "now". */
  readonly wallTime: string | null;
  readonly timeZone: string | null;
}

/** What one account would receive, or what is wrong with it. */
export interface Preview {
  readonly account: Account;
  readonly limits: Limits;
  readonly units: readonly Unit[];
  readonly issues: readonly Issue[];
  /** Its media are fetched from the bucket, by the platform itself or by who is sent links. */
  readonly linked: boolean;
}

/** Composes for every account; no network, no row. */
export async function previewPost(
  world: World,
  draft: DraftPost,
  accounts: readonly Account[],
): Promise<readonly Preview[]> {
  return Promise.all(
    accounts.map(async (account) => {
      const platform = await world.platforms.load(account.platform);
      const limits: Limits = { ...platform.capabilities, ...account.profile.limits, links: world.bucket !== undefined };
      const { mediaByLink = false } = platform.capabilities;
      const composed = platform.compose(await postFor(draft, account.platform), limits);
      const issues = composed.ok ? [] : [...composed.issues];
      if (mediaByLink && !world.bucket && composed.ok && composed.units.some(({ media }) => media.length > 0))
        issues.push(noBucket(platform.name));
      const units = composed.ok && issues.length === 0 ? composed.units : [];
      return { account, limits, units, issues, linked: mediaByLink || units.some(({ linked }) => linked) };
    }),
  );
}

/** How writing a post is stopped. */
export interface Stoppable {
  /** Aborted: nothing more goes to the bucket. */
  readonly signal?: AbortSignal;
  /** Called in the last moment before the rows are written; when it throws nothing is. */
  readonly noReturn?: () => void;
}

export interface Scheduled {
  readonly postId: string;
  /** True when this idempotency key had been used: nothing new was written. */
  readonly repeated: boolean;
}

/**
 * Writes the post and a delivery for every account, all or nothing. Throws POST_INVALID with everything that is wrong
 * for any account, AUTH_REQUIRED for an account that must be reconnected first, VAULT_… for one whose token does not
 * open here, and OUTCOME_UNKNOWN when the database went away and nobody can tell whether it has the post.
 */
export async function schedulePost(
  world: World,
  {
    userId,
    draft,
    accounts,
    due,
    idempotencyKey,
    signal,
    noReturn,
  }: {
    readonly userId: string;
    readonly draft: DraftPost;
    readonly accounts: readonly Account[];
    readonly due: Due;
    readonly idempotencyKey: string | null;
  } & Stoppable,
): Promise<Scheduled> {
  const { posts } = world.stores;
  const earlier = idempotencyKey === null ? undefined : await posts.findByKey(userId, idempotencyKey);
  if (earlier !== undefined) return { postId: earlier, repeated: true };
  const previews = await previewPost(world, draft, accounts);
  assertValid(previews);
  assertConnected(accounts);
  await assertOpens(world, userId, accounts);
  const id = world.newId();
  const post = { id, ...storedSource(draft), idempotencyKey };
  const deliveries = previews.map(({ account, units }) => ({
    id: world.newId(),
    accountId: account.id,
    units: units.map((unit) => ({ id: world.newId(), unit })),
  }));
  const write = async (media: NewPostMedia) => {
    noReturn?.();
    return certainly(world, {
      userId,
      postId: id,
      write: () => posts.schedule(userId, { post, media, deliveries, due }),
    });
  };
  const fresh = await keepMedia(world, {
    userId,
    files: allMedia(draft),
    linked: linkedMedia(previews),
    write,
    signal,
  });
  if (fresh) return { postId: id, repeated: false };
  const winner = idempotencyKey === null ? undefined : await posts.findByKey(userId, idempotencyKey);
  if (winner === undefined) throw new PsnError("DB_FAILED", "the post could not be written");
  return { postId: winner, repeated: true };
}

/**
 * Pauses before the database is asked again what became of a post, in milliseconds: a new connection may need some
 * seconds.
 */
export const LOOK_AGAIN_MS = [200, 1_000, 3_000] as const;

/**
 * Where the answer to the write was lost the same rows are written again: that waits for a first one that is still
 * under way, and is refused where the rows are there.
 */
async function certainly(
  world: World,
  {
    userId,
    postId,
    write,
  }: { readonly userId: string; readonly postId: string; readonly write: () => Promise<boolean> },
): Promise<boolean> {
  const { posts } = world.stores;
  /** Undefined when the database cannot be asked. */
  const isThere = () =>
    posts.ofPost(userId, postId).then(
      (found) => found.length > 0,
      () => undefined,
    );
  let lost: unknown;
  for (const pause of [0, ...LOOK_AGAIN_MS]) {
    if (pause > 0) await world.sleep(pause);
    try {
      const fresh = await write();
      // With an idempotency key it may be the first write that the second one is a repetition of.
      return fresh || (lost !== undefined && (await isThere()) === true);
    } catch (failure) {
      const there = lost === undefined ? false : await isThere();
      if (there) return true;
      if (there === false && !isLost(failure)) throw failure;
      lost ??= failure;
    }
  }
  if ((await isThere()) === false) throw lost;
  throw new PsnError(
    "OUTCOME_UNKNOWN",
    "the database became unreachable while psn wrote the post; psn could not confirm that it is stored",
    {
      cause: lost,
      hint: `psn show ${shortId(postId)}; if that finds nothing, the post is not stored`,
      details: { post: postId },
    },
  );
}

const isLost = (error: unknown) => error instanceof PsnError && error.code === "DB_UNREACHABLE";

/** With another hub's key nothing that is written now could ever go out. */
async function assertOpens(world: World, userId: string, accounts: readonly Account[]): Promise<void> {
  const sealed = await Promise.all(accounts.map(({ id }) => world.stores.accounts.credentials(userId, id)));
  for (const [n, account] of accounts.entries())
    if (sealed[n]) credentialsFor(world, { userId, account, sealed: sealed[n] });
}

/** Throws POST_INVALID naming every rule broken for every account. */
export function assertValid(previews: readonly Preview[]): void {
  const wrong = previews.filter(({ issues }) => issues.length > 0);
  if (wrong.length === 0) return;
  const lines = wrong.map(
    ({ account, issues }) => `${nameOf(account)}: ${issues.map(({ message }) => message).join("; ")}`,
  );
  const hint = wrong.flatMap(({ issues }) =>
    issues.flatMap((issue) => (issue.hint === undefined ? [] : [issue.hint])),
  )[0];
  const details = Object.fromEntries(
    wrong.map(({ account, issues }) => [nameOf(account), issues.map(({ code }) => code).join(" ")]),
  );
  throw new PsnError("POST_INVALID", lines.join(" | "), { details, ...defined({ hint }) });
}

function assertConnected(accounts: readonly Account[]): void {
  const lost = accounts.find(({ health }) => health !== "ok");
  if (!lost) return;
  const reason = lost.healthReason === null ? "" : `: ${lost.healthReason}`;
  throw new PsnError("AUTH_REQUIRED", `${nameOf(lost)} must be reconnected first${reason}`, {
    hint: { run: "connect", args: { platform: lost.platform } },
  });
}

async function postFor(draft: DraftPost, platformId: string): Promise<Post> {
  const { parts, overrides, options = {}, format, ...rest } = draft;
  const chosen = overrides[platformId] ?? parts;
  const own = options[platformId];
  const [first, ...others] = chosen;
  // The parser is loaded for Markdown alone.
  const contents = format === "markdown" ? (await import("@psn/domain/markdown/parse.ts")).contentsOf(chosen) : [];
  const part = ({ text, media }: DraftPart, content: Content | undefined): Part => ({
    text,
    media: media.map(infoOf),
    ...defined({ content }),
  });
  return {
    ...rest,
    ...defined({ options: own }),
    id: "draft",
    parts: [part(first, contents[0]), ...others.map((one, index) => part(one, contents[index + 1]))],
  };
}

function infoOf({ sha256: _sha256, content: _content, ...info }: NewMedia): MediaInfo {
  return info;
}

/** What is kept of a draft: all of it, its media by their ids. */
export function storedSource(draft: DraftPost): StoredSource {
  const { title = null, language = null, visibility = null, contentWarning = null, split, numbered } = draft;
  return {
    parts: stored(draft.parts, draft),
    overrides: storedOverrides(draft),
    options: draft.options ?? {},
    title,
    language,
    visibility,
    contentWarning,
    split,
    numbered,
  };
}

function stored([first, ...others]: DraftParts, { format }: DraftPost): StoredParts {
  const one = ({ text, media }: DraftPart) => ({
    text,
    media: media.map(({ id }) => id),
    ...defined({ format: format === "markdown" ? format : undefined }),
  });
  return [one(first), ...others.map(one)];
}

function storedOverrides(draft: DraftPost): Readonly<Record<string, StoredParts>> {
  return Object.fromEntries(
    Object.entries(draft.overrides).map(([platform, parts]) => [platform, stored(parts, draft)]),
  );
}

function noBucket(name: string): Issue {
  const message = `${name} fetches media from a public address, which requires a bucket, and this hub has none`;
  return { code: "media.no-bucket", message, hint: "psn config set S3_BUCKET" };
}

export const linkedMedia = (previews: readonly Preview[]): ReadonlySet<string> =>
  new Set(previews.filter(({ linked }) => linked).flatMap(({ units }) => units.flatMap(({ media }) => media)));

/** Each file once, though an override may show the same ones. */
export function allMedia({ parts, overrides }: DraftPost): readonly NewMedia[] {
  const all = [parts, ...Object.values(overrides)].flatMap((some) => some.flatMap(({ media }) => media));
  return [...new Map(all.map((file) => [file.id, file])).values()];
}
