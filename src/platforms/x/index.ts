import { PsnError } from "@psn/core/errors.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { PublishRequest, Session } from "@psn/core/types/platform.ts";
import { composeThread } from "@psn/platforms/kit/compose.ts";
import { definePlatform } from "@psn/platforms/kit/define.ts";
import { type Answer, parse } from "@psn/platforms/kit/http.ts";
import { ALLOWANCE_NARROW_MS } from "@psn/platforms/kit/lookup.ts";
import { notHeardOfYet } from "@psn/platforms/kit/parent.ts";
import { json } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";
import { api, Created, Id } from "./api.ts";
import { type Body, CAPABILITIES, SHAPE } from "./compose.ts";
import { NEEDS, OAUTH, VERBS } from "./connect.ts";
import { locate, lookup, refOf } from "./lookup.ts";
import { isDuplicate, isMediaMissing, isParentMissing, refusalOf } from "./refusals.ts";
import { upload } from "./upload.ts";

/** X, by version 2 of its API. */
export default definePlatform({
  id: "x",
  name: "X",
  docs: "https://docs.x.com/x-api/posts/create-post",
  capabilities: CAPABILITIES,
  scopes: NEEDS,
  auth: [OAUTH],

  ...VERBS,
  compose: (post, limits) => composeThread(SHAPE, post, limits),
  prepare: (request: PublishRequest<Body>, session) => upload(request, session),

  async publish(request: PublishRequest<Body>, session) {
    const media = mediaIds(request);
    const answer = await api(session, "/2/tweets", {
      ...json({
        ...request.unit.body,
        ...(media.length > 0 ? { media: { media_ids: media } } : {}),
        ...(request.parent ? { reply: { in_reply_to_tweet_id: request.parent.id } } : {}),
      }),
      effect: "publish",
      accept: [400, 403, 404],
    });
    if (answer.status >= 400) return { status: "published", ref: await alreadyOut(answer, request, session) };
    return { status: "published", ref: refOf(parse(answer, Created).data.id, session) };
  },

  lookup: (request: PublishRequest<Body>, session, known) => lookup(request, session, known),
  locate,

  /** https://docs.x.com/x-api/posts/delete-post (2026-11). */
  async remove(ref, session) {
    const path = `/2/tweets/${encodeURIComponent(ref.id)}`;
    const answer = await api(session, path, { method: "DELETE", effect: "none", accept: [404, 410] });
    if (
      answer.status >= 400 ||
      parse(answer, z.object({ data: z.object({ deleted: z.boolean() }).optional() })).data?.deleted
    )
      return;
    // Neither yes nor no: gone is what cannot be read any more.
    const still = await api(session, path, { effect: "none", accept: [404, 410] });
    if (still.status >= 400 || !parse(still, z.object({ data: z.object({ id: Id }).optional() })).data) return;
    throw new PsnError("PLATFORM_REJECTED", "X did not delete the post", {
      hint: `delete it in the browser: ${ref.url}`,
      // It has just been seen there.
      neverTaken: true,
    });
  },
});

/** What `prepare` resolved to. */
function mediaIds({ unit, prepared }: PublishRequest<Body>): readonly string[] {
  if (unit.media.length === 0) return [];
  const ids = z.array(Id).safeParse(prepared satisfies Json);
  if (ids.success && ids.data.length === unit.media.length) return ids.data;
  throw new PsnError("BUG", "a post with media was sent before its media were uploaded");
}

/**
 * A clear no: this request made nothing. That the words are said already can mean that an earlier attempt of this very
 * unit said them; then they are not older than the unit.
 */
async function alreadyOut(answer: Answer, request: PublishRequest<Body>, session: Session) {
  const error = refusalOf(answer, session);
  if (isDuplicate(answer)) {
    // On a first attempt the words are another post's.
    const ref = request.again ? await lookup(request, session, new Set(), ALLOWANCE_NARROW_MS) : undefined;
    if (ref) return ref;
    throw error;
  }
  if (request.parent && isParentMissing(answer)) throw notHeardOfYet(error, request, session) ?? error;
  if (request.unit.media.length > 0 && isMediaMissing(answer))
    throw new PsnError("PLATFORM_REJECTED", `${error.message}; X keeps uploaded media for about a day`, {
      cause: error,
      details: error.details,
    });
  throw error;
}
