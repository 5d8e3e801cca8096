import { shaped } from "@psn/platforms/kit/compose.ts";
import { definePlatform, published } from "@psn/platforms/kit/define.ts";
import { SHAPE } from "./compose.ts";
import { CONNECT } from "./connect.ts";
import { locate, remove, send } from "./send.ts";
import { prepare } from "./upload.ts";

/** LinkedIn, a member's own posts, by the versioned Posts API. */
export default definePlatform({
  ...shaped(SHAPE),
  docs: "https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api",
  ...CONNECT,
  prepare,
  publish: published(send),
  locate,
  remove,
});
