import { type Answer, type CallOptions, call } from "@psn/platforms/kit/http.ts";
import { z } from "zod";
import { type Caller, guarded, refusalOf } from "./refusals.ts";

/** Where the API lives (https://docs.x.com/x-api/introduction, 2026-11); accounts live at https://x.com. */
export const API = "https://api.x.com";
export const HOME = "https://x.com";

/**
 * A decimal of at most 19 digits, always as text: a number would lose its last digits
 * (https://docs.x.com/fundamentals/x-ids, 2026-11).
 */
export const Id = z.string().regex(/^\d{1,19}$/);

/** GET /2/users/me (https://docs.x.com/x-api/users/get-my-user, 2026-11). */
export const Me = z.object({ data: z.object({ id: Id, username: z.string().regex(/^\w{1,50}$/) }) });

/** The answer to POST /2/tweets (https://docs.x.com/x-api/posts/create-post, 2026-11). */
export const Created = z.object({ data: z.object({ id: Id }) });

/** What psn reads of a post (https://docs.x.com/x-api/fundamentals/data-dictionary, 2026-11). */
export const Tweet = z.object({
  id: Id,
  text: z.string(),
  created_at: z.iso.datetime(),
  entities: z
    .object({
      urls: z
        .array(z.object({ url: z.string(), expanded_url: z.string().nullish(), media_key: z.string().nullish() }))
        .nullish(),
    })
    .nullish(),
  attachments: z.object({ media_keys: z.array(z.string()).nullish() }).nullish(),
  referenced_tweets: z.array(z.object({ type: z.string(), id: Id })).nullish(),
});
export type Tweet = z.output<typeof Tweet>;

/**
 * A page of GET /2/users/:id/tweets; without posts there is no `data` (https://docs.x.com/x-api/users/get-posts,
 * 2026-11).
 */
export const Timeline = z.object({
  data: z.array(Tweet).optional(),
  meta: z.object({ next_token: z.string().min(1).optional() }).optional(),
});

/** What X explains in a refusal, so that an adapter's error says more than the status. */
const EXPLAINED = [402, 403, 429];

/** Where the API itself has another address, only a newer psn knows it. */
const UPDATE = "update psn";

/**
 * One request with the account's token. Throws what `call` throws, and X's own refusals by their reason (`refusalOf`).
 */
export async function api(session: Caller, path: string, options: CallOptions): Promise<Answer> {
  const headers = {
    accept: "application/json",
    ...Object.fromEntries(new Headers(options.headers)),
    authorization: `Bearer ${session.credentials.access}`,
  };
  const accept = options.accept ?? [];
  const answer = await call(guarded(session), `${API}${path}`, {
    ...options,
    headers,
    accept: [...accept, ...EXPLAINED],
    moved: () => UPDATE,
  });
  if (answer.status >= 400 && !accept.includes(answer.status)) throw refusalOf(answer, session);
  return answer;
}

/** A JSON body and the header that says so. */
export function json(body: object): Pick<CallOptions, "method" | "headers" | "body"> {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
