import { defined } from "@psn/core/types/defined.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { type Answer, parse } from "@psn/platforms/kit/http.ts";
import { ALLOWANCE_MS, findOwn, type Listed } from "@psn/platforms/kit/lookup.ts";
import { z } from "zod";
import { api, Id, refusalOf } from "./api.ts";
import { type Body, postIdOf } from "./compose.ts";
import { plain } from "./text.ts";

const Link = z.object({ url: z.string(), expanded_url: z.string().nullish(), media_key: z.string().nullish() });

/** What psn reads of a post (…/x-api/fundamentals/data-dictionary, 2026-11). */
const Tweet = z.object({
  id: Id,
  text: z.string(),
  created_at: z.iso.datetime(),
  entities: z.object({ urls: z.array(Link).nullish() }).nullish(),
  attachments: z.object({ media_keys: z.array(z.string()).nullish() }).nullish(),
  referenced_tweets: z.array(z.object({ type: z.string(), id: Id })).nullish(),
});
type Tweet = z.output<typeof Tweet>;

/** A page of a user's posts; without posts there is no `data` (…/x-api/users/get-posts, 2026-11). */
const Timeline = z.object({
  data: z.array(Tweet).optional(),
  meta: z.object({ next_token: z.string().min(1).optional() }).optional(),
});
/** Most posts in one page (page above). X charges for every post read. */
const PAGE = "100";
/** How far psn's clock may be ahead of X's before it has to be asked anew, in milliseconds, beside the allowance. */
const SLACK_MS = 8 * 60_000;

/**
 * Searches the account's own posts for one that this unit can have become: not older than the unit by X's clock, not
 * another unit's, answering the same post, with as many media and of the same words. Throws PLATFORM_DOWN when it
 * cannot tell.
 */
export async function lookup(
  request: PublishRequest<Body>,
  {
    session,
    known,
    allowanceMs = ALLOWANCE_MS,
  }: { readonly session: Session; readonly known: ReadonlySet<string>; readonly allowanceMs?: number | undefined },
): Promise<Ref | undefined> {
  const ask = (since: number, after: string | undefined) => {
    const query = new URLSearchParams({
      max_results: PAGE,
      // Whole seconds, as the page has it.
      start_time: `${new Date(since).toISOString().slice(0, 19)}Z`,
      "tweet.fields": "created_at,entities,attachments,referenced_tweets",
      exclude: "retweets",
      ...defined({ pagination_token: after }),
    });
    // A beginning in X's future is a 400, which still says what time X has.
    const path = `/2/users/${encodeURIComponent(session.profile.subject)}/tweets?${query}`;
    return api(session, path, { effect: "none", accept: [400] });
  };
  const listed = (tweet: Tweet): Listed => ({
    ref: refOf(tweet.id, session),
    at: Date.parse(tweet.created_at),
    parent: referenced(tweet, "replied_to"),
    isSame: () => isSame(tweet, request),
  });
  const read = (answer: Answer) => {
    if (answer.status >= 400) throw refusalOf(answer, session);
    const { data = [], meta } = parse(answer, Timeline);
    return { posts: data.map(listed), next: meta?.next_token };
  };
  return findOwn({ request, session, known, allowanceMs, slackMs: SLACK_MS, ask, read });
}

/** A post that is gone has no `data`, with status 200. */
const Authored = z.object({ data: z.object({ author_id: Id }).optional() });

/** The account's own post at this address (…/x-api/posts/get-post-by-id, 2026-11). */
export async function locate(url: string, session: Session): Promise<Ref | undefined> {
  const id = postIdOf(url);
  if (id === undefined) return undefined;
  const answer = await api(session, `/2/tweets/${id}?tweet.fields=author_id`, { effect: "none", accept: [404, 410] });
  const author = answer.status < 400 ? parse(answer, Authored).data?.author_id : undefined;
  return author === session.profile.subject ? refOf(id, session) : undefined;
}

function isSame(tweet: Tweet, { unit }: PublishRequest<Body>): boolean {
  const quoted = unit.body.quote_tweet_id;
  if (quoted !== undefined && referenced(tweet, "quoted") !== quoted) return false;
  const files = tweet.attachments?.media_keys ?? [];
  return files.length === unit.media.length && plain(written(tweet, quoted)) === plain(unit.text);
}

const referenced = ({ referenced_tweets: tweets }: Tweet, type: string) => tweets?.find((one) => one.type === type)?.id;

/**
 * The text as it was written: X escapes three characters, puts t.co in place of every link, and adds a link of its own
 * for media and for a quoted post. A link to a post that the author typed at the end looks the same, and stays.
 */
function written({ text, entities }: Tweet, quoted: string | undefined): string {
  let words = text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  for (const { url, expanded_url, media_key } of entities?.urls ?? []) {
    const address = expanded_url ?? "";
    const isMedia = media_key || /\/status\/\d+\/(?:photo|video)\/\d+$/.test(address);
    const isQuote = quoted !== undefined && postIdOf(address) === quoted && words.trimEnd().endsWith(url);
    words = words.replaceAll(url, isMedia || isQuote ? "" : (expanded_url ?? url));
  }
  return words;
}

export const refOf = (id: string, { profile }: Session): Ref => ({ id, url: `${profile.url}/status/${id}` });
