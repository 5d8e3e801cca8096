import type { PublishRequest } from "@psn/core/types/platform.ts";
import { shaped } from "@psn/platforms/kit/compose.ts";
import { definePlatform } from "@psn/platforms/kit/define.ts";
import { type Body, SHAPE } from "./compose.ts";
import { CONNECT } from "./connect.ts";
import { locate, remove, sendComment, sendPost } from "./send.ts";
import { prepare } from "./upload.ts";

/** LinkedIn, a member's own posts, by the versioned Posts API. */
export default definePlatform({
  ...shaped(SHAPE),
  docs: "https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api",
  ...CONNECT,
  prepare: (request: PublishRequest<Body>, session) => prepare(request, session),

  async publish(request: PublishRequest<Body>, session) {
    const { body } = request.unit;
    const isPost = body.kind === "post";
    const ref = isPost ? await sendPost(request, body, session) : await sendComment(request, body, session);
    return { status: "published", ref };
  },

  locate,
  remove,
});
