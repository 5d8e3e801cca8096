import { defined } from "@psn/core/types/defined.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { parse } from "@psn/platforms/kit/http.ts";
import { finderOf } from "@psn/platforms/kit/lookup.ts";
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

/** Searches the account's own posts, for one of as many media and of the same words. */
export const find = finderOf<Body>({
  slackMs: 8 * 60_000,

  ask(since, after, { session }) {
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
  },

  read(answer, { request, session }) {
    if (answer.status >= 400) throw refusalOf(answer, session);
    const { data = [], meta } = parse(answer, Timeline);
    const posts = data.map((tweet) => ({
      ref: refOf(tweet.id, session),
      at: Date.parse(tweet.created_at),
      parent: referenced(tweet, "replied_to"),
      isSame: () => isSame(tweet, request),
    }));
    return { posts, next: meta?.next_token };
  },
});

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
