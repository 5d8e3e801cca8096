import twitterText from "twitter-text";
import { type HeldMedia, keyOf } from "./media.ts";
import { fieldsOf, invalid, jsonOf, problem, text } from "./problem.ts";

/*
 * Posts: https://docs.x.com/x-api/posts/create-post, …/delete-post, https://docs.x.com/x-api/users/get-posts, and the
 * shape of a post in https://docs.x.com/x-api/fundamentals/data-dictionary.
 */

export interface HeldPost {
  readonly id: string;
  readonly text: string;
  readonly parent: string | null;
  readonly quoted: string | null;
  readonly media: readonly string[];
  readonly replySettings: string | null;
  readonly createdAt: Date;
  readonly repost: boolean;
}

export interface Posting {
  /** Self-serve apps may not quote; Enterprise may (create-post, the warning on top). */
  enterprise: boolean;
  /** For how long the same text is refused; X does not say. */
  duplicateMs: number;
  /** How old a post is before the timeline has it. */
  lagMs: number;
  /**
   * How old a post is before it can be answered; seconds at X, which refuses until then as if it were deleted (seen in
   * a thread of 3).
   */
  answerableAfterMs: number;
  /** False: DELETE answers `deleted: false` and deletes nothing. */
  deletes: boolean;
  /** Most posts in one page of the timeline, however many are asked for. */
  page: number;
}

export const USER = { id: "2244994945", username: "ada_x" } as const;
/** Somebody else's post, which says nothing of us. */
export const FOREIGN = "1346889436626259968";

const REPLY_SETTINGS = ["following", "mentionedUsers", "subscribers", "verified"];
const FIELDS = ["created_at", "entities", "attachments", "referenced_tweets", "author_id", "id", "text"];

