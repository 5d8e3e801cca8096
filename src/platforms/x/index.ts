import { defined } from "@psn/core/types/defined.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { shaped } from "@psn/platforms/kit/compose.ts";
import { definePlatform, published } from "@psn/platforms/kit/define.ts";
import { type Answer, parse, renamed, stillThere } from "@psn/platforms/kit/http.ts";
import { notHeardOfYet } from "@psn/platforms/kit/parent.ts";
import { json } from "@psn/platforms/kit/refusals.ts";
import { uploadedOf } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { api, DUPLICATE, Id, MEDIA_MISSING, PARENT_MISSING, refusalOf, says } from "./api.ts";
import { type Body, SHAPE } from "./compose.ts";
import { CONNECT } from "./connect.ts";
import { find, locate, refOf } from "./lookup.ts";
import { upload } from "./upload.ts";

/** The answer to POST /2/tweets (…/x-api/posts/create-post, 2026-11). */
const Created = z.object({ data: z.object({ id: Id }) });
const Deleted = z.object({ data: z.object({ deleted: z.boolean() }).optional() });
const Found = Created.partial();

/** X, by version 2 of its API. */
export default definePlatform({
  ...shaped(SHAPE),
  docs: "https://docs.x.com/x-api/posts/create-post",
  ...CONNECT,
  prepare: upload,

  publish: published(async (request: PublishRequest<Body>, session) => {
    const ids = uploadedOf(request, Id);
    const media = ids.length > 0 ? { media_ids: ids } : undefined;
    const reply = request.parent && { in_reply_to_tweet_id: request.parent.id };
    const tweet = json({ ...request.unit.body, ...defined({ media, reply }) });
    const answer = await api(session, "/2/tweets", { ...tweet, effect: "publish", accept: [400, 403, 404] });
    if (answer.status >= 400) return alreadyOut(answer, request, session);
    return refOf(parse(answer, Created).data.id, session);
  }),

  lookup: (request: PublishRequest<Body>, session, known) => find(request, session, { known }),
  locate,

  /** …/x-api/posts/delete-post (2026-11). */
  async remove(ref, session) {
    const path = `/2/tweets/${encodeURIComponent(ref.id)}`;
    const answer = await api(session, path, { method: "DELETE", effect: "none", accept: [404, 410] });
    if (answer.status >= 400 || parse(answer, Deleted).data?.deleted) return;
    // Neither yes nor no: gone is what cannot be read any more.
    const still = await api(session, path, { effect: "none", accept: [404, 410] });
    if (still.status < 400 && parse(still, Found).data)
      throw stillThere("X did not delete the post", `delete it in the browser: ${ref.url}`);
  },
});

/**
 * A clear no: this request made nothing. That the words are said already can mean that an earlier attempt of this very
 * unit said them; then they are not older than the unit.
 */
async function alreadyOut(answer: Answer, request: PublishRequest<Body>, session: Session): Promise<Ref> {
  const error = refusalOf(answer, session);
  if (says(answer, DUPLICATE)) {
    // On a first attempt the words are another post's.
    const ref = request.again ? await find(request, session) : undefined;
    if (ref) return ref;
  } else if (request.parent && says(answer, PARENT_MISSING)) throw notHeardOfYet(error, request, session) ?? error;
  else if (request.unit.media.length > 0 && says(answer, MEDIA_MISSING))
    throw renamed("PLATFORM_REJECTED", error, { says: `${error.message}; X keeps uploaded media for about a day` });
  throw error;
}
