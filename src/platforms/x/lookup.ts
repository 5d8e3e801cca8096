import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { parse } from "@psn/platforms/kit/http.ts";
import { ALLOWANCE_MS, findPaged, notBefore } from "@psn/platforms/kit/lookup.ts";
import { z } from "zod";
import { api, Id, Timeline, type Tweet } from "./api.ts";
import { type Body, postIdOf } from "./compose.ts";
import { refusalOf } from "./refusals.ts";
import { plain } from "./text.ts";

/** Most posts in one page (https://docs.x.com/x-api/users/get-posts, 2026-11). X charges for every post read. */
const PAGE = "100";
/**
 * How far psn's clock may be ahead of X's before the question has to be asked anew, in milliseconds, beside the
 * allowance.
 */
const SLACK_MS = 8 * 60_000;

/**
 * Searches the account's own posts for one that this unit can have become: not older than the unit by X's clock, not
 * another unit's, answering the same post, with as many media and of the same words. Throws PLATFORM_DOWN when it
 * cannot tell.
 */
export async function lookup(
  request: PublishRequest<Body>,
  session: Session,
  known: ReadonlySet<string>,
  allowanceMs = ALLOWANCE_MS,
): Promise<Ref | undefined> {
  let start = request.at.getTime() - allowanceMs - SLACK_MS;
  let from: number | undefined;
  const ask = (after: string | undefined) => {
    const query = new URLSearchParams({
      max_results: PAGE,
      // Whole seconds, as the page has it.
      start_time: `${new Date(start).toISOString().slice(0, 19)}Z`,
      "tweet.fields": "created_at,entities,attachments,referenced_tweets",
      exclude: "retweets",
      ...(after === undefined ? {} : { pagination_token: after }),
    });
    // A beginning in X's future is a 400, which still says what time X has.
    const path = `/2/users/${encodeURIComponent(session.profile.subject)}/tweets?${query}`;
    return api(session, path, { effect: "none", accept: [400] });
  };
  return findPaged(async (after) => {
    let answer = await ask(after);
    if (from === undefined) {
      from = notBefore(answer, request.at, session.now(), allowanceMs);
      // Psn's clock is ahead of X's by more than the slack: what was asked for begins too late.
      if (from < start) {
        start = from;
        answer = await ask(after);
      }
    }
    if (answer.status >= 400) throw refusalOf(answer, session);
    const earliest = from;
    const { data = [], meta } = parse(answer, Timeline);
    const tweet = data.find((one) => !known.has(one.id) && canBe(one, earliest, request));
    return { found: tweet && refOf(tweet.id, session), next: meta?.next_token };
  });
}

/** A post that is gone has no `data`, with status 200. */
const Authored = z.object({ data: z.object({ author_id: Id }).optional() });

/**
 * The account's own post at this address: GET /2/tweets/:id (https://docs.x.com/x-api/posts/get-post-by-id, 2026-11).
 */
export async function locate(url: string, session: Session): Promise<Ref | undefined> {
  const id = postIdOf(url);
  if (id === undefined) return undefined;
  const answer = await api(session, `/2/tweets/${id}?tweet.fields=author_id`, { effect: "none", accept: [404, 410] });
  if (answer.status >= 400) return undefined;
  return parse(answer, Authored).data?.author_id === session.profile.subject ? refOf(id, session) : undefined;
}

function canBe(tweet: Tweet, from: number, { unit, parent }: PublishRequest<Body>): boolean {
  const quoted = unit.body.quote_tweet_id;
  return (
    Date.parse(tweet.created_at) >= from &&
    referenced(tweet, "replied_to") === parent?.id &&
    (quoted === undefined || referenced(tweet, "quoted") === quoted) &&
    (tweet.attachments?.media_keys ?? []).length === unit.media.length &&
    plain(written(tweet, quoted !== undefined)) === plain(unit.text)
  );
}

const referenced = ({ referenced_tweets: tweets }: Tweet, type: string) => tweets?.find((one) => one.type === type)?.id;

/**
 * The text as it was written: X escapes three characters, puts t.co in place of every link, and adds a link of its own
 * for media and for a quoted post. A link to a post that the author typed at the end looks the same, and stays.
 */
function written(tweet: Tweet, quoting: boolean): string {
  const quoted = quoting ? referenced(tweet, "quoted") : undefined;
  let words = tweet.text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  for (const { url, expanded_url, media_key } of tweet.entities?.urls ?? []) {
    const address = expanded_url ?? "";
    const added =
      media_key ||
      /\/status\/\d+\/(?:photo|video)\/\d+$/.test(address) ||
      (quoted !== undefined && postIdOf(address) === quoted && words.trimEnd().endsWith(url));
    words = words.replaceAll(url, added ? "" : (expanded_url ?? url));
  }
  return words;
}

export function refOf(id: string, { profile }: Pick<Session, "profile">): Ref {
  return { id, url: `${profile.url}/status/${id}` };
}
