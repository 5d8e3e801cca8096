import { PsnError } from "@psn/core/errors.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { type Answer, bodyOf } from "@psn/platforms/kit/http.ts";
import { ALLOWANCE_NARROW_MS } from "@psn/platforms/kit/lookup.ts";
import { notHeardOfYet } from "@psn/platforms/kit/parent.ts";
import { json, UPDATE } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";
import { api, HOME, keyOf } from "./api.ts";
import type { Body, CommentBody, PostBody } from "./compose.ts";
import { clockAheadMs, duplicateOf, refusalOf } from "./refusals.ts";
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

/**
 * POST /rest/posts (https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api,
 * 2026-11).
 */
export async function sendPost(request: PublishRequest<Body>, body: PostBody, session: Session): Promise<Ref> {
  if (request.again) mayBeSentAgain(request, body, session);
  const content = contentOf(request, body);
  const answer = await api(session, "/rest/posts", {
    ...json({
      author: session.profile.subject,
      commentary: body.commentary,
      visibility: body.visibility,
      distribution: { feedDistribution: "MAIN_FEED", targetEntities: [], thirdPartyDistributionChannels: [] },
      ...(content ? { content } : {}),
      lifecycleState: "PUBLISHED",
      isReshareDisabledByAuthor: false,
    }),
    effect: "publish",
    accept: [400, 409, 422, 426],
  });
  if (answer.status >= 400) return alreadyOut(answer, request, session);
  const urn = answer.headers.get("x-restli-id") ?? "";
  if (POST.test(urn)) return postRef(urn);
  throw new PsnError("PLATFORM_CHANGED", "LinkedIn accepted the post but did not return its id", {
    details: { status: answer.status },
  });
}

/**
 * Sending again is harmless only as long as LinkedIn refuses what it has: what nobody says it compares, psn does not
 * send twice.
 */
function mayBeSentAgain({ at }: PublishRequest<Body>, { commentary }: PostBody, session: Session): void {
  const wordless = commentary === "";
  if (!wordless && session.now().getTime() - at.getTime() <= REFUSES_MS) return;
  const reason = wordless
    ? "without a text LinkedIn may not recognise it"
    : "after this long LinkedIn may not recognise it";
  throw new PsnError("UNCONFIRMED", `an earlier attempt may have published this post, and ${reason}`);
}

/**
 * A refusal made nothing. That LinkedIn has this post already can mean that an earlier attempt of this very unit made
 * it; then it is not older than the unit.
 */
