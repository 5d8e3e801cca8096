import { fieldsOf, formOf, invalid, named, notFound, pick, refusal } from "./graph.ts";

/*
 * Containers: https://developers.facebook.com/docs/threads/posts, …/reference/publishing and …/troubleshooting.
 */

type Kind = "TEXT" | "IMAGE" | "VIDEO" | "CAROUSEL";

export interface Container {
  readonly id: string;
  readonly kind: Kind;
  readonly text: string;
  readonly alt: string | null;
  readonly children: readonly string[];
  readonly item: boolean;
  readonly parent: string | null;
  readonly topic: string | null;
  readonly reply: string | null;
  readonly at: number;
  error: string | null;
  /** Questions still to be answered with IN_PROGRESS. */
  asks: number;
  /** Questions still to be answered as if it were not there. */
  unknown: number;
  /** The post it has become. */
  published: string | null;
}

export interface Processing {
  /** How many questions a file or a carousel is worked on. */
  processing: number;
  /** How many questions a new container is not known for. */
  unknownFor: number;
  /** A file that cannot be used. */
  processingFails: string | null;
}

/** "EXPIRED — The container was not published within 24 hours and has expired." */
const TTL_MS = 24 * 3_600_000;
const FIELDS = [
  "media_type",
  "text",
  "image_url",
  "video_url",
  "alt_text",
  "children",
  "is_carousel_item",
  "reply_to_id",
  "topic_tag",
  "reply_control",
];
const CONTROLS = ["everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only"];
/** "JPEG and PNG", "MOV or MP4"; "8 MB maximum", "1 GB maximum" */
const FILES = {
  IMAGE: { mimes: ["image/jpeg", "image/png"], most: 8 * 1024 ** 2 },
  VIDEO: { mimes: ["video/mp4", "video/quicktime"], most: 1024 ** 3 },
} as const;

/**
 * "limited to 500 characters"; by bytes, as refusals have shown (gitroomhq/postiz-app#1946), and not for emoji alone.
 */
const TEXT_MOST = 500;

export function openContainers(
  switches: Processing,
  now: () => number,
  newId: () => string,
  isPost: (id: string) => boolean,
) {
  const held = new Map<string, Container>();

  /** "We will cURL your image using the URL provided so it must be on a public server." */
  async function fetched(kind: "IMAGE" | "VIDEO", address: string): Promise<string | null> {
    if (!URL.canParse(address)) throw invalid(`${address} is no URL`);
    const answer = await fetch(address).catch(() => undefined);
    const bytes = answer?.ok ? (await answer.arrayBuffer()).byteLength : 0;
    if (!answer?.ok || bytes === 0) {
      // A video fails later, by its status; an image at once, as reported in gitroomhq/postiz-app#1364.
      if (kind === "VIDEO") return "FAILED_DOWNLOADING_VIDEO";
      throw refusal(1, "Media download has failed", {
        subcode: 2207052,
        words: "The media could not be fetched from this URI.",
      });
    }
    const { mimes, most } = FILES[kind];
    const mime = answer.headers.get("content-type") ?? "";
    if (!mimes.some((one) => one === mime) || bytes > most) throw invalid(`${mime} of ${bytes} bytes`);
    return null;
  }

  async function create(request: Request): Promise<Response> {
    const form = await formOf(request, FIELDS);
    const kind = form["media_type"];
    if (kind !== "TEXT" && kind !== "IMAGE" && kind !== "VIDEO" && kind !== "CAROUSEL") throw invalid("media_type");
    const [text = "", topic = null, reply = null, parent = null] = [
      form["text"],
      form["topic_tag"],
      form["reply_control"],
      form["reply_to_id"],
    ];
    const item = form["is_carousel_item"] === "true";
    if (kind === "TEXT" && text === "") throw invalid("text is required");
    if (Buffer.byteLength(text) > TEXT_MOST) throw invalid("Param text must be at most 500 characters long.");
    // …/create-posts/text-attachments: "more than 5 links will fail to post during the media creation step"
    if (new Set(text.match(/(?:https?:\/\/|www\.)\S+/g)).size > 5)
      throw refusal(100, "THREADS_API__LINK_LIMIT_EXCEEDED", { status: 500 });
    if (item && (text !== "" || parent !== null || topic !== null || kind === "TEXT" || kind === "CAROUSEL"))
      throw invalid("is_carousel_item");
    if (topic !== null && !/^[^.&]{1,50}$/u.test(topic)) throw invalid("topic_tag");
    if (reply !== null && !CONTROLS.includes(reply)) throw invalid("reply_control");
    // "You are the owner of the root thread post" (…/create-replies): whose post psn answers is its own.
    if (parent !== null && !isPost(parent)) throw notFound(parent);
    const alt = form["alt_text"] ?? null;
    // "The maximum length of alt_text is 1,000 characters."
    if (alt !== null && (kind === "TEXT" || kind === "CAROUSEL" || [...alt].length > 1000)) throw invalid("alt_text");
    if (
      (form["image_url"] === undefined) === (kind === "IMAGE") ||
      (form["video_url"] === undefined) === (kind === "VIDEO")
    )
      throw invalid("image_url goes with IMAGE and video_url with VIDEO");
    const children = kind === "CAROUSEL" ? (form["children"] ?? "").split(",") : [];
    if (kind === "CAROUSEL") checkChildren(children);
    else if (form["children"] !== undefined) throw invalid("children");
    const error =
      kind === "IMAGE" || kind === "VIDEO" ? await fetched(kind, form["image_url"] ?? form["video_url"] ?? "") : null;
    const asks = kind === "TEXT" ? 0 : switches.processing;
    const id = newId();
    const failed = error ?? (kind === "TEXT" ? null : switches.processingFails);
    const more = { at: now(), published: null, asks, unknown: switches.unknownFor, error: failed };
    held.set(id, { id, kind, text, alt, children, item, parent, topic, reply, ...more });
    return Response.json({ id });
  }

  /** "at least 2 and up to 20"; each an item that is ready. */
  function checkChildren(children: readonly string[]): void {
    if (children.length < 2 || children.length > 20) throw invalid("children has 2 to 20 ids");
    for (const id of children) {
      const child = held.get(id);
      if (!child?.item || stateOf(child) !== "FINISHED") throw invalid(`children: ${id} is not ready`);
    }
  }

  function stateOf(container: Container): string {
    if (container.published !== null) return "PUBLISHED";
    if (now() - container.at > TTL_MS) return "EXPIRED";
    if (container.asks > 0) return "IN_PROGRESS";
    return container.error === null ? "FINISHED" : "ERROR";
  }

  function status(container: Container, url: URL): Response {
    const fields = fieldsOf(named(url.searchParams, ["fields"])["fields"], ["id", "status", "error_message"]);
    if (container.unknown > 0) {
      container.unknown -= 1;
      throw notFound(container.id);
    }
    const state = stateOf(container);
    if (container.asks > 0) container.asks -= 1;
    return Response.json(
      pick({ id: container.id, status: state, error_message: state === "ERROR" ? container.error : undefined }, fields),
    );
  }

  /**
   * The container to publish. What Threads says to one that is out, expired or not ready is written nowhere; seen is
   * only "not found".
   */
  async function take(request: Request): Promise<Container> {
    const { creation_id = "" } = await formOf(request, ["creation_id"]);
    const container = held.get(creation_id);
    if (!container || container.item || stateOf(container) !== "FINISHED") throw notFound(creation_id);
    return container;
  }

  return { held, create, status, take };
}
