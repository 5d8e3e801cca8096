import { fieldsOf, invalid, jsonOf, problem, text } from "./problem.ts";

/*
 * Uploads: https://docs.x.com/x-api/media/initialize-media-upload, …/append-media-upload, …/finalize-media-upload,
 * …/get-media-upload-status and …/create-media-metadata; sizes from …/media/quickstart/best-practices.
 */

export interface HeldMedia {
  readonly id: string;
  readonly mime: string;
  readonly category: string;
  readonly total: number;
  /** Bytes of each segment, in order. */
  readonly segments: number[];
  state: "open" | "pending" | "in_progress" | "succeeded" | "failed";
  alt: string | null;
  /** Questions still to be answered with `in_progress`. */
  asks: number;
}

export interface Processing {
  /** How many questions a GIF or a video is worked on. */
  processing: number;
  /** What X says to wait; text, to be awkward. */
  checkAfterSecs: string;
  /** A video that cannot be used. */
  processingFails: boolean;
}

const CATEGORIES: Readonly<Record<string, { readonly mimes: readonly string[]; readonly most: number }>> = {
  tweet_image: { mimes: ["image/jpeg", "image/png", "image/webp"], most: 5 * 1024 ** 2 },
  tweet_gif: { mimes: ["image/gif"], most: 15 * 1024 ** 2 },
  tweet_video: { mimes: ["video/mp4", "video/quicktime"], most: 8 * 1024 ** 3 },
};
const SEGMENT_MOST = 5 * 1024 ** 2;

export function openMedia(switches: Processing, newId: () => string) {
  const held = new Map<string, HeldMedia>();

  const shown = (media: HeldMedia) => ({
    data: {
      id: media.id,
      media_key: keyOf(media),
      expires_after_secs: "86400",
      // An image is ready at once and has no such field.
      ...(media.category === "tweet_image" || media.state === "open"
        ? {}
        : {
            processing_info: {
              state: media.state,
              ...(media.state === "failed"
                ? { error: { code: 1, name: "InvalidMedia", message: "Unsupported video format" } }
                : { check_after_secs: switches.checkAfterSecs, progress_percent: "50" }),
            },
          }),
    },
  });

  async function initialize(request: Request): Promise<Response> {
    const body = await jsonOf(request, ["media_type", "total_bytes", "media_category", "shared", "additional_owners"]);
    const [mime, category, total] = [text(body["media_type"]), text(body["media_category"]), body["total_bytes"]];
    const rule = CATEGORIES[category];
    if (!rule?.mimes.includes(mime))
      throw invalid("media type unrecognized.", { media_type: [mime], media_category: [category] });
    if (typeof total !== "number" || !Number.isSafeInteger(total) || total < 1 || total > rule.most)
      throw invalid(`File size exceeds ${rule.most} bytes.`, { total_bytes: [String(total)] });
    const media: HeldMedia = { id: newId(), mime, category, total, segments: [], state: "open", alt: null, asks: 0 };
    held.set(media.id, media);
    return Response.json(shown(media));
  }

  async function append(media: HeldMedia, request: Request): Promise<Response> {
    if (!/^multipart\/form-data\b/.test(request.headers.get("content-type") ?? "")) throw problem(415);
    const form = await request.formData();
    for (const name of form.keys()) fieldsOf({ [name]: 1 }, ["media", "segment_index"], "$");
    const [file, index] = [form.get("media"), form.get("segment_index")];
    if (!(file instanceof File) || typeof index !== "string" || !/^\d{1,3}$/.test(index))
      throw invalid("media and segment_index are required.");
    if (media.state !== "open") throw invalid("The upload is finalized already.");
    if (file.size < 1 || file.size > SEGMENT_MOST) throw invalid("A segment has 1 byte to 5 MB.");
    // "An ordered index of file chunk": one that comes again takes the place of the first, none may be left out.
    if (Number(index) > media.segments.length) throw invalid(`Segment ${media.segments.length} is missing.`);
    media.segments[Number(index)] = file.size;
    return Response.json({ data: { expires_at: "1740787200" } });
  }

  function finalize(media: HeldMedia): Response {
    if (media.state !== "open") throw invalid("The upload is finalized already.");
    if (media.segments.reduce((sum, bytes) => sum + bytes, 0) !== media.total)
      throw invalid("Segments do not add up to provided total file size.");
    media.asks = switches.processing;
    media.state = media.category === "tweet_image" ? "succeeded" : "pending";
    return Response.json(shown(media));
  }

  function status(url: URL): Response {
    if (url.searchParams.get("command") !== "STATUS") throw invalid("command must be STATUS.");
    const media = held.get(url.searchParams.get("media_id") ?? "");
    if (!media || media.state === "open") throw problem(404);
    if (media.state === "pending" || media.state === "in_progress") {
      media.asks -= 1;
      media.state = media.asks > 0 ? "in_progress" : switches.processingFails ? "failed" : "succeeded";
    }
    return Response.json(shown(media));
  }

  async function metadata(request: Request): Promise<Response> {
    const body = await jsonOf(request, ["id", "metadata"]);
    const { alt_text } = fieldsOf(body["metadata"], ["alt_text", "sensitive_media_warning"], "$.metadata");
    const alt = text(fieldsOf(alt_text, ["text"], "$.metadata.alt_text")["text"]);
    const media = held.get(text(body["id"]));
    if (!media || media.state === "open") throw invalid("The media is not there.");
    if (alt === "" || [...alt].length > 1000) throw invalid("The alt text has 1 to 1000 characters.");
    // "only supported for images and GIFs" (post-media-metadata-create)
    if (media.category === "tweet_video") throw invalid("Videos have no alt text.");
    media.alt = alt;
    return Response.json({ data: { id: media.id, associated_metadata: { alt_text: { text: alt } } } });
  }

  async function answer(request: Request, url: URL): Promise<Response> {
    const route = `${request.method} ${url.pathname}`;
    if (route === "POST /2/media/upload/initialize") return initialize(request);
    if (route === "GET /2/media/upload") return status(url);
    if (route === "POST /2/media/metadata") return metadata(request);
    const [, id, step] = /^\/2\/media\/upload\/(\d+)\/(append|finalize)$/.exec(url.pathname) ?? [];
    const media = held.get(id ?? "");
    if (request.method !== "POST" || !media) throw problem(404);
    return step === "append" ? append(media, request) : finalize(media);
  }

  return { held, answer };
}

/** `3_` an image, `16_` a GIF, `13_` a video (https://docs.x.com/x-api/fundamentals/data-dictionary#media). */
export function keyOf({ id, category }: Pick<HeldMedia, "id" | "category">): string {
  return `${category === "tweet_video" ? 13 : category === "tweet_gif" ? 16 : 3}_${id}`;
}
