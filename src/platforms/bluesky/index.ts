import { PsnError } from "@psn/core/errors.ts";
import type { FormField } from "@psn/core/types/account.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { shaped } from "@psn/platforms/kit/compose.ts";
import { definePlatform, published } from "@psn/platforms/kit/define.ts";
import { isRefused, parse, vouched } from "@psn/platforms/kit/http.ts";
import { z } from "zod";
import { type Body, SHAPE } from "./compose.ts";
import { authorize, exchange, refresh, revoke } from "./oauth.ts";
import { prepare } from "./prepare.ts";
import { COLLECTION, find, Put, read, recordOf, refOf, search, tidOf } from "./record.ts";
import { connect, identifierOf, identify, originOf } from "./session.ts";
import { errorName, xrpc } from "./xrpc.ts";

const IDENTIFIER: FormField = {
  name: "identifier",
  secret: false,
  help: "the account's handle, for example ada.bsky.social",
  known: ({ handle }) => handle,
  check: (value) => void identifierOf(value),
};
const SERVER: FormField = {
  name: "server",
  secret: false,
  help: "the account's server",
  fallback: "https://bsky.social",
  known: ({ home }) => home,
  check: (value) => void originOf(value),
};

/**
 * Bluesky and every other PDS of its network, by app password or in the browser. The app password comes first: what a
 * browser gives to a program without a page of its own ends after two weeks. The record's key is chosen here and put
 * only where nothing stands yet, so a post cannot come out twice.
 */
export default definePlatform({
  ...shaped(SHAPE),
  docs: "https://docs.bsky.app/docs/api/com-atproto-repo-put-record",
  auth: [
    {
      kind: "form",
      fields: [
        IDENTIFIER,
        {
          name: "password",
          secret: true,
          help: "an app password from Settings → Privacy and security → App passwords",
        },
        SERVER,
      ],
    },
    { kind: "oauth", fields: [IDENTIFIER, SERVER] },
  ],

  connect,
  authorize,
  exchange,
  identify,
  refresh,
  revoke,
  prepare,

  publish: published(async (request: PublishRequest<Body>, session) => {
    // The first request is the one that creates. By OAuth it is signed just before, and a server that wants a nonce
    // refuses it once.
    const { home, subject } = session.profile;
    const answer = await xrpc(session, {
      home,
      method: "com.atproto.repo.putRecord",
      options: {
        // Null: only where there is no record. The same record again is a success that changes nothing (measured, PDS
        // 0.4.217).
        body: {
          repo: subject,
          collection: COLLECTION,
          rkey: tidOf(request.at, request.key),
          swapRecord: null,
          record: recordOf(request),
        },
        token: session.credentials.access,
        effect: "publish",
        accept: ["InvalidSwap"],
      },
    }).catch((error: unknown) => notAgain(error, request, session));
    if ("ref" in answer) return answer.ref;
    return errorName(answer) === undefined ? refOf(parse(answer, Put), session) : standing(request, session);
  }),

  async lookup(request: PublishRequest<Body>, session, known) {
    if (request.searching) return search(request, session, known);
    const found = await find(request, session);
    return found?.own && !known.has(found.ref.id) ? found.ref : undefined;
  },

  async locate(url, session) {
    const [, who, rkey] = /^https:\/\/[^/]+\/profile\/([^/]+)\/post\/([\w.~:-]{1,512})\/?$/.exec(url) ?? [];
    if (rkey === undefined || (who !== session.profile.subject && who !== session.profile.handle)) return undefined;
    return (await read(rkey, session))?.ref;
  },

  async remove(ref, session) {
    const [, repo, rkey] = /^at:\/\/(did:[^/]+)\/app\.bsky\.feed\.post\/([^/]+)$/.exec(ref.id) ?? [];
    if (repo !== session.profile.subject || rkey === undefined)
      throw new PsnError("INPUT_INVALID", "this is not a post of this account");
    const answer = await xrpc(session, {
      home: session.profile.home,
      method: "com.atproto.repo.deleteRecord",
      options: {
        body: { repo, collection: COLLECTION, rkey },
        token: session.credentials.access,
      },
    });
    // An object, also where there was no such record. A page of somebody else may say 200 to everything.
    parse(answer, z.object({}));
  },
});

/**
 * After a refused repeat the record's key tells: the repository is the server's own and every attempt has the same key,
 * so that no record there means that no attempt was taken.
 */
async function notAgain(
  error: unknown,
  request: PublishRequest<Body>,
  session: Session,
): Promise<{ readonly ref: Ref }> {
  if (!request.again || !isRefused(error)) throw error;
  const found = await find(request, session).catch(() => "untold" as const);
  if (found === undefined) throw vouched(error);
  if (found === "untold" || !found.own) throw error;
  return found;
}

/**
 * What an earlier attempt left under this key: its preparing may have run anew since, so the record need not be equal.
 */
async function standing(request: PublishRequest<Body>, session: Session) {
  const found = await find(request, session).catch((cause: unknown) => {
    throw new PsnError("OUTCOME_UNKNOWN", "an earlier attempt was published, but could not be read back", { cause });
  });
  if (found?.own) return found.ref;
  if (!found) throw new PsnError("OUTCOME_UNKNOWN", "an earlier attempt was published and has been deleted since");
  throw new PsnError("PLATFORM_REJECTED", "this record key already holds a different post", { hint: "post it again" });
}
