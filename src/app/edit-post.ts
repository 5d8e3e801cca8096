import { PsnError } from "@psn/core/errors.ts";
import { pass } from "@psn/core/ports/fault-points.ts";
import type {
  DeliveryDetail,
  DeliverySummary,
  NewMedia,
  NewPostMedia,
  SourceRow,
  StoredPart,
  StoredParts,
} from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { canonical, type Written } from "@psn/domain/draft/write.ts";
import type { DraftMedia } from "@psn/domain/draft.ts";
import { STORED, storedIn } from "@psn/domain/markdown/images.ts";
import { advice } from "./advice.ts";
import { findDeliveries, shortId } from "./find-deliveries.ts";
import { keepMedia, openMedia } from "./keep-media.ts";
import {
  allMedia,
  assertValid,
  type DraftParts,
  type DraftPost,
  LOOK_AGAIN_MS,
  linkedMedia,
  type Preview,
  previewPost,
  type Stoppable,
  storedSource,
} from "./schedule-post.ts";
import { type Woken, wakeUp } from "./wake-up.ts";

/*
 * A post gets other words (ADR 26). Its next revision and everything composed of it are written at once; what has been
 * sent, or may have been, keeps the words it has.
 */

/** A post as it can be edited. */
export interface OpenPost {
  readonly source: SourceRow;
  /** What its author wrote; media are named by `psn:` and their ids. */
  readonly written: Written;
  readonly deliveries: readonly DeliveryDetail[];
}

/** The post of this id, or of the delivery of this id. Throws INPUT_INVALID, AMBIGUOUS, NOT_FOUND. */
export async function openPost(world: World, userId: string, id: string): Promise<OpenPost> {
  const [first] = await findDeliveries(world, userId, id);
  const found = first && (await reopenPost(world, userId, first.postId));
  if (!found) throw new PsnError("NOT_FOUND", `there is no post or delivery whose id is or ends in ${id}`);
  return found;
}

async function reopenPost(world: World, userId: string, postId: string): Promise<OpenPost | undefined> {
  const { posts } = world.stores;
  // The revision is read first: whatever changes after it makes the write fail.
  const source = await posts.source(userId, postId);
  if (!source) return undefined;
  const ids = (await posts.ofPost(userId, postId)).map(({ id }) => id);
  return { source, written: writtenOf(source), deliveries: await posts.detail(userId, ids) };
}

/** Those media of a part that do not stand in its text. */
function besideText(text: string, ids: readonly string[], { parts: [{ format }] }: SourceRow): readonly string[] {
  if (format !== "markdown") return ids;
  const within = storedIn(text);
  return ids.filter((id) => !within.has(id));
}

function writtenOf(row: SourceRow): Written {
  const { media, ...source } = row;
  const { title, language, visibility, contentWarning, split, numbered } = source;
  const medium = (id: string): DraftMedia => {
    const alt = media.find((one) => one.id === id)?.alt;
    return { file: `${STORED}${id}`, ...defined({ alt }) };
  };
  const part = ({ text, media: ids }: StoredPart) => ({ text, media: besideText(text, ids, row).map(medium) });
  const parts = ([first, ...others]: StoredParts) => [part(first), ...others.map(part)] as const;
  return {
    parts: parts(source.parts),
    overrides: Object.fromEntries(Object.entries(source.overrides).map(([id, own]) => [id, parts(own)])),
    options: source.options ?? {},
    ...defined({
      format: source.parts[0].format,
      title: title ?? undefined,
      language: language ?? undefined,
      visibility: visibility ?? undefined,
      contentWarning: contentWarning ?? undefined,
    }),
    split,
    numbered,
  };
}

/** Whether two drafts of a post say the same. */
export const isSame = (one: Written, other: Written): boolean => canonical(one) === canonical(other);

/** Whether this names a media file that the post has. */
export const isStored = (file: string): boolean => file.startsWith(STORED);

/**
 * A media file that the post has. With another description it is another one, since what is under way shows the first.
 * Throws MEDIA_INVALID for a name that is none of the post's, and what `openMedia` throws.
 */
