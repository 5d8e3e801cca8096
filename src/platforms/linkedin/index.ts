import type { PublishRequest } from "@psn/core/types/platform.ts";
import { definePlatform } from "@psn/platforms/kit/define.ts";
import { type Body, CAPABILITIES, compose } from "./compose.ts";
import { NEEDS, OAUTH, VERBS } from "./connect.ts";
import { locate, remove, sendComment, sendPost } from "./send.ts";
import { prepare } from "./upload.ts";

/** LinkedIn, a member's own posts, by the versioned Posts API. */
export default definePlatform({
  id: "linkedin",
  name: "LinkedIn",
  docs: "https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api",
  capabilities: CAPABILITIES,
  scopes: NEEDS,
  auth: [OAUTH],

  ...VERBS,
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
  remove,
});
