import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { PsnError } from "@psn/core/errors.ts";
import { fetchAsPsn } from "@psn/core/net/fetch.ts";
import { retryAfterMs } from "@psn/core/net/pauses.ts";
import { defined } from "@psn/core/types/defined.ts";
import { codeOf, type Refused, refusal, unanswered, type Verb } from "./refusals.ts";
import { encode, presign, type Signer } from "./sigv4.ts";

/*
 * One request to a bucket. psn signs and fetch sends. Bun's own S3 client (1.4.5) cannot be stopped, follows redirects
 * with the bytes, tells no status, takes the token of whatever AWS session the shell is in, and signs ids of keys
 * wrongly unless they are plain.
 */

export interface BucketSettings {
  /** A web address without a path; the bucket's name goes into the path of a request and not into its host. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Limits {
  /** How long a request may make no progress, in milliseconds. */
  readonly requestMs: number;
  /** The slowest line psn waits for, in bytes per millisecond. */
  readonly bytesPerMs: number;
  /** The pauses between attempts, in milliseconds: as many attempts as pauses, and one. */
  readonly pausesMs: readonly number[];
}

/**
 * Also how far this machine's clock may be behind; S3 takes as much between its clock and a request's
 * (RequestTimeTooSkewed).
 */
const SIGNED_FOR_S = 900;
/** Of an answer that is no object, so many bytes are read. */
const MOST_WORDS = 4 * 1024 * 1024;
/** Longest pause that is waited for here, in milliseconds; a longer one is the caller's to keep. */
const MOST_PAUSE_MS = 30_000;

export interface Asked {
  readonly method: "PUT" | "GET" | "DELETE";
  readonly verb: Verb;
  /** Absent: the bucket itself. */
  readonly key?: string;
  readonly query?: readonly (readonly [string, string])[];
  readonly body?: { readonly bytes: Uint8Array; readonly mime: string };
  /** Most bytes of the answer's body. */
  readonly most?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly bytes: Uint8Array;
  /** The object's MD5 in hex, where the service gives it as the ETag. */
  readonly md5: string | undefined;
  /** The service's own time. */
  readonly at: Date;
}

export interface Requests {
  /**
   * Several times if need be: the same bytes under the same name a second time do no harm. Undefined for an object that
   * is not there.
   */
  send(asked: Asked): Promise<Answer | undefined>;
  /** Once. */
  attempt(asked: Asked): Promise<Answer | undefined>;
  link(key: string, seconds: number): string;
}

