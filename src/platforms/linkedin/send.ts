import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { type Answer, bodyOf, renamed, serverNow, unexpected } from "@psn/platforms/kit/http.ts";
import { ALLOWANCE_NARROW_MS } from "@psn/platforms/kit/lookup.ts";
import { notHeardOfYet } from "@psn/platforms/kit/parent.ts";
import { json, UPDATE } from "@psn/platforms/kit/refusals.ts";
import { preparedOf } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { api, DUPLICATE, HOME, keyOf, reasonOf, refusalOf, says } from "./api.ts";
import type { Body, CommentBody, PostBody } from "./compose.ts";
import { Prepared } from "./upload.ts";

const POST = /^urn:li:(?:share|ugcPost):\d{1,19}$/;
const COMMENT = /^urn:li:comment:\((urn:li:(?:activity|share|ugcPost):\d{1,19}),(\d{1,19})\)$/;

/**
 * How long psn relies on LinkedIn to refuse the same post again, in milliseconds. No page says for how long it does;
 * developers report a day and more.
 */
const REFUSES_MS = 12 * 3_600_000;
/** For how long a post just made may be unknown to what takes comments, in milliseconds, and when to ask again. */
const SETTLING_MS = { most: 10 * 60_000, again: 30_000 };

/** The first unit as a post, the others as comments on it. */
export async function send(request: PublishRequest<Body>, session: Session): Promise<Ref> {
  const { body } = request.unit;
  return body.kind === "post" ? sendPost(request, body, session) : sendComment(request, body, session);
}

/** POST /rest/posts (…/marketing/community-management/shares/posts-api, 2026-11). */
async function sendPost(request: PublishRequest<Body>, body: PostBody, session: Session): Promise<Ref> {
  if (request.again) mayBeSentAgain(request, body, session);
  const post = json({
    author: session.profile.subject,
    commentary: body.commentary,
    visibility: body.visibility,
    distribution: { feedDistribution: "MAIN_FEED", targetEntities: [], thirdPartyDistributionChannels: [] },
    ...defined({ content: contentOf(request, body) }),
    lifecycleState: "PUBLISHED",
    isReshareDisabledByAuthor: false,
  });
  const answer = await api(session, "/rest/posts", { ...post, effect: "publish", accept: [400, 409, 422, 426] });
  if (answer.status >= 400) return alreadyOut(answer, request, session);
  const urn = answer.headers.get("x-restli-id") ?? "";
  if (POST.test(urn)) return postRef(urn);
  throw unexpected(answer, "LinkedIn accepted the post but did not return its id");
}

/**
 * Sending again is harmless only as long as LinkedIn refuses what it has: what nobody says it compares, psn does not
 * send twice.
 */
function mayBeSentAgain({ at }: PublishRequest<Body>, { commentary }: PostBody, session: Session): void {
  const wordless = commentary === "";
  if (!wordless && session.now().getTime() - at.getTime() <= REFUSES_MS) return;
  const why = `${wordless ? "without a text" : "after this long"} LinkedIn may not recognise it`;
  throw new PsnError("UNCONFIRMED", `an earlier attempt may have published this post, and ${why}`);
}

/**
 * A refusal made nothing. That LinkedIn has this post already can mean that an earlier attempt of this very unit made
 * it; then it is not older than the unit.
 */
function alreadyOut(answer: Answer, { again, at }: PublishRequest<Body>, session: Session): Ref {
  const error = refusalOf(answer, session);
  // A version that was switched off in between is not what the earlier attempt was answered with.
  if (again && answer.status === 426) throw renamed("PLATFORM_CHANGED", error, { hint: UPDATE });
  // Of a repeat only its words tell whether the first was taken.
  if (!says(answer, DUPLICATE)) throw again && answer.cut ? renamed("OUTCOME_UNKNOWN", error) : error;
  const named = /\burn:li:(?:share|ugcPost):\d{1,19}\b/.exec(reasonOf(answer)?.words ?? "");
  const ref = named ? postRef(named[0]) : undefined;
  const unnamed = "LinkedIn already has this post but does not say which one it is";
  if (again && !ref) throw renamed("OUTCOME_UNKNOWN", error, { says: unnamed });
  const now = session.now();
  const since = at.getTime() + serverNow(answer.headers, now) - now.getTime() - ALLOWANCE_NARROW_MS;
  if (again && ref && (madeAt(ref.id) ?? since) >= since) return ref;
  throw renamed("PLATFORM_REJECTED", error, {
    says: `LinkedIn refuses a text that it already has${ref ? `: ${ref.url}` : ""}: change the text`,
    hint: "change the text; LinkedIn refuses the same text for a day or more, even if the first post is deleted",
  });
}

/**
 * When LinkedIn made what this URN names, in epoch milliseconds: its number begins with them. No page says so; it holds
 * for the URNs in reports that have a date. Undefined for a number that begins with nothing like it.
 */
export function madeAt(urn: string): number | undefined {
  const ms = Number(BigInt(/\d{1,19}$/.exec(urn)?.[0] ?? "0") >> 22n);
  return ms > Date.UTC(2010) && ms < Date.UTC(2100) ? ms : undefined;
}

/** The post's files, or the link's card (posts-api above, multiimage-post-api beside it, 2026-11). */
function contentOf({ unit, prepared }: PublishRequest<Body>, { alts, title }: PostBody): object | undefined {
  if (!unit.prepare) return undefined;
  const { media, card } = preparedOf(
    prepared,
    Prepared.refine((made) => made.media.length === unit.media.length),
  );
  if (card) {
    const { description, thumbnail, ...article } = card;
    const more = { description: description || undefined, thumbnail: thumbnail ?? undefined };
    return { article: { ...article, ...defined(more) } };
  }
  const files = media.map((id, index) => ({ id, ...defined({ altText: alts[index] ?? undefined }) }));
  if (files.length > 1) return { multiImage: { images: files } };
  return { media: title === null ? files[0] : { id: media[0], title } };
}

