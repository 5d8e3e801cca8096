import { apiOf } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";
import { refusalOf } from "./refusals.ts";

/** Where the API lives (https://docs.x.com/x-api/introduction, 2026-11); accounts live at https://x.com. */
export const API = "https://api.x.com";
export const HOME = "https://x.com";

/** One request with the account's token. Throws what `call` throws, and X's own refusals by their reason. */
export const api = apiOf({ origin: API, refusalOf });

/**
 * A decimal of at most 19 digits, always as text: a number would lose its last digits
 * (https://docs.x.com/fundamentals/x-ids, 2026-11).
 */
export const Id = z.string().regex(/^\d{1,19}$/);

/** GET /2/users/me (https://docs.x.com/x-api/users/get-my-user, 2026-11). */
export const Me = z.object({ data: z.object({ id: Id, username: z.string().regex(/^\w{1,50}$/) }) });

/** The answer to POST /2/tweets (https://docs.x.com/x-api/posts/create-post, 2026-11). */
export const Created = z.object({ data: z.object({ id: Id }) });

const Link = z.object({ url: z.string(), expanded_url: z.string().nullish(), media_key: z.string().nullish() });

/** What psn reads of a post (https://docs.x.com/x-api/fundamentals/data-dictionary, 2026-11). */
export const Tweet = z.object({
  id: Id,
  text: z.string(),
  created_at: z.iso.datetime(),
  entities: z.object({ urls: z.array(Link).nullish() }).nullish(),
  attachments: z.object({ media_keys: z.array(z.string()).nullish() }).nullish(),
  referenced_tweets: z.array(z.object({ type: z.string(), id: Id })).nullish(),
});
export type Tweet = z.output<typeof Tweet>;

/** A page of a user's posts; without posts there is no `data` (https://docs.x.com/x-api/users/get-posts, 2026-11). */
export const Timeline = z.object({
  data: z.array(Tweet).optional(),
  meta: z.object({ next_token: z.string().min(1).optional() }).optional(),
});