/** What it gives throws CONFIG_INVALID for an endpoint with a path. */
export function requestsTo(settings: BucketSettings, limits: Limits, now: () => Date): Requests {
  const { accessKeyId, secretAccessKey, region, bucket } = settings;
  const signer: Signer = { accessKeyId, secretAccessKey, region, service: "s3" };
  const address = ({ method, key, query = [] }: Pick<Asked, "method" | "key" | "query">, seconds = SIGNED_FOR_S) => {
    const { origin, host } = placeOf(settings.endpoint);
    const path = `/${encode(bucket)}${key === undefined ? "" : `/${key.split("/").map(encode).join("/")}`}`;
    return presign(origin, { request: { method, path, query, headers: { host } }, signer, at: now(), seconds });
  };

  const attempt = async (asked: Asked): Promise<Answer | undefined> => {
    const { method, verb, body, most = MOST_WORDS, signal: stop } = asked;
    const { origin } = placeOf(settings.endpoint);
    const proofs = body ? checked(body) : {};
    const abort = new AbortController();
    const watch = watching(limits, body?.bytes.length ?? 0, () => abort.abort());
    let response: Response;
    let bytes: Uint8Array;
    try {
      response = await fetchAsPsn(address(asked), {
        method,
        redirect: "manual",
        signal: stop ? AbortSignal.any([abort.signal, stop]) : abort.signal,
        headers: { "accept-encoding": "identity", ...proofs },
        // A copy, since the type of fetch takes no memory that could be shared.
        ...defined({ body: body ? body.bytes.slice() : undefined }),
      });
      bytes = await read(response, response.ok ? most : MOST_WORDS, watch.progress);
    } catch (error) {
      stop?.throwIfAborted();
      throw unanswered(error, origin, abort.signal.aborted);
    } finally {
      watch.end();
    }
    const { status, headers } = response;
    const date = Date.parse(headers.get("date") ?? "");
    if (status === 200 || (status === 204 && method === "DELETE"))
      return { bytes, md5: md5Of(headers), at: Number.isNaN(date) ? now() : new Date(date) };
    const text = new TextDecoder().decode(bytes);
    // Only when S3 says so: a 404 of a proxy, or of a website that is no bucket, is not a missing object.
    if (method !== "PUT" && status === 404 && codeOf(text) === "NoSuchKey") return undefined;
    const aheadMs = Number.isNaN(date) ? undefined : now().getTime() - date;
    const refused: Refused = {
      verb,
      endpoint: origin,
      status,
      text,
      headers,
      aheadMs,
      retryAfterMs: retryAfterMs(headers, now()),
    };
    throw refusal(refused);
  };

  return {
    attempt,
    async send(asked) {
      const began = performance.now();
      for (const pauseMs of limits.pausesMs) {
        try {
          return await attempt(asked);
        } catch (error) {
          if (!(error instanceof PsnError) || error.code !== "VENDOR_UNREACHABLE") throw error;
          const asksMs = error.retryAfterMs ?? 0;
          // A pause of minutes, and an upload that took minutes, are not waited for again.
          if (asksMs > MOST_PAUSE_MS || performance.now() - began > 4 * limits.requestMs) throw error;
          await sleep(Math.max(pauseMs, asksMs), undefined, asked.signal ? { signal: asked.signal } : {});
        }
      }
      return attempt(asked);
    },
    link: (key, seconds) => address({ method: "GET", key }, seconds),
  };
}

/** Where a bucket's service is. Throws CONFIG_INVALID. */
export function placeOf(endpoint: string): { readonly origin: string; readonly host: string } {
  const url = URL.parse(endpoint);
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`)
    return { origin: url.origin, host: url.host };
  throw new PsnError(
    "CONFIG_INVALID",
    "S3_ENDPOINT must be http:// or https:// and a host, without a path; the bucket's name goes into S3_BUCKET",
    {
      hint: "psn config set S3_ENDPOINT",
    },
  );
}

/** So that the service refuses bytes that were changed on the way (RFC 1864). */
function checked({ bytes, mime }: NonNullable<Asked["body"]>) {
  return { "content-type": mime, "content-md5": createHash("md5").update(bytes).digest("base64") };
}

/** Of a file that was put at once and is not encrypted by a key of the service's, the ETag is its MD5. */
function md5Of(headers: Headers): string | undefined {
  return /^"?([0-9a-f]{32})"?$/.exec(headers.get("etag") ?? "")?.[1];
}

/**
 * Ends what makes no progress. Of an upload no progress can be seen: Bun (1.4.5) takes all of a body at once, whatever
 * the line does; so it has the time that its bytes take on the slowest line.
 */
function watching({ requestMs, bytesPerMs }: Limits, bytes: number, onEnd: () => void) {
  const began = performance.now();
  let timer = setTimeout(onEnd, requestMs + bytes / bytesPerMs);
  const again = (received: number) => {
    clearTimeout(timer);
    const leftMs = requestMs + (bytes + received) / bytesPerMs - (performance.now() - began);
    timer = setTimeout(onEnd, Math.max(0, Math.min(requestMs, leftMs)));
  };
  return { progress: again, end: () => clearTimeout(timer) };
}

/** The body, and no more of it than `most` bytes: what is longer is cut there. */
async function read(response: Response, most: number, progress: (received: number) => void): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let received = 0;
  progress(0);
  for await (const chunk of response.body ?? []) {
    received += chunk.length;
    progress(received);
    chunks.push(chunk);
    if (received > most) break;
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : new Uint8Array(Buffer.concat(chunks));
}