/** As much of a made comment as psn reads; numbers of 19 digits only where they are text. */
const Field = z.string().optional().catch(undefined);
const Made = z.object({ commentUrn: Field, $URN: Field, id: Field, object: Field });

/**
 * A comment of the author's on the first unit: POST /rest/socialActions/{urn}/comments (comments-api beside posts-api,
 * 2026-11). Nobody says that LinkedIn refuses the same comment twice, and psn may not read comments: what may be out is
 * a person's to judge.
 */
async function sendComment(request: PublishRequest<Body>, body: CommentBody, session: Session): Promise<Ref> {
  const { root, again } = request;
  if (!root) throw new PsnError("BUG", "a comment was sent without the post it belongs to");
  if (again)
    throw new PsnError(
      "UNCONFIRMED",
      `an earlier attempt may have published this comment; check the comments of ${root.url}`,
    );
  const answer = await api(session, `/rest/socialActions/${keyOf(root.id)}/comments`, {
    ...json({ actor: session.profile.subject, object: root.id, message: { text: body.text } }),
    effect: "publish",
    accept: [403, 404],
  });
  if (answer.status < 400) return commentRef(urnOfComment(answer, root), root);
  const error = refusalOf(answer, session);
  if (answer.status === 404)
    throw notHeardOfYet(error, request, session) ?? goneOrNew(error, { ...request, root }, session);
  throw renamed("AUTH_SCOPE", error, {
    hint:
      "LinkedIn allows only apps with its Community Management API to comment: write the rest on LinkedIn, and " +
      "post only one part there",
  });
}

type Commented = Pick<PublishRequest, "at"> & { readonly root: Ref };

/** What takes comments learns of a post a little later than its author (github.com/gitroomhq/postiz-app/issues/408). */
function goneOrNew(error: PsnError, { at, root }: Commented, { now }: Session): PsnError {
  const isNew = now().getTime() - (madeAt(root.id) ?? at.getTime()) < SETTLING_MS.most;
  const says = `LinkedIn does not ${isNew ? "yet " : ""}find the post to comment on`;
  if (isNew) return renamed("PLATFORM_DOWN", error, { says, retryAfterMs: SETTLING_MS.again });
  return renamed("PLATFORM_REJECTED", error, { says, hint: `it may have been deleted: ${root.url}` });
}

function urnOfComment(answer: Answer, root: Ref): string {
  const { commentUrn, $URN, id, object = root.id } = Made.safeParse(bodyOf(answer)).data ?? {};
  const header = answer.headers.get("x-restli-id") ?? undefined;
  const composed = [id, header].map((one) => `urn:li:comment:(${object},${one ?? ""})`);
  const urn = [commentUrn, $URN, header, ...composed].find((one) => one !== undefined && COMMENT.test(one));
  if (urn !== undefined) return urn;
  throw unexpected(answer, "LinkedIn accepted the comment but did not return its id");
}

/** As LinkedIn's answer to a post has it (posts-api above). */
function postRef(urn: string): Ref {
  return { id: urn, url: `${HOME}/feed/update/${urn}/` };
}

/** As the browser's "copy link to comment" has it. */
function commentRef(urn: string, root: Ref): Ref {
  return { id: urn, url: `${root.url}?commentUrn=${encodeURIComponent(urn.replace("(urn:li:", "("))}` };
}

/**
 * The post or comment in an address that LinkedIn shows: `/feed/update/urn:li:share:…`,
 * `/posts/ada_words-activity-…-x1Yz`. Whose it is cannot be asked: psn may not read posts.
 */
export async function locate(typed: string): Promise<Ref | undefined> {
  const url = new URL(typed);
  if (!/(?:^|\.)linkedin\.com$/.test(url.hostname)) return undefined;
  const path = url.pathname.replaceAll(/%3a/gi, ":");
  const [, named, type, number] =
    /(urn:li:(?:activity|share|ugcPost):\d{1,19})|-(activity|share|ugcPost)-(\d{1,19})/.exec(path) ?? [];
  if (named === undefined && type === undefined) return undefined;
  const post = postRef(named ?? `urn:li:${type}:${number}`);
  const comment = url.searchParams.get("commentUrn")?.replace(":(", ":(urn:li:") ?? "";
  return COMMENT.test(comment) ? commentRef(comment, post) : post;
}

/**
 * DELETE of a post or of a comment (both pages above): 204 is yes, and what LinkedIn does not know is gone. Throws
 * PLATFORM_CHANGED for any other yes: it may be no answer of LinkedIn's.
 */
export async function remove({ id }: Ref, session: Session): Promise<void> {
  const [, post, number] = COMMENT.exec(id) ?? [];
  const actor = encodeURIComponent(session.profile.subject);
  const path = post
    ? `/rest/socialActions/${keyOf(post)}/comments/${number}?actor=${actor}`
    : `/rest/posts/${keyOf(id)}`;
  const request = { method: "DELETE", headers: { "x-restli-method": "DELETE" }, effect: "none" } as const;
  const answer = await api(session, path, { ...request, accept: [404, 410] });
  if (answer.status === 204 || answer.status >= 300) return;
  throw unexpected(answer, `${answer.host} answered ${answer.status} to a removal instead of 204`);
}
