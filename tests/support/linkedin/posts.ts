import { readLittle } from "./little.ts";
import type { HeldMedia } from "./media.ts";
import { checkFields, jsonOf, refusal, text } from "./refusal.ts";

/*
 * Posts and comments: https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api,
 * …/multiimage-post-api and …/comments-api.
 */

export interface HeldPost {
  readonly urn: string;
  /** The feed's own number for it, which is another one. */
  readonly activity: string;
  /** What a reader sees of it. */
  readonly text: string;
  readonly mentions: readonly string[];
  readonly hashtags: readonly string[];
  readonly visibility: string;
  readonly media: readonly { readonly id: string; readonly altText: string | null; readonly title: string | null }[];
  readonly article: Readonly<Record<string, unknown>> | null;
}

export interface HeldComment {
  readonly urn: string;
  readonly id: string;
  readonly post: string;
  readonly text: string;
}

export interface Posting {
  /**
   * For how long the same content is refused, deleted or not (github.com/ComposioHQ/composio/issues/2710: a day or
   * two).
   */
  duplicateMs: number;
  /** False: a refusal of a duplicate names no URN. */
  duplicateNames: boolean;
  /** Questions after which a post may be commented on; before, 404 (github.com/gitroomhq/postiz-app/issues/408). */
  settling: number;
  /**
   * Whether the app has the Community Management API. One with "Share on LinkedIn" alone may not comment, whatever the
   * page says of w_member_social: 403, partnerApiSocialActions.CREATE, as many developers have measured in 2026.
   */
  comments: boolean;
  /** In what the answer to a comment names it. */
  commentNames: "commentUrn" | "$URN" | "id" | "header";
}

const POST_MAX = 3_000;
const COMMENT_MAX = 1_250;

