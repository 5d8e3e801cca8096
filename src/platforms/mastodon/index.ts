import { PsnError } from "@psn/core/errors.ts";
import type { FormField } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { PublishRequest, Session } from "@psn/core/types/platform.ts";
import { shaped } from "@psn/platforms/kit/compose.ts";
import { definePlatform, published } from "@psn/platforms/kit/define.ts";
import { type Answer, isRefused, parse, refusal, renamed, stillThere, vouched } from "@psn/platforms/kit/http.ts";
import { notHeardOfYet } from "@psn/platforms/kit/parent.ts";
import { json } from "@psn/platforms/kit/refusals.ts";
import { uploadedOf } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { Account, api, idOf, Named, Status, subjectOf } from "./api.ts";
import { type Body, SHAPE } from "./compose.ts";
import { connect, originOf, SCOPES } from "./connect.ts";
import { locate, lookup, refOf } from "./lookup.ts";
import { authorize, exchange, revoke } from "./oauth.ts";
import { isMediaGone, upload } from "./upload.ts";

const SERVER: FormField = {
  name: "server",
  secret: false,
  help: "the server's host, for example mastodon.social",
  known: ({ home }) => home,
  check: (value) => void originOf(value),
};

/** https://docs.joinmastodon.org/methods/accounts/#verify_credentials (2026-11). */
const VERIFY = "/api/v1/accounts/verify_credentials";

/** Mastodon and what speaks its API: GoToSocial, Hollo, Pleroma, Akkoma, snac. */
export default definePlatform({
  ...shaped(SHAPE),
  docs: "https://docs.joinmastodon.org/methods/statuses/",
  scopes: {
    prepare: ["write:media"],
    publish: ["write:statuses"],
    lookup: ["read:statuses"],
    remove: ["write:statuses"],
  },
  auth: [
    { kind: "oauth", fields: [SERVER] },
    {
      kind: "form",
      fields: [
        SERVER,
        {
          name: "token",
          secret: true,
          help: `an access token from Preferences → Development, with the scopes ${SCOPES.join(", ")}`,
        },
      ],
    },
  ],

  connect,
  authorize,
  exchange,
  revoke,

  async identify(session) {
    const answer = await api(session, VERIFY, { effect: "none" });
    const { id, username, url } = parse(answer, Account);
    const { home, handle, limits } = session.profile;
    const domain = handle.split("@").at(-1) || new URL(home).host;
    return { subject: subjectOf(id, home), handle: `${username}@${domain}`, url, home, ...defined({ limits }) };
  },

  prepare: upload,

  publish: published(async (request: PublishRequest<Body>, session) => {
    const answer = await send(request, session).catch((error: unknown) => notAgain(error, request, session));
    return refOf(parse(answer, Status), session);
  }),

  lookup,
  locate,

  async remove(ref, session) {
    const path = `/api/v1/statuses/${encodeURIComponent(ref.id)}`;
    const answer = await api(session, path, { method: "DELETE", effect: "none", accept: [404, 405, 410, 501] });
    if (answer.status < 300) return assertIsOf(answer, ref.id);
    // A server without this method answers 404 too (snac): gone is what cannot be read any more.
    const still = await api(session, path, { effect: "none", accept: [404, 410] });
    if (still.status >= 300) return assertKnown(still, session);
    assertIsOf(still, ref.id);
    throw stillThere(`${answer.host} does not allow programs to delete posts`, `delete it in the browser: ${ref.url}`);
  },
});

/**
 * The status itself is the answer to DELETE and to GET (https://docs.joinmastodon.org/methods/statuses/#delete,
 * 2026-11). A page of somebody else, such as a network's login page, may say 200 to everything. Throws PLATFORM_DOWN
 * and PLATFORM_CHANGED.
 */
function assertIsOf(answer: Answer, id: string): void {
  if (parse(answer, Named).id !== id)
    throw new PsnError("PLATFORM_CHANGED", `${answer.host} answered ${answer.status} with another post`);
}

/**
 * What stands before a server that is away says 404 to everything (a proxy, a host without this site): only a server
 * that knows the account tells that it has no such post. Throws PLATFORM_DOWN, and what `api` and `parse` throw.
 */
async function assertKnown({ host, status }: Answer, session: Session): Promise<void> {
  const answer = await api(session, VERIFY, { effect: "none", accept: [404, 410] });
  if (answer.status < 300 && parse(answer, Named).id === idOf(session.profile.subject)) return;
  throw new PsnError("PLATFORM_DOWN", `${host} answered ${status}, and does not find the account either`, {
    details: { status },
  });
}

async function send(request: PublishRequest<Body>, session: Session): Promise<Answer> {
  const media = uploadedOf(request, z.string());
  const made = json({
    ...request.unit.body,
    ...defined({ media_ids: media.length > 0 ? media : undefined, in_reply_to_id: request.parent?.id }),
  });
  const answer = await api(session, "/api/v1/statuses", {
    ...made,
    headers: { ...made.headers, "idempotency-key": request.key },
    effect: "publish",
    accept: [400, 404, 422],
  });
  if (answer.status >= 400) throw await refused(answer, request, session);
  return answer;
}

/**
 * A repeat is sent after a look that did not find the post. Where it is refused and is still not there, no earlier
 * attempt was taken: a server shows its author's posts as soon as it has them. Where it is there now, the engine looks
 * again and knows whose it is.
 */
async function notAgain(error: unknown, request: PublishRequest<Body>, session: Session): Promise<never> {
  if (!request.again || !isRefused(error)) throw error;
  const there = await lookup(request, session, new Set()).catch(() => "untold" as const);
  if (there === "untold") throw error;
  if (there === undefined) throw vouched(error);
  throw renamed("OUTCOME_UNKNOWN", error, { says: `${error.message}; but the post may already be published` });
}

/** What servers write of a parent that they do not have, where they do not answer 404 (Pleroma, Akkoma, Hollo). */
const PARENT_MISSING = /in_reply_to|\b(reply|parent|replied)\b.*\b(not|no|invalid|unknown|gone|deleted)\b/i;

/** A clear no. Mastodon answers 422 for a file and 404 for a parent it does not have, GoToSocial 400 and 404. */
async function refused(answer: Answer, request: PublishRequest<Body>, session: Session): Promise<PsnError> {
  const error = refusal(answer, session);
  const rejected = (why: string) => renamed("PLATFORM_REJECTED", error, { says: `${error.message}; ${why}` });
  if (request.parent && (answer.status === 404 || PARENT_MISSING.test(error.message)))
    return notHeardOfYet(error, request, session) ?? rejected("the post it replies to may have been deleted");
  if (!(await isMediaGone(uploadedOf(request, z.string()), session))) return error;
  return rejected("its media were deleted: a server keeps uploaded media for about a day");
}
