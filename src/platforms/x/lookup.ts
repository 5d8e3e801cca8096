import { PsnError } from "@psn/core/errors.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { type Answer, parse } from "@psn/platforms/kit/http.ts";
import { ALLOWANCE_MS, notBefore } from "@psn/platforms/kit/lookup.ts";
import { z } from "zod";
import { api, Id, Timeline, type Tweet } from "./api.ts";
import { type Body, postIdOf } from "./compose.ts";
import { refusalOf } from "./refusals.ts";
import { plain } from "./text.ts";

/** Most posts in one page (https://docs.x.com/x-api/users/get-posts, 2026-11). X charges for every post read. */
const PAGE = 100;
/** Pages read before psn says it cannot tell: 1,000 posts since the unit was sent. */
const PAGES_MOST = 10;
/**
 * How far psn's clock may be ahead of X's before the question has to be asked anew, in milliseconds, beside the
 * allowance.
 */
const SLACK_MS = 8 * 60_000;

const FIELDS = "created_at,entities,attachments,referenced_tweets";

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
  let from = start;
  let token = "";
  for (let page = 0; page < PAGES_MOST; page += 1) {
    const answer = await ask(session, start, token);
    if (page === 0) {
      from = notBefore(answer, request.at, session.now(), allowanceMs);
      // Psn's clock is ahead of X's by more than the slack: what was asked for begins too late.
      const early = from < start;
      if (early) start = from;
      if (early) continue;
    }
    if (answer.status >= 400) throw refusalOf(answer, session);
    const { data = [], meta } = parse(answer, Timeline);
    const tweet = data.find((one) => canBe(one, from, request, known));
    if (tweet) return refOf(tweet.id, session);
    if (meta?.next_token === undefined) return undefined;
    token = meta.next_token;
  }
  throw new PsnError("PLATFORM_DOWN", "the account has too many posts since then to find this one");
}

/**
 * The account's own post at this address: GET /2/tweets/:id (https://docs.x.com/x-api/posts/get-post-by-id, 2026-11).
 */
export async function locate(url: string, session: Session): Promise<Ref | undefined> {
  const id = postIdOf(url);
  if (id === undefined) return undefined;
  const answer = await api(session, `/2/tweets/${id}?tweet.fields=author_id`, { effect: "none", accept: [404, 410] });
  if (answer.status >= 400) return undefined;
  const { data } = parse(answer, Authored);
  return data?.author_id === session.profile.subject ? refOf(id, session) : undefined;
}

/** A post that is gone has no `data`, with status 200. */
const Authored = z.object({ data: z.object({ author_id: Id }).optional() });

/** A beginning in X's future is a 400, which still says what time X has. */
function ask(session: Session, start: number, token: string): Promise<Answer> {
  const query = new URLSearchParams({
    max_results: String(PAGE),
    // Whole seconds, as the page has it.
    start_time: `${new Date(start).toISOString().slice(0, 19)}Z`,
    "tweet.fields": FIELDS,
    exclude: "retweets",
    ...(token === "" ? {} : { pagination_token: token }),
  });
  return api(session, `/2/users/${encodeURIComponent(session.profile.subject)}/tweets?${query}`, {
    effect: "none",
    accept: [400],
  });
}

function canBe(
  tweet: Tweet,
  from: number,
  { unit, parent }: PublishRequest<Body>,
  known: ReadonlySet<string>,
): boolean {
  const referenced = (type: string) => tweet.referenced_tweets?.find((one) => one.type === type)?.id;
  return (
    !known.has(tweet.id) &&
    Date.parse(tweet.created_at) >= from &&
    referenced("replied_to") === parent?.id &&
    (unit.body.quote_tweet_id === undefined || referenced("quoted") === unit.body.quote_tweet_id) &&
    (tweet.attachments?.media_keys ?? []).length === unit.media.length &&
    plain(written(tweet, unit.body.quote_tweet_id !== undefined)) === plain(unit.text)
  );
}

/**
 * The text as it was written: X escapes three characters, puts t.co in place of every link, and adds a link of its own
 * for media and for a quoted post. A link to a post that the author typed at the end looks the same, and stays.
 */
function written({ text, entities, referenced_tweets }: Tweet, quoting: boolean): string {
  const quoted = referenced_tweets?.find(({ type }) => type === "quoted")?.id;
  let words = text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  for (const { url, expanded_url, media_key } of entities?.urls ?? []) {
    const own = media_key || /\/status\/\d+\/(?:photo|video)\/\d+$/.test(expanded_url ?? "");
    const added =
      own ||
      (quoting && quoted !== undefined && postIdOf(expanded_url ?? "") === quoted && words.trimEnd().endsWith(url));
    words = words.replaceAll(url, added ? "" : (expanded_url ?? url));
  }
  return words;
}

export function refOf(id: string, { profile }: Pick<Session, "profile">): Ref {
  return { id, url: `${profile.url}/status/${id}` };
}
