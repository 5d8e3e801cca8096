import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bucket } from "@psn/app/ports/outside.ts";
import { type ErrorCode, PsnError } from "@psn/core/errors.ts";
import { ERROR_BYTES, readBody } from "@psn/core/net/answer-body.ts";
import { fetchAsPsn } from "@psn/core/net/fetch.ts";
import { retryAfterMs } from "@psn/core/net/pauses.ts";

export interface BucketSettings {
  /** A web address; the bucket's name goes into its path and not into its host, which every service takes. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Limits {
  /** How long a request may take, beside what its bytes take; in milliseconds. */
  readonly requestMs: number;
  /** The slowest line psn waits for, in bytes per millisecond. */
  readonly bytesPerMs: number;
  /** The pauses between attempts, in milliseconds: as many attempts as pauses, and one. */
  readonly pausesMs: readonly number[];
}

const LIMITS: Limits = { requestMs: 15_000, bytesPerMs: 100, pausesMs: [250, 1_000] };
/** Also how far this machine's clock may be behind; S3 takes as much between its clock and a request's (RequestTimeTooSkewed). */
const SIGNED_FOR_S = 900;

/** Throws BUG for a name that is not `psn/…/…`: one with `..` or an empty segment is another name to some services. */
function assertKey(key: string): void {
  if (!/^psn(\/[0-9A-Za-z_-]+){2}$/.test(key)) throw new PsnError("BUG", "the name of an object is not of psn's form");
}

type Method = "PUT" | "GET" | "DELETE";

interface Body {
  readonly bytes: Uint8Array;
  readonly mime: string;
}

/** Most of an object that is read where nobody knows its size, in bytes: the largest file that a platform takes has one gigabyte. */
const OBJECT_BYTES = 1024 ** 3;
/** Longest pause that the service may ask for between two attempts, in milliseconds. */
const MAX_PAUSE_MS = 15_000;

/**
 * A bucket at any service that speaks S3. Its methods throw VENDOR_AUTH, VENDOR_REFUSED, VENDOR_UNREACHABLE and CONFIG_INVALID.
 *
 * Bun's S3 client signs and fetch sends. Sent by Bun's client itself (1.4.5, tried against a server that misbehaves), a request
 * cannot be stopped and has waited for more than a minute, takes the bytes wherever a redirect points, up to 126 times, is not
 * tried again, and what it throws tells no status: a 503 without a body is an `UnknownError`, a 404 of anything in between is a
 * missing object, and an answer that is not XML becomes the message, whole.
 */
export function openBucket(settings: BucketSettings, limits: Limits = LIMITS): Bucket {
  const client = new Bun.S3Client({ ...settings, virtualHostedStyle: false });

  const sign = (method: Method, key: string, seconds = SIGNED_FOR_S): string => {
    const url = client.presign(key, { method, expiresIn: seconds });
    // Bun adds the token of whoever's AWS session this shell is in, as it was when the process began; no option takes it back,
    // and with psn's key it is refused.
    if (new URL(url).searchParams.has("X-Amz-Security-Token"))
      throw new PsnError("CONFIG_INVALID", "an AWS session of this shell gets in the way of the hub's own key for its bucket", {
        hint: "unset AWS_SESSION_TOKEN and S3_SESSION_TOKEN",
      });
    return url;
  };

  const attempt = async (
    method: Method,
    key: string,
    body?: Body,
    stop?: AbortSignal,
    most = OBJECT_BYTES,
  ): Promise<Uint8Array | undefined> => {
    const url = sign(method, key);
    const abort = new AbortController();
    const stopAfter = (bytes: number) => setTimeout(() => abort.abort(), limits.requestMs + bytes / limits.bytesPerMs);
    let timer = stopAfter(body?.bytes.length ?? 0);
    let response: Response;
    let bytes: Uint8Array;
    try {
      response = await fetchAsPsn(url, {
        method,
        redirect: "manual",
        signal: stop ? AbortSignal.any([abort.signal, stop]) : abort.signal,
        // A copy, since the type of fetch takes no memory that could be shared.
        ...(body ? { body: body.bytes.slice(), headers: { "content-type": body.mime } } : {}),
      });
      clearTimeout(timer);
      timer = stopAfter(method === "GET" ? Math.min(Number(response.headers.get("content-length") ?? 0), most) : 0);
      const limit = method === "GET" && response.ok ? most : ERROR_BYTES;
      const read = await readBody(response, limit, AbortSignal.any([abort.signal, ...(stop ? [stop] : [])]));
      // What is longer than it can be is not what psn put there; what is cut off, or takes too long, may come whole the next time.
      if (response.ok && !read.whole && read.bytes.length < limit) throw new TypeError("the answer was cut off");
      bytes = read.bytes;
      if (!read.whole) abort.abort();
    } catch (error) {
      stop?.throwIfAborted();
      throw unreachable(error, abort.signal.aborted);
    } finally {
      clearTimeout(timer);
    }
    const { status } = response;
    if (status === 200 || status === 204) return bytes;
    const text = new TextDecoder().decode(bytes);
    const said = /<Code>([A-Za-z]{1,64})<\/Code>/.exec(text)?.[1];
    // Only when S3 says so: a 404 of a proxy, or of a website that is no bucket, is not a missing object.
    if (method !== "PUT" && status === 404 && said === "NoSuchKey") return undefined;
    throw refusal(method, response, said, text);
  };

  /** Several times if need be: the same bytes under the same name a second time do no harm. */
  const send = async (method: Method, key: string, body?: Body, stop?: AbortSignal, most?: number): Promise<Uint8Array | undefined> => {
    assertKey(key);
    for (const pauseMs of limits.pausesMs) {
      try {
        return await attempt(method, key, body, stop, most);
      } catch (error) {
        if (!(error instanceof PsnError) || error.code !== "VENDOR_UNREACHABLE") throw error;
        await sleep(Math.max(pauseMs, Math.min(error.retryAfterMs ?? 0, MAX_PAUSE_MS)), undefined, stop ? { signal: stop } : {});
      }
    }
    return attempt(method, key, body, stop, most);
  };

  const put = async (key: string, bytes: Uint8Array, mime: string, signal?: AbortSignal): Promise<void> => {
    await send("PUT", key, { bytes, mime }, signal);
  };
  const remove = async (key: string): Promise<void> => {
    await send("DELETE", key);
  };

  return {
    put,
    async get(key, sha256, size) {
      const bytes = await send("GET", key, undefined, undefined, size);
      if (bytes && hash(bytes) !== sha256)
        throw new PsnError("FILE_UNREADABLE", "a media file in the bucket is not what psn put there", {
          hint: "schedule the post again with its files: psn post",
        });
      return bytes;
    },
    link(key, seconds) {
      assertKey(key);
      return sign("GET", key, seconds);
    },
    remove,
    async check() {
      const id = crypto.randomUUID();
      const key = `psn/check/${id}`;
      const written = new TextEncoder().encode(id);
      try {
        await put(key, written, "text/plain");
        const found = await send("GET", key);
        if (!found || hash(found) !== hash(written))
          throw new PsnError("VENDOR_REFUSED", "the bucket does not give back what psn put there", { hint: "psn config set S3_ENDPOINT" });
      } catch (error) {
        // What failed first is what there is to say; the object may be there all the same.
        await attempt("DELETE", key).catch(() => undefined);
        throw error;
      }
      await remove(key);
    },
  };
}

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const VERBS: Readonly<Record<Method, string>> = { PUT: "write", GET: "read", DELETE: "delete" };

