import type { PublishRequest } from "@psn/core/types/platform.ts";
import { definePlatform } from "@psn/platforms/kit/define.ts";
import { authorizationUrl } from "@psn/platforms/kit/oauth.ts";
import { type Body, compose } from "./compose.ts";
import { exchange, OAUTH, profileOf, refresh, revoke, SERVER } from "./connect.ts";
import { locate, remove, sendComment, sendPost } from "./send.ts";
import { IMAGE_TYPES, prepare } from "./upload.ts";

/** LinkedIn, a member's own posts, by the versioned Posts API. */
export default definePlatform({
  id: "linkedin",
  name: "LinkedIn",
  docs: "https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api",
  capabilities: {
    // What a reader sees is counted, not its escapes. Of the unit LinkedIn says nothing; see `compose`, which also
    // bounds comments.
    text: { max: 3_000, unit: "utf16" },
    // The API's pages bound pixels (`compose`) and no bytes; 8 MB is what others found to be taken.
    images: { max: 20, maxBytes: 8 * 1024 * 1024, mimes: IMAGE_TYPES },
    // https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/documents-api (2026-11); at most
    // 300 pages.
    documents: { max: 1, maxBytes: 100 * 1024 * 1024, mimes: ["application/pdf"] },
    // https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/multiimage-post-api (2026-11).
    altText: 4_086,
    thread: "reply-chain",
    visibilities: ["public", "followers"],
    contentWarning: false,
    duplicates: "refused",
    // LinkedIn names no limit; two, so that on Trigger.dev one lost machine leaves a place (src/trigger/queues.ts).
    concurrency: 2,
  },
  auth: [OAUTH],

  authorize: async (request) => authorizationUrl(SERVER, request),
  exchange,
  identify: profileOf,
  compose,
  prepare: (request: PublishRequest<Body>, session) => prepare(request, session),

  async publish(request: PublishRequest<Body>, session) {
    session.signal.throwIfAborted();
    const { body } = request.unit;
    const ref =
      body.kind === "post" ? await sendPost(request, body, session) : await sendComment(request, body, session);
    return { status: "published", ref };
  },

  locate,
  refresh,
  revoke,
  remove,
});
