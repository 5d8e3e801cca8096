import { randomUUID } from "node:crypto";
import { checkFields, jsonOf, refusal, text } from "./refusal.ts";

/*
 * Uploads: https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/images-api and
 * …/documents-api. The statuses are WAITING_UPLOAD, PROCESSING, AVAILABLE and PROCESSING_FAILED.
 */

export interface HeldMedia {
  readonly urn: string;
  readonly kind: "image" | "document";
  readonly upload: string;
  status: "WAITING_UPLOAD" | "PROCESSING" | "AVAILABLE" | "PROCESSING_FAILED";
  mime: string;
  bytes: number;
  /** Questions still to be answered with PROCESSING. */
  asks: number;
}

export interface Processing {
  /** How many questions a file is worked on. */
  processing: number;
  processingFails: boolean;
  /** Whether the app may ask for a file's status; documents-api: "Accessing this document resource is forbidden." */
  mayAsk: boolean;
  /** Where bytes are to be put; images-api has https://www.linkedin.com/dms-uploads/…. */
  uploadHost: string;
}

const KINDS = {
  images: { kind: "image", mimes: ["image/jpeg", "image/png", "image/gif"] },
  documents: { kind: "document", mimes: ["application/pdf"] },
} as const;

export function openMedia(switches: Processing, owner: string) {
  const held = new Map<string, HeldMedia>();

  async function initialize(request: Request, place: keyof typeof KINDS): Promise<Response> {
    const body = checkFields(await jsonOf(request), ["initializeUploadRequest"], []);
    const asked = checkFields(body["initializeUploadRequest"], ["owner"], [], "/initializeUploadRequest");
    if (text(asked["owner"]) !== owner)
      throw refusal(403, "ACCESS_DENIED", "The caller is not the owner", { serviceErrorCode: 100 });
    const { kind } = KINDS[place];
    const urn = `urn:li:${kind}:D4E10AQ${randomUUID().replaceAll("-", "")}`;
    const upload = `/dms-uploads/${randomUUID()}/uploaded-${kind}/0`;
    held.set(urn, { urn, kind, upload, status: "WAITING_UPLOAD", mime: "", bytes: 0, asks: switches.processing });
    const uploadUrl = `${switches.uploadHost}${upload}?ca=vector_feedshare&cn=uploads&sync=0`;
    return Response.json({ value: { uploadUrlExpiresAt: Date.now() + 86_400_000, uploadUrl, [kind]: urn } });
  }

  /** A place for one file and one time. */
  async function put(request: Request, path: string): Promise<Response> {
    const media = [...held.values()].find(({ upload }) => upload === path);
    if (!media) throw refusal(404, "RESOURCE_NOT_FOUND", "No such upload");
    if (media.status !== "WAITING_UPLOAD") throw refusal(403, "ACCESS_DENIED", "This upload URL has been used");
    const mime = request.headers.get("content-type") ?? "";
    const { mimes } = KINDS[media.kind === "image" ? "images" : "documents"];
    const known: readonly string[] = mimes;
    media.bytes = (await request.arrayBuffer()).byteLength;
    media.mime = mime;
    media.status = known.includes(mime) && media.bytes > 0 ? "PROCESSING" : "PROCESSING_FAILED";
    return new Response(null, { status: 201 });
  }

  function status(urn: string): Response {
    if (!switches.mayAsk)
      throw refusal(
        403,
        "ACCESS_DENIED",
        "Accessing this resource is forbidden. Please check your permissions for this resource",
      );
    const media = held.get(urn);
    if (!media) throw refusal(404, "RESOURCE_NOT_FOUND", `Could not find entity ${urn}`);
    if (media.status === "PROCESSING" && media.asks-- <= 0)
      media.status = switches.processingFails ? "PROCESSING_FAILED" : "AVAILABLE";
    const ready =
      media.status === "AVAILABLE"
        ? { downloadUrl: "https://media.licdn.com/dms/image/x", downloadUrlExpiresAt: 1 }
        : {};
    return Response.json({ id: urn, owner, status: media.status, ...ready });
  }

  async function answer(request: Request, url: URL): Promise<Response | undefined> {
    const [, place, key] = /^\/rest\/(images|documents)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (place !== "images" && place !== "documents") return undefined;
    if (request.method === "POST" && key === undefined && url.searchParams.get("action") === "initializeUpload")
      return initialize(request, place);
    // protocol-version: a key in a path is encoded whole.
    if (request.method === "GET" && key !== undefined && !/[:()]/.test(key)) return status(decodeURIComponent(key));
    throw refusal(404, "RESOURCE_NOT_FOUND", `No virtual resource found for ${url.pathname}`);
  }

  return { held, answer, put };
}