type Meaning = readonly [code: ErrorCode, message: string, hint: string];

const NO_BUCKET: Meaning = ["VENDOR_REFUSED", "there is no bucket of that name", "psn config set S3_BUCKET"];
const REGION: Meaning = ["VENDOR_REFUSED", "the bucket is in another region", "psn config set S3_REGION"];
const ELSEWHERE: Meaning = ["VENDOR_REFUSED", "the bucket is at another endpoint", "psn config set S3_ENDPOINT"];
const CLOCK: Meaning = ["VENDOR_AUTH", "the bucket's service says that this machine's clock is wrong", "set this machine's clock (ntp)"];

/**
 * Where the status does not say enough: S3's codes (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) and R2's
 * (developers.cloudflare.com/r2/api/error-codes), both 2026-11.
 */
const KNOWN: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["NoSuchBucket", NO_BUCKET],
  ["InvalidBucketName", NO_BUCKET],
  ["InvalidAccessKeyId", ["VENDOR_AUTH", "the bucket's service does not know the access key's id", "psn config set S3_ACCESS_KEY_ID"]],
  ["RequestTimeTooSkewed", CLOCK],
  ["ExpiredRequest", CLOCK],
  ["RequestTimeout", ["VENDOR_UNREACHABLE", "the bucket's service gave up waiting", "psn doctor"]],
  ["AuthorizationHeaderMalformed", REGION],
  ["AuthorizationQueryParametersError", REGION],
  ["PermanentRedirect", ELSEWHERE],
  ["TemporaryRedirect", ELSEWHERE],
]);

function refusal(method: Method, { status, headers }: Response, said: string | undefined, text: string): PsnError {
  const region = /<Region>([a-z0-9-]{1,32})<\/Region>/.exec(text)?.[1];
  const [code, message, hint] = meaningOf(method, status, said, text);
  const details = { status, ...(said === undefined ? {} : { said }), ...(region === undefined ? {} : { region }) };
  const pause = retryAfterMs(headers, new Date());
  return new PsnError(code, message, { hint, details, ...(pause === undefined ? {} : { retryAfterMs: pause }) });
}

function meaningOf(method: Method, status: number, said: string | undefined, text: string): Meaning {
  // A signature that is past is an AccessDenied that tells the server's time.
  if (said === "AccessDenied" && text.includes("<ServerTime>")) return CLOCK;
  const known = said === undefined ? undefined : KNOWN.get(said);
  if (known) return known;
  if (status === 401 || status === 403)
    return ["VENDOR_AUTH", `the bucket's key may not ${VERBS[method]}, or its secret is wrong`, "psn config set S3_SECRET_ACCESS_KEY"];
  if (status === 408 || status === 429 || status >= 500)
    return ["VENDOR_UNREACHABLE", `the bucket's service answered ${status}`, "psn doctor"];
  return ["VENDOR_REFUSED", `the bucket's service refused with ${status}`, "psn config set S3_ENDPOINT"];
}

/** Without the cause: Bun's has the signed address. */
function unreachable(error: unknown, timedOut: boolean): PsnError {
  const code: unknown = typeof error === "object" && error !== null ? Reflect.get(error, "code") : undefined;
  const said = timedOut ? "Timeout" : code;
  return new PsnError("VENDOR_UNREACHABLE", "the bucket's service does not answer", {
    hint: "psn doctor",
    details: typeof said === "string" && /^[A-Za-z_]{1,64}$/.test(said) ? { said } : {},
  });
}