export async function storedMedia(
  world: World,
  {
    userId,
    source: { media },
    medium: { file, alt },
  }: { readonly userId: string; readonly source: SourceRow; readonly medium: DraftMedia },
): Promise<NewMedia> {
  const found = media.find(({ id }) => file === `${STORED}${id}`);
  if (!found)
    throw new PsnError("MEDIA_INVALID", `the post has no media file ${file}`, {
      hint: "leave the names that begin with psn: as they are, or write the path of a file",
    });
  const { alt: before, ...info } = found;
  if ((alt ?? "") === (before ?? "")) return { ...found, content: new Uint8Array(0) };
  const content = await openMedia(world, userId, found);
  return {
    ...info,
    id: world.newId(),
    content,
    ...defined({ alt: alt === undefined || alt === "" ? undefined : alt }),
  };
}

/** What an edit makes of a post. */
export interface EditPlan {
  /** The next revision. */
  readonly revision: number;
  /** What is composed again, and what it becomes. */
  readonly changed: readonly { readonly delivery: DeliverySummary; readonly preview: Preview }[];
  /** What keeps the words it has: it has been sent, may have been, or has ended and the new words do not fit it. */
  readonly left: readonly DeliverySummary[];
}

const SENT: readonly DeliveryState[] = ["sending", "published", "unconfirmed", "removed"];
const ENDED: readonly DeliveryState[] = ["failed", "cancelled"];

/** Nothing of it has been sent; `psn.edit` holds the same line. */
const isUnsent = ({ state, operation, unitList }: DeliveryDetail): boolean =>
  operation === "publish" &&
  !SENT.includes(state) &&
  unitList.every((unit) => (unit.state === "waiting" || unit.state === "pending") && unit.sentAt === null);

/**
 * Composes what can still be changed; writes nothing.
 *
 * @throws PsnError POST_INVALID with everything that is wrong, and STATE_CONFLICT where nothing can be changed any
 * more.
 */
export async function planEdit(
  world: World,
  { userId, post, draft }: { readonly userId: string; readonly post: OpenPost; readonly draft: DraftPost },
): Promise<EditPlan> {
  const { source, deliveries } = post;
  const unsent = deliveries.filter(isUnsent);
  if (unsent.length === 0) throw nothingToEdit(deliveries);
  const accounts = await world.stores.accounts.list(userId);
  const wanted = accounts.filter(({ id }) => unsent.some(({ accountId }) => accountId === id));
  const previews = new Map((await previewPost(world, draft, wanted)).map((one) => [one.account.id, one]));
  const planned = unsent.flatMap((delivery) => {
    const preview = previews.get(delivery.accountId);
    return preview ? [{ delivery, preview }] : [];
  });
  const isLeft = ({ delivery, preview }: (typeof planned)[number]) =>
    ENDED.includes(delivery.state) && preview.issues.length > 0;
  const open = planned.filter((one) => !isLeft(one));
  assertValid((open.length > 0 ? open : planned).map(({ preview }) => preview));
  const left = deliveries.filter(({ id }) => !open.some(({ delivery }) => delivery.id === id));
  return { revision: source.revision + 1, changed: open, left };
}

function nothingToEdit(deliveries: readonly DeliveryDetail[]): PsnError {
  const said = deliveries.map(({ platform, handle, state }) => `${platform}:${handle} is ${state}`).join(", ");
  const [first] = deliveries;
  const [helps] = deliveries.flatMap(advice);
  return new PsnError("STATE_CONFLICT", `there is nothing to edit: ${said}`, {
    hint: helps ?? { run: "show", ...defined({ args: first ? { id: shortId(first.postId) } : undefined }) },
  });
}

/** What an edit did; its deliveries as they are afterwards. */
export interface Edited extends EditPlan {
  readonly woken: Woken;
}

/** How often an edit is planned again where a worker was faster. */
const MOST_TRIES = 5;

/**
 * Writes the next revision, and composes everything of it again of which nothing has been sent: all at once, or
 * nothing. Where a worker was faster it is planned again, and what has gone out meanwhile is left.
 *
 * @throws PsnError CHANGED_MEANWHILE where somebody else has edited the post since it was opened; STATE_CONFLICT where
 * nothing can be changed; HUB_BUSY while workers are at work on it; POST_INVALID; MEDIA_INVALID; OUTCOME_UNKNOWN where
 * the database became unreachable and psn could not confirm that it is written.
 */