export function openPosts(
  switches: Posting,
  owner: string,
  media: ReadonlyMap<string, HeldMedia>,
  now: () => number,
  newId: () => string,
) {
  const posts: HeldPost[] = [];
  const comments: HeldComment[] = [];
  const said = new Map<string, { readonly urn: string; readonly at: number }>();
  const asks = new Map<string, number>();

  function fileOf(value: unknown, kind: string, where: string) {
    const fields = checkFields(value, ["id"], ["altText", "title"], where);
    const id = text(fields["id"]);
    const held = media.get(id);
    if (!held || !kind.includes(held.kind))
      throw refusal(400, "INVALID_VALUE_FOR_FIELD", `${where}/id is not a ${kind}`);
    // What a reader would see is an empty place.
    if (held.status !== "AVAILABLE") throw refusal(400, "INVALID_VALUE_FOR_FIELD", `${where}/id is ${held.status}`);
    const title = fields["title"] === undefined ? null : text(fields["title"]);
    if (held.kind === "document" && !title)
      throw refusal(422, "MISSING_FIELD", `${where}/title is required for a document`);
    const altText = fields["altText"] === undefined ? null : text(fields["altText"]);
    if ((altText?.length ?? 0) > 4_086) throw refusal(400, "FIELD_LENGTH_TOO_LONG", `${where}/altText`);
    return { id, altText, title };
  }

  function contentOf(value: unknown): Pick<HeldPost, "media" | "article"> {
    if (value === undefined) return { media: [], article: null };
    const content = checkFields(value, [], ["media", "multiImage", "article"], "/content");
    if (Object.keys(content).length !== 1)
      throw refusal(422, "UNPROCESSABLE_ENTITY", "/content is a union and takes one member");
    if (content["media"] !== undefined)
      return { media: [fileOf(content["media"], "image or document", "/content/media")], article: null };
    if (content["article"] !== undefined) {
      const article = checkFields(
        content["article"],
        ["source", "title"],
        ["description", "thumbnail"],
        "/content/article",
      );
      if (!/^https?:\/\//.test(text(article["source"])))
        throw refusal(400, "INVALID_VALUE_FOR_FIELD", "/content/article/source");
      if (article["thumbnail"] !== undefined)
        fileOf({ id: article["thumbnail"] }, "image", "/content/article/thumbnail");
      return { media: [], article };
    }
    const { images } = checkFields(content["multiImage"], ["images"], [], "/content/multiImage");
    // "minimum of 2 images and maximum of 20 images"
    if (!Array.isArray(images) || images.length < 2 || images.length > 20)
      throw refusal(400, "INVALID_VALUE_FOR_FIELD", "/content/multiImage/images takes 2 to 20");
    return { media: images.map((one: unknown) => fileOf(one, "image", "/content/multiImage/images")), article: null };
  }

  async function create(request: Request): Promise<Response> {
    const required = ["author", "commentary", "visibility", "distribution", "lifecycleState"];
    const body = checkFields(await jsonOf(request), required, ["content", "isReshareDisabledByAuthor"]);
    if (body["author"] !== owner)
      throw refusal(403, "ACCESS_DENIED", "The author is not the caller", { serviceErrorCode: 100 });
    const distribution = checkFields(
      body["distribution"],
      ["feedDistribution"],
      ["targetEntities", "thirdPartyDistributionChannels"],
      "/distribution",
    );
    if (distribution["feedDistribution"] !== "MAIN_FEED" || body["lifecycleState"] !== "PUBLISHED")
      throw refusal(400, "INVALID_VALUE_FOR_FIELD", "a member's post is PUBLISHED into MAIN_FEED");
    const visibility = text(body["visibility"]);
    if (!["PUBLIC", "CONNECTIONS", "LOGGED_IN"].includes(visibility))
      throw refusal(400, "INVALID_VALUE_FOR_FIELD", "/visibility");
    const commentary = text(body["commentary"]);
    const shown = readLittle(commentary);
    const content = contentOf(body["content"]);
    if (shown.text.length > POST_MAX)
      throw refusal(400, "FIELD_LENGTH_TOO_LONG", `/commentary is longer than ${POST_MAX}`);
    if (commentary === "" && body["content"] === undefined)
      throw refusal(422, "UNPROCESSABLE_ENTITY", "/commentary :: is empty");
    // As quoted in github.com/Arisamiga/Linkedin-RSS/issues/5, whatever has become of the first one since.
    const key = JSON.stringify([commentary, body["content"]]);
    const before = said.get(key);
    if (before && now() - before.at < switches.duplicateMs)
      throw refusal(422, "", "", {
        errorDetailType: "com.linkedin.common.error.BadRequest",
        message: switches.duplicateNames
          ? `com.linkedin.content.common.exception.BadRequestResponseException: Content is a duplicate of ${before.urn}`
          : "Duplicate post is detected",
        errorDetails: {
          inputErrors: [{ description: "Duplicate post is detected", input: {}, code: "DUPLICATE_POST" }],
        },
      });
    // Text and links are shares, files are ugcPosts; "urn:li:share or urn:li:ugcPost".
    const urn = `urn:li:${content.media.length > 0 ? "ugcPost" : "share"}:${newId()}`;
    posts.push({ urn, activity: `urn:li:activity:${newId()}`, ...shown, visibility, ...content });
    said.set(key, { urn, at: now() });
    asks.set(urn, switches.settling);
    return new Response(null, {
      status: 201,
      headers: { "x-restli-id": urn, location: `/posts/${encodeURIComponent(urn)}` },
    });
  }

  const postOf = (urn: string) => posts.find((one) => one.urn === urn || one.activity === urn);

  async function comment(request: Request, key: string): Promise<Response> {
    if (!switches.comments)
      throw refusal(403, "ACCESS_DENIED", "Not enough permissions to access: partnerApiSocialActions.CREATE.20260901", {
        serviceErrorCode: 100,
      });
    const body = checkFields(await jsonOf(request), ["actor", "object", "message"], []);
    const message = checkFields(body["message"], ["text"], ["attributes"], "/message");
    if (body["actor"] !== owner || body["object"] !== key)
      throw refusal(400, "INVALID_VALUE_FOR_FIELD", "/actor or /object");
    const words = text(message["text"]);
    if (words.trim() === "") throw refusal(400, "INVALID_VALUE_FOR_FIELD", "/message/text is empty");
    if (words.length > COMMENT_MAX)
      throw refusal(400, "FIELD_LENGTH_TOO_LONG", `/message/text is longer than ${COMMENT_MAX}`);
    const left = asks.get(key) ?? 0;
    asks.set(key, left - 1);
    const post = postOf(key);
    if (!post || left > 0) throw refusal(404, "", `Received error for ${key} from domain authorization endpoint: 404`);
    // Plain text: what is written is what is shown, backslashes and all.
    const held = { urn: "", id: newId(), post: post.urn, text: words };
    const urn = `urn:li:comment:(${post.activity},${held.id})`;
    comments.push({ ...held, urn });
    const named = { commentUrn: { commentUrn: urn }, $URN: { $URN: urn }, id: { id: held.id }, header: {} }[
      switches.commentNames
    ];
    const made = {
      actor: owner,
      object: post.activity,
      message: { attributes: [], text: words },
      created: { time: now() },
      ...named,
    };
    const headers: Record<string, string> = switches.commentNames === "header" ? { "x-restli-id": held.id } : {};
    return Response.json(made, { status: 201, headers });
  }

  /** Nothing self-serve may read (posts-api: r_member_social is "restricted"). */
  function unreadable(resource: string): never {
    throw refusal(403, "ACCESS_DENIED", `Not enough permissions to access: ${resource}`, { serviceErrorCode: 100 });
  }

  async function answer(request: Request, url: URL): Promise<Response> {
    const path = url.pathname.split("/").slice(2);
    // protocol-version: a key in a path is encoded whole.
    if (path.some((part) => /[:(),]/.test(part)))
      throw refusal(400, "ILLEGAL_ARGUMENT", `Syntax exception in path variables of ${url.pathname}`);
    const [resource, key = "", sub, id = ""] = path.map(decodeURIComponent);
    if (resource === "posts") {
      if (request.method === "POST" && path.length === 1) return create(request);
      if (request.method === "GET") unreadable("posts.GET.202609");
      const post = postOf(key);
      if (!post) throw refusal(404, "NOT_FOUND", `Could not find entity ${key}`);
      posts.splice(posts.indexOf(post), 1);
      for (const one of comments.filter((held) => held.post === post.urn)) comments.splice(comments.indexOf(one), 1);
      return new Response(null, { status: 204 });
    }
    if (resource !== "socialActions" || sub !== "comments")
      throw refusal(404, "RESOURCE_NOT_FOUND", `No virtual resource found for ${url.pathname}`);
    if (request.method === "GET") unreadable("partnerApiSocialActions.GET");
    if (request.method === "POST") return comment(request, key);
    // comments-api: DELETE …/comments/{id}?actor={urn}
    if (url.searchParams.get("actor") !== owner) throw refusal(400, "PARAM_INVALID", "actor is missing");
    const held = comments.find((one) => one.id === id && postOf(key)?.urn === one.post);
    if (!held) throw refusal(404, "NOT_FOUND", `Could not find comment ${id}`);
    comments.splice(comments.indexOf(held), 1);
    return new Response(null, { status: 204 });
  }

  return { posts, comments, answer };
}