function alreadyOut(answer: Answer, { again, at }: PublishRequest<Body>, session: Session): Ref {
  const error = refusalOf(answer, session);
  const options = { cause: error, details: error.details };
  const duplicate = duplicateOf(answer);
  // A version that was switched off in between is not what the earlier attempt was answered with.
  if (again && answer.status === 426)
    throw new PsnError("PLATFORM_CHANGED", error.message, { ...options, hint: UPDATE });
  // Of a repeat only its words tell whether the first was taken.
  if (!duplicate && again && answer.cut) throw new PsnError("OUTCOME_UNKNOWN", error.message, options);
  if (!duplicate) throw error;
  const { urn } = duplicate;
  const made = urn === undefined ? undefined : madeAt(urn);
  const older = made !== undefined && made < at.getTime() + clockAheadMs(answer, session.now()) - ALLOWANCE_NARROW_MS;
  if (again && urn !== undefined && !older) return postRef(urn);
  if (again && urn === undefined)
    throw new PsnError("OUTCOME_UNKNOWN", "LinkedIn already has this post but does not say which one it is", options);
  const where = urn === undefined ? "" : `: ${postRef(urn).url}`;
  throw new PsnError("PLATFORM_REJECTED", `LinkedIn refuses a text that it already has${where}: change the text`, {
    ...options,
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
  const ready = Prepared.safeParse(prepared);
  if (!ready.success || ready.data.media.length !== unit.media.length)
    throw new PsnError("BUG", "a post with media or a link was sent before it was prepared");
  const { media, card } = ready.data;
  if (card) {
    const { source, title: name, description, thumbnail } = card;
    return {
      article: {
        source,
        title: name,
        ...(description === "" ? {} : { description }),
        ...(thumbnail ? { thumbnail } : {}),
      },
    };
  }
  const files = media.map((id, index) => ({ id, ...(alts[index] ? { altText: alts[index] } : {}) }));
  const [file] = files;
  if (files.length > 1) return { multiImage: { images: files } };
  return title === null ? { media: file } : { media: { id: file?.id, title } };
}

/** As much of a made comment as psn reads; numbers of 19 digits only where they are text. */
const Made = z.object({
  commentUrn: z.string().optional().catch(undefined),
  $URN: z.string().optional().catch(undefined),
  id: z.string().optional().catch(undefined),
  object: z.string().optional().catch(undefined),
});

/**
 * A comment of the author's on the first unit: POST /rest/socialActions/{urn}/comments
 * (https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/comments-api, 2026-11). Nobody says
 * that LinkedIn refuses the same comment twice, and psn may not read comments: what may be out is a person's to judge.
 */
export async function sendComment(
  request: PublishRequest<Body>,
  { text }: CommentBody,
  session: Session,
): Promise<Ref> {
  const { root, again, at } = request;
  if (!root) throw new PsnError("BUG", "a comment was sent without the post it belongs to");
  if (again)
    throw new PsnError(
      "UNCONFIRMED",
      `an earlier attempt may have published this comment; check the comments of ${root.url}`,
    );
  const answer = await api(session, `/rest/socialActions/${keyOf(root.id)}/comments`, {
    ...json({ actor: session.profile.subject, object: root.id, message: { text } }),
    effect: "publish",
    accept: [403, 404],
  });
  if (answer.status === 404)
    throw notHeardOfYet(refusalOf(answer, session), request, session) ?? goneOrNew(answer, at, root, session);
  if (answer.status === 403) {
    const error = refusalOf(answer, session);
    throw new PsnError("AUTH_SCOPE", error.message, {
      cause: error,
      details: error.details,
      hint:
        "LinkedIn allows only apps with its Community Management API to comment: write the rest on LinkedIn, and " +
        "post only one part there",
    });
  }
  return commentRef(urnOfComment(answer, root), root);
}

/** What takes comments learns of a post a little later than its author (github.com/gitroomhq/postiz-app/issues/408). */
function goneOrNew(answer: Answer, at: Date, root: Ref, session: Session): PsnError {
  const error = refusalOf(answer, session);
  const options = { cause: error, details: error.details };
  if (session.now().getTime() - (madeAt(root.id) ?? at.getTime()) < SETTLING_MS.most)
    return new PsnError("PLATFORM_DOWN", "LinkedIn does not yet find the post to comment on", {
      ...options,
      retryAfterMs: SETTLING_MS.again,
    });
  return new PsnError("PLATFORM_REJECTED", "LinkedIn does not find the post to comment on", {
    ...options,
    hint: `it may have been deleted: ${root.url}`,
  });
}

function urnOfComment(answer: Answer, root: Ref): string {
  const made = Made.safeParse(bodyOf(answer));
  const { commentUrn, $URN, id, object } = made.success ? made.data : {};
  const header = answer.headers.get("x-restli-id") ?? undefined;
  const composed = [id, header].map((one) => `urn:li:comment:(${object ?? root.id},${one ?? ""})`);
  const urn = [commentUrn, $URN, header, ...composed].find((one) => one !== undefined && COMMENT.test(one));
  if (urn !== undefined) return urn;
  throw new PsnError("PLATFORM_CHANGED", "LinkedIn accepted the comment but did not return its id", {
    details: { status: answer.status },
  });
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
  const [, named, type, number] =
    /(urn:li:(?:activity|share|ugcPost):\d{1,19})|-(activity|share|ugcPost)-(\d{1,19})/.exec(
      url.pathname.replaceAll(/%3a/gi, ":"),
    ) ?? [];
  const urn = named ?? (type && number ? `urn:li:${type}:${number}` : undefined);
  if (urn === undefined) return undefined;
  const comment = url.searchParams.get("commentUrn")?.replace(":(", ":(urn:li:") ?? "";
  return COMMENT.test(comment) ? commentRef(comment, postRef(urn)) : postRef(urn);
}

/**
 * DELETE of a post or of a comment (both pages above): 204 is yes, and what LinkedIn does not know is gone. Throws
 * PLATFORM_CHANGED for any other yes: it may be no answer of LinkedIn's.
 */
export async function remove({ id }: Ref, session: Session): Promise<void> {
  const comment = COMMENT.exec(id);
  const actor = encodeURIComponent(session.profile.subject);
  const path = comment
    ? `/rest/socialActions/${keyOf(comment[1] ?? "")}/comments/${comment[2]}?actor=${actor}`
    : `/rest/posts/${keyOf(id)}`;
  const { status, host } = await api(session, path, {
    method: "DELETE",
    headers: { "x-restli-method": "DELETE" },
    effect: "none",
    accept: [404, 410],
  });
  if (status < 300 && status !== 204)
    throw new PsnError("PLATFORM_CHANGED", `${host} answered ${status} to a removal instead of 204`, {
      details: { status },
    });
}