export async function editPost(
  world: World,
  {
    userId,
    post,
    draft,
    signal,
    noReturn = () => undefined,
  }: { readonly userId: string; readonly post: OpenPost; readonly draft: DraftPost } & Stoppable,
): Promise<Edited> {
  const { posts } = world.stores;
  const { postId } = post.source;
  const first = await planEdit(world, { userId, post, draft });
  const known = new Set(post.source.media.map(({ id }) => id));
  const added = allMedia(draft).filter(({ id }) => !known.has(id));
  let plan = first;
  let lost: unknown;
  const write = async (media: NewPostMedia): Promise<boolean> => {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      if (tries > 0) {
        if (lost !== undefined) await world.sleep(LOOK_AGAIN_MS[Math.min(tries, LOOK_AGAIN_MS.length) - 1] ?? 0);
        const now = await reopenPost(world, userId, postId).catch(unlessLost);
        if (!now) continue;
        if (now.source.revision !== post.source.revision) {
          // The answer may have been lost, and not the write.
          if (lost !== undefined && canonical(writtenOf(now.source)) === canonical(asWritten(draft))) return true;
          throw editedMeanwhile(now);
        }
        plan = await planEdit(world, { userId, post: now, draft });
      }
      noReturn();
      await pass(world, "edit composed, not written");
      const outcome = await posts
        .edit(userId, next(world, { plan, source: post.source, draft, media }))
        .catch((error) => {
          lost = unlessLost(error) ?? error;
        });
      if (outcome === "done") return true;
    }
    if (lost !== undefined) throw unknown(postId, lost);
    throw new PsnError("HUB_BUSY", "workers are at work on this post, and nothing was changed", {
      hint: `psn show ${shortId(postId)}; then edit it again`,
    });
  };
  await keepMedia(world, {
    userId,
    files: added,
    linked: linkedMedia(first.changed.map(({ preview }) => preview)),
    write,
    signal,
  });
  await pass(world, "edit written, nobody told");
  const after = await posts.ofPost(userId, postId);
  const changed = plan.changed.map(({ delivery, preview }) => ({
    delivery: after.find(({ id }) => id === delivery.id) ?? delivery,
    preview,
  }));
  const woken = await wakeUp(
    world,
    userId,
    changed.map(({ delivery }) => delivery),
  );
  return { ...plan, changed, woken };
}

function next(
  world: World,
  {
    plan: { changed },
    source: { postId, revision },
    draft,
    media,
  }: {
    readonly plan: EditPlan;
    readonly source: SourceRow;
    readonly draft: DraftPost;
    readonly media: NewPostMedia;
  },
) {
  const deliveries = changed.map(({ delivery: { id, fence }, preview: { units } }) => ({
    id,
    fence,
    units: units.map((unit) => ({ id: world.newId(), unit })),
  }));
  return { postId, revision, source: storedSource(draft), media, deliveries };
}

/** As it is read once it is written. */
function asWritten(draft: DraftPost): Written {
  const parts = ([first, ...others]: DraftParts) => {
    const one = ({ text, media }: DraftParts[number]) => {
      const within = draft.format === "markdown" ? storedIn(text) : new Set();
      const beside = media.filter(({ id }) => !within.has(id));
      return { text, media: beside.map(({ id, alt }) => ({ file: `${STORED}${id}`, ...defined({ alt }) })) };
    };
    return [one(first), ...others.map(one)] as const;
  };
  const { parts: main, overrides, options = {}, ...rest } = draft;
  const others = Object.fromEntries(Object.entries(overrides).map(([id, own]) => [id, parts(own)]));
  return { ...rest, parts: parts(main), overrides: others, options };
}

/** Nothing for a lost connection; throws anything else. */
function unlessLost(error: unknown): undefined {
  if (!(error instanceof PsnError) || error.code !== "DB_UNREACHABLE") throw error;
}

/** The post has another revision than the one that was edited. */
export function editedMeanwhile({ source: { postId, revision } }: OpenPost): PsnError {
  const id = shortId(postId);
  return new PsnError(
    "CHANGED_MEANWHILE",
    `somebody has edited this post meanwhile: it has revision ${revision} now, and nothing was changed`,
    { hint: `psn edit ${id} --print shows it; then edit it again: psn edit ${id}`, details: { revision } },
  );
}

const unknown = (postId: string, cause: unknown) =>
  new PsnError(
    "OUTCOME_UNKNOWN",
    "the database became unreachable while the edit was written; psn could not confirm that it is stored",
    { cause, hint: `psn edit ${shortId(postId)} --print`, details: { post: postId } },
  );