export function openPosts(
  switches: Posting,
  media: ReadonlyMap<string, HeldMedia>,
  now: () => number,
  newId: () => string,
) {
  const posts: HeldPost[] = [];
  const said = new Map<string, number>();

  function seed(post: Partial<HeldPost> & { readonly text: string }): HeldPost {
    const createdAt = post.createdAt ?? new Date(now());
    const held = {
      parent: null,
      quoted: null,
      media: [],
      replySettings: null,
      repost: false,
      id: newId(),
      ...post,
      createdAt,
    };
    posts.push(held);
    posts.sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
    return held;
  }

  /**
   * Every link becomes one of t.co, `&`, `<` and `>` are escaped, and media and a quoted post add a link at the end.
   */
  function shown(post: HeldPost, fields: readonly string[]): object {
    const urls: object[] = [];
    let body = "";
    let at = 0;
    const short = () => `https://t.co/${post.id.slice(-7)}${String(urls.length).padStart(3, "0")}`;
    for (const { url, indices } of twitterText.extractUrlsWithIndices(post.text, {
      extractUrlsWithoutProtocol: true,
    })) {
      body += `${escaped(post.text.slice(at, indices[0]))}${short()}`;
      urls.push({
        url: short(),
        expanded_url: /^https?:/i.test(url) ? url : `http://${url}`,
        display_url: url.slice(0, 26),
      });
      at = indices[1];
    }
    body += escaped(post.text.slice(at));
    const files = post.media.flatMap((id) => media.get(id) ?? []);
    if (files.length > 0) {
      const url = short();
      body = `${body} ${url}`.trimStart();
      const kind = files[0]?.category === "tweet_video" ? "video" : "photo";
      const expanded = `https://x.com/${USER.username}/status/${post.id}/${kind}/1`;
      for (const file of files)
        urls.push({ url, expanded_url: expanded, display_url: "pic.x.com/x", media_key: keyOf(file) });
    }
    if (post.quoted !== null) {
      const url = short();
      body = `${body} ${url}`.trimStart();
      urls.push({
        url,
        expanded_url: `https://twitter.com/somebody/status/${post.quoted}`,
        display_url: "x.com/somebody/…",
      });
    }
    const referenced = [
      ...(post.parent === null ? [] : [{ type: "replied_to", id: post.parent }]),
      ...(post.quoted === null ? [] : [{ type: "quoted", id: post.quoted }]),
    ];
    const all: Readonly<Record<string, unknown>> = {
      // Whole seconds.
      created_at: `${post.createdAt.toISOString().slice(0, 19)}.000Z`,
      entities: urls.length > 0 ? { urls } : undefined,
      attachments: files.length > 0 ? { media_keys: files.map(keyOf) } : undefined,
      referenced_tweets: referenced.length > 0 ? referenced : undefined,
      author_id: USER.id,
    };
    const asked = fields.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]);
    return { id: post.id, text: body, edit_history_tweet_ids: [post.id], ...Object.fromEntries(asked) };
  }

  async function create(request: Request): Promise<Response> {
    const body = await jsonOf(request, ["text", "media", "reply", "reply_settings", "quote_tweet_id"]);
    const words = text(body["text"]).trim();
    const ids =
      body["media"] === undefined ? [] : listOf(fieldsOf(body["media"], ["media_ids"], "$.media")["media_ids"]);
    const parent =
      body["reply"] === undefined
        ? null
        : text(fieldsOf(body["reply"], ["in_reply_to_tweet_id"], "$.reply")["in_reply_to_tweet_id"]);
    const quoted = body["quote_tweet_id"] === undefined ? null : text(body["quote_tweet_id"]);
    const replySettings = body["reply_settings"] === undefined ? null : text(body["reply_settings"]);
    if (words === "" && ids.length === 0) throw invalid("text or media is required.");
    for (const id of [parent, quoted])
      if (id !== null && !/^\d{1,19}$/.test(id)) throw invalid(`[$.id] ${id} is no id`);
    if (replySettings !== null && !REPLY_SETTINGS.includes(replySettings))
      throw invalid(`[$.reply_settings] is none of ${REPLY_SETTINGS.join(", ")}`);
    // A thread's beginning settles it (general knowledge; the page does not say).
    if (replySettings !== null && parent !== null)
      throw invalid("reply_settings can only be set on the root of a conversation.");
    if (quoted !== null && ids.length > 0) throw invalid("quote_tweet_id is mutually exclusive with media.");
    if (quoted !== null && !switches.enterprise) throw problem(403, "Quoting this post is not allowed for this app.");
    checkMedia(ids);
    const parsed = twitterText.parseTweet(words);
    if (words !== "" && !parsed.valid)
      throw problem(
        403,
        parsed.weightedLength > 280
          ? "Your Tweet text is too long."
          : "Your Tweet has characters that are not allowed.",
      );
    if (parent === FOREIGN)
      throw problem(
        403,
        "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the " +
          "author.",
      );
    if (
      parent !== null &&
      !posts.some(({ id, createdAt }) => id === parent && createdAt.getTime() + switches.answerableAfterMs <= now())
    )
      throw problem(403, "You attempted to reply to a Tweet that is deleted or not visible to you.");
    const key = words.normalize("NFC");
    // The refusal as reported in github.com/plhery/node-twitter-api-v2/issues/469; posts with media escape it.
    if (ids.length === 0 && now() - (said.get(key) ?? Number.NEGATIVE_INFINITY) < switches.duplicateMs)
      throw problem(403, "You are not allowed to create a Tweet with duplicate content.");
    said.set(key, now());
    const held = seed({ text: words.normalize("NFC"), parent, quoted, media: ids, replySettings });
    return Response.json({ data: shown(held, []) }, { status: 201 });
  }

  /** "up to 4 photos, 1 animated GIF, or 1 video" */
  function checkMedia(ids: readonly string[]): void {
    const files = ids.map((id) => media.get(id));
    if (files.some((file) => file?.state !== "succeeded"))
      throw invalid("Your media IDs are invalid.", { "media.media_ids": ids });
    const categories = new Set(files.map((file) => file?.category));
    const most = categories.has("tweet_image") ? 4 : 1;
    if (categories.size > 1 || files.length > most)
      throw invalid("You may attach up to 4 photos, 1 animated GIF or 1 video.");
  }

  function timeline(url: URL): Response {
    const known = ["max_results", "start_time", "tweet.fields", "exclude", "pagination_token"];
    for (const name of url.searchParams.keys())
      if (!known.includes(name)) throw invalid(`The query parameter [${name}] is not one of ${known}`);
    const most = Number(url.searchParams.get("max_results") ?? "10");
    if (!(most >= 5 && most <= 100)) throw invalid("max_results is between 5 and 100.");
    const start = url.searchParams.get("start_time") ?? "2010-11-06T00:00:00Z";
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(start)) throw invalid("start_time is YYYY-MM-DDTHH:mm:ssZ.");
    if (Date.parse(start) > now()) throw invalid("start_time must be before now.");
    const fields = (url.searchParams.get("tweet.fields") ?? "").split(",");
    for (const name of fields) if (!FIELDS.includes(name)) throw invalid(`[tweet.fields] has no ${name}`);
    const found = posts
      .filter(
        ({ createdAt }) => createdAt.getTime() >= Date.parse(start) && createdAt.getTime() + switches.lagMs <= now(),
      )
      .filter(({ repost }) => !repost || url.searchParams.get("exclude") !== "retweets")
      .toReversed();
    const skip = Number(/^page-(\d+)$/.exec(url.searchParams.get("pagination_token") ?? "page-0")?.[1] ?? Number.NaN);
    if (Number.isNaN(skip)) throw invalid("pagination_token is not one.");
    const page = found.slice(skip, skip + Math.min(most, switches.page));
    const next = skip + page.length;
    const meta = { result_count: String(page.length), ...(next < found.length ? { next_token: `page-${next}` } : {}) };
    return Response.json(page.length > 0 ? { data: page.map((post) => shown(post, fields)), meta } : { meta });
  }

  function one(method: string, id: string, url: URL): Response {
    const held = posts.find((post) => post.id === id);
    if (method === "GET") {
      const fields = (url.searchParams.get("tweet.fields") ?? "").split(",");
      if (held) return Response.json({ data: shown(held, fields) });
      if (id === FOREIGN) return Response.json({ data: { id, text: "somebody else's", author_id: "6253282" } });
      const missing = {
        title: "Not Found Error",
        resource_id: id,
        type: "https://api.twitter.com/2/problems/resource-not-found",
      };
      return Response.json({ errors: [missing] });
    }
    if (!held) throw problem(404);
    if (switches.deletes) posts.splice(posts.indexOf(held), 1);
    return Response.json({ data: { deleted: switches.deletes } });
  }

  return { posts, seed, create, timeline, one };
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function listOf(value: unknown): string[] {
  if (
    !Array.isArray(value) ||
    value.length < 1 ||
    value.length > 4 ||
    value.some((id) => !/^\d{1,19}$/.test(String(id)))
  )
    throw invalid("media_ids has 1 to 4 ids.");
  return value.map(String);
}
