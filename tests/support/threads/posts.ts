import type { Container } from "./containers.ts";
import { fieldsOf, invalid, named, pick, refusal } from "./graph.ts";
import { USER } from "./oauth.ts";

/*
 * Posts: https://developers.facebook.com/docs/threads/retrieve-and-discover-posts/retrieve-posts, …/reference/user and
 * …/posts/delete-posts.
 */

export interface HeldPost {
  readonly id: string;
  readonly kind: string;
  readonly text: string;
  readonly parent: string | null;
  readonly media: readonly { readonly kind: string; readonly alt: string | null }[];
  readonly topic: string | null;
  readonly reply: string | null;
  readonly at: number;
}

export interface Posting {
  /** How old a post is before it is listed. */
  lagMs: number;
  /** Most posts in one page, however many are asked for. */
  page: number;
  /** False: DELETE says `success: false` and deletes nothing. */
  deletes: boolean;
  /** False: posts have no permalink ("Will be omitted if …"). */
  permalinks: boolean;
}

const FIELDS = [
  "id",
  "text",
  "timestamp",
  "permalink",
  "media_type",
  "replied_to",
  "is_reply",
  "topic_tag",
  "username",
  "children",
];
const KINDS: Readonly<Record<string, string>> = { TEXT: "TEXT_POST", CAROUSEL: "CAROUSEL_ALBUM" };

export function openPosts(switches: Posting, now: () => number, newId: () => string) {
  const posts: HeldPost[] = [];

  function seed(post: Partial<HeldPost> & { readonly text: string }): HeldPost {
    const held = {
      id: newId(),
      kind: "TEXT_POST",
      parent: null,
      media: [],
      topic: null,
      reply: null,
      at: now(),
      ...post,
    };
    posts.push(held);
    posts.sort((a, b) => a.at - b.at);
    return held;
  }

  function publish(container: Container, held: ReadonlyMap<string, Container>): string {
    const files = container.kind === "CAROUSEL" ? container.children.flatMap((id) => held.get(id) ?? []) : [container];
    const { id } = seed({
      kind: KINDS[container.kind] ?? container.kind,
      // "The text is also configured in the app without the hash sign."
      text: container.text.replace(/(^|\s)#(?=\p{L})/u, "$1"),
      parent: container.parent,
      media: files.filter(({ kind }) => kind !== "TEXT").map(({ kind, alt }) => ({ kind, alt })),
      topic: container.topic,
      reply: container.reply,
    });
    container.published = id;
    return id;
  }

  function shown(post: HeldPost, fields: readonly string[]): object {
    const all = {
      id: post.id,
      text: post.text === "" ? undefined : post.text,
      // Whole seconds, and an offset without a colon.
      timestamp: `${new Date(post.at).toISOString().slice(0, 19)}+0000`,
      permalink: switches.permalinks ? `https://www.threads.net/@${USER.username}/post/C${post.id}` : undefined,
      media_type: post.kind,
      replied_to: post.parent === null ? undefined : { id: post.parent },
      // "This only shows up for carousel posts."
      children:
        post.kind === "CAROUSEL_ALBUM"
          ? { data: post.media.map((_, index) => ({ id: `${post.id}${index}` })) }
          : undefined,
      is_reply: post.parent !== null,
      topic_tag: post.topic ?? undefined,
      username: USER.username,
    };
    return pick(all, fields);
  }

  /** Posts and answers have a list each; the newest comes first. */
  function list(url: URL, answers: boolean): Response {
    const query = named(url.searchParams, ["fields", "since", "limit", "after"]);
    const fields = fieldsOf(query["fields"], FIELDS);
    const since = Number(query["since"] ?? "1688540400");
    // "must be greater than or equal to 1688540400 and less than the until parameter", which is now.
    if (!(since >= 1_688_540_400 && since * 1000 < now())) throw invalid("since");
    const limit = Number(query["limit"] ?? "25");
    if (!(limit > 0 && limit <= 100)) throw invalid("limit");
    const found = posts
      .filter(({ parent, at }) => (parent !== null) === answers && at >= since * 1000 && at + switches.lagMs <= now())
      .toReversed();
    const skip = Number(/^cursor(\d+)$/.exec(query["after"] ?? "cursor0")?.[1] ?? Number.NaN);
    if (Number.isNaN(skip)) throw invalid("after");
    const page = found.slice(skip, skip + Math.min(limit, switches.page));
    // There are cursors even where nothing follows.
    const cursors = { before: `cursor${skip}`, after: `cursor${skip + page.length}` };
    return Response.json({
      data: page.map((post) => shown(post, fields)),
      ...(page.length > 0 ? { paging: { cursors } } : {}),
    });
  }

  function one(method: string, id: string, url: URL): Response {
    const post = posts.find((held) => held.id === id);
    if (!post)
      throw refusal(100, `Unsupported ${method.toLowerCase()} request. Object with ID '${id}' does not exist`, {
        subcode: 33,
        type: "THApiException",
      });
    if (method === "GET")
      return Response.json(shown(post, fieldsOf(named(url.searchParams, ["fields"])["fields"], FIELDS)));
    if (!switches.deletes) return Response.json({ success: false });
    posts.splice(posts.indexOf(post), 1);
    return Response.json({ success: true, deleted_id: id });
  }

  return { posts, seed, publish, list, one };
}
