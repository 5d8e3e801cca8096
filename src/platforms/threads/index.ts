import { PsnError } from "@psn/core/errors.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { shaped } from "@psn/platforms/kit/compose.ts";
import { definePlatform, published } from "@psn/platforms/kit/define.ts";
import { type Answer, isRefused, parse, renamed, stillThere, vouched } from "@psn/platforms/kit/http.ts";
import { EXPLAINED, form } from "@psn/platforms/kit/refusals.ts";
import { preparedOf } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { api, Id, isMissing, refusalOf } from "./api.ts";
import { type Body, SHAPE } from "./compose.ts";
import { CONNECT } from "./connect.ts";
import { ask, Prepared, prepare, SPREADING_MS, unusable } from "./container.ts";
import { locate, lookup, refOf } from "./lookup.ts";

/** Threads, by version 1 of its API. */
export default definePlatform({
  ...shaped(SHAPE),
  docs: "https://developers.facebook.com/documentation/threads/posts",
  ...CONNECT,
  prepare,

  publish: published(async (request: PublishRequest<Body>, session) => {
    const { container } = preparedOf(request.prepared, Prepared);
    const creation = form({ creation_id: container });
    const answer = await api(session, "/me/threads_publish", { ...creation, effect: "publish", accept: EXPLAINED });
    if (answer.status >= 400) return alreadyOut(answer, request, session);
    const { id } = parse(answer, Made);
    return refOf({ id, permalink: await permalinkOf(id, session) }, session);
  }),

  lookup,
  locate,

  /** …/posts/delete-posts (2026-11): 100 in a day. */
  async remove(ref, session) {
    const path = `/${encodeURIComponent(ref.id)}`;
    const answer = await api(session, path, { method: "DELETE", effect: "none", accept: [400, 404] });
    if (answer.status < 400 && parse(answer, Deleted).success) return;
    if (answer.status >= 400 && !isMissing(answer)) throw refusalOf(answer, session);
    // Graph says "does not exist" also of what it does not let one touch: gone is what cannot be read any more.
    const still = await api(session, `${path}?fields=id`, { effect: "none", accept: [400, 404] });
    if (still.status < 400) throw stillThere("Threads did not delete the post", `delete it in the app: ${ref.url}`);
    if (!isMissing(still)) throw refusalOf(still, session);
  },
});

/** What makes something answers with its id (…/reference/publishing, 2026-11). */
const Made = z.object({ id: Id });
const Deleted = z.object({ success: z.boolean().optional() });
const Permalink = z.object({ permalink: z.string() });

/** The post is out whatever becomes of this question. */
async function permalinkOf(id: string, session: Session): Promise<string | undefined> {
  const asked = api(session, `/${encodeURIComponent(id)}?fields=permalink`, { effect: "none" });
  return asked.then((answer) => parse(answer, Permalink).permalink).catch(() => undefined);
}

/** How soon to try again, in milliseconds: "on average 30 seconds" (…/posts, 2026-11). */
const AGAIN_MS = 30_000;
const SELF_EVIDENT: ReadonlySet<string> = new Set(["AUTH_EXPIRED", "AUTH_REVOKED", "RATE_LIMITED", "OUTCOME_UNKNOWN"]);

/**
 * After a refusal the container tells what is so: an earlier attempt has published it, it has expired, or Graph has not
 * heard of it everywhere. Throws what is true in the end: a container with any status but PUBLISHED was never
 * published, by no attempt.
 */
async function alreadyOut(answer: Answer, request: PublishRequest<Body>, session: Session): Promise<Ref> {
  const error = refusalOf(answer, session);
  if (SELF_EVIDENT.has(error.code)) throw error;
  const { container, madeAt } = preparedOf(request.prepared, Prepared);
  // Nothing was published; a new attempt makes everything anew.
  const dropped = (says: string) => renamed("PLATFORM_REJECTED", error, { says, hint: "psn retry ID" });
  // What cannot be asked now leaves the refusal as it was: clear.
  const told = await ask(container, session).catch(() => undefined);
  if (told?.status === "PUBLISHED") {
    const ref = await lookup(request, session).catch(() => undefined);
    if (ref) return ref;
    const says = "Threads has published the post, but shows only its container";
    throw new PsnError("OUTCOME_UNKNOWN", says, { cause: error });
  }
  if (told?.status === "EXPIRED")
    throw vouched(dropped("Threads keeps an unpublished container for 24 hours, and has deleted this one"));
  if (told?.status === "ERROR") {
    const failure = unusable(told.reason);
    // The same container would fail the same way.
    throw vouched(failure.retry === "never" ? failure : dropped(failure.message));
  }
  // Of a container that cannot be asked, or is not known, the refusal of a repeat says nothing about the attempt
  // before.
  const known = told?.status === "FINISHED" || told?.status === "IN_PROGRESS";
  if (!isMissing(answer) && (known || !request.again)) throw known && isRefused(error) ? vouched(error) : error;
  if (request.again) throw renamed("OUTCOME_UNKNOWN", error);
  if (session.now().getTime() - madeAt > SPREADING_MS)
    throw dropped("Threads no longer has the container that was prepared for publishing");
  throw renamed("PLATFORM_DOWN", error, { retryAfterMs: AGAIN_MS });
}
