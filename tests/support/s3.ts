import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, utimes } from "node:fs/promises";
import type { IncomingMessage, Server } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/*
 * s3rver, an S3 server of npm's that keeps objects as files. It checks neither signatures of version 4 (lib/middleware/
 * authentication.js: "Signature version 4 calculation is unimplemeneted") nor Content-MD5, and takes what is unsigned
 * for anybody's. So whatever decides about a request is here and comes before it, in the words of the servers that were
 * asked (2026-11):
 *
 * - SignatureDoesNotMatch has the CanonicalRequest in its body (OpenStack Swift 2.30), so an error must not repeat it.
 * - The id of a key is what the query says when it is decoded as Go does, `+` a blank (versitygw 1.7.0, MinIO
 *   7aac2a2c5).
 * - A signature that is past: AccessDenied with <ServerTime> (AWS), AccessDenied "Request has expired" without it
 *   (MinIO), AccessDenied (s3s-fs 0.14.1); one from the future: RequestTimeTooSkewed (s3s-fs), AccessDenied "Request is
 *   not valid yet" (MinIO), nothing (versitygw). Every answer has the server's Date.
 * - A key that is not known is InvalidAccessKeyId (versitygw, MinIO), AccessDenied (s3s-fs).
 * - A region is checked by versitygw; MinIO, s3s-fs and moto take any.
 * - Content-MD5 is checked also where it is not signed: BadDigest (versitygw, MinIO, s3s-fs).
 * - A link may last a week and no second more (MinIO).
 * - A full bucket is 403 QuotaExceeded, a full disk 507 (versitygw).
 */

export type Manner = "versitygw" | "minio" | "s3s-fs";

export interface S3Options {
  readonly bucket: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** In whose words it refuses; versitygw's if not said. */
  readonly manner?: Manner;
  /** Where it is; any if not said. */
  readonly region?: string;
  /** The server's clock. */
  readonly now?: () => Date;
}

export interface S3 {
  /** Its origin, `http://127.0.0.1:<port>`. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The keys of everything in the bucket, sorted. */
  readonly objects: () => Promise<string[]>;
  /** Makes an object older, as if it had been written so long ago, in milliseconds. */
  readonly age: (key: string, ms: number) => Promise<void>;
  /** From now on writing is refused as a bucket or a disk without room refuses it; null ends it. */
  readonly full: (what: "quota" | "disk" | null) => void;
  readonly stop: () => Promise<void>;
}

/** What is used of Koa's context. */
interface Context {
  readonly method: string;
  url: string;
  readonly host: string;
  readonly req: IncomingMessage;
  status: number;
  type: string;
  body: unknown;
  readonly response: { get(header: string): string };
  get(header: string): string;
  set(header: string, value: string): void;
}

interface S3rver {
  readonly middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[];
  readonly httpServer: Server;
  run(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
}

/** A server with one empty bucket; everything is gone when it stops. */
export async function startS3(options: S3Options): Promise<S3> {
  const {
    bucket,
    accessKeyId = "S3RVER",
    secretAccessKey = "S3RVER",
    manner = "versitygw",
    region,
    now = () => new Date(),
  } = options;
  const directory = await mkdtemp(join(tmpdir(), "psn-s3-"));
  // It has no types.
  const Server: new (options: object) => S3rver = createRequire(import.meta.url)("s3rver");
  const server = new Server({
    address: "127.0.0.1",
    port: 0,
    directory,
    silent: true,
    vhostBuckets: false,
    configureBuckets: [{ name: bucket }],
  });
  let full: "quota" | "disk" | null = null;
  server.middleware.unshift(async (context, next) => {
    const { method } = context;
    const url = new URL(context.url, `http://${context.host}`);
    const refuse = (status: number, code: string, more = "") => {
      context.status = status;
      context.type = "application/xml";
      context.body =
        `<?xml version="1.0" ` +
        `encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>refused</Message>${more}</Error>`;
    };
    context.set("Date", now().toUTCString());
    const why = whyRefused(method, url, { accessKeyId, secretAccessKey, manner, region, now: now() });
    if (why) {
      // What is not read would be taken for the next request.
      context.req.resume();
      return refuse(why.status ?? 403, why.code, why.more);
    }
    if (method === "PUT" && full !== null) {
      context.req.resume();
      return full === "quota" ? refuse(403, "QuotaExceeded") : refuse(507, "InsufficientStorage");
    }
    // What is not signed is anybody's here.
    for (const name of [...url.searchParams.keys()].filter((one) => one.startsWith("X-Amz-")))
      url.searchParams.delete(name);
    context.url = `${url.pathname}${url.search}`;
    const wanted = context.get("content-md5");
    await next();
    context.set("Date", now().toUTCString());
    if (method !== "PUT" || context.status !== 200) return;
    const file = join(directory, url.pathname);
    // By what came in: s3rver answers before the last of it is in the file, so that is waited for.
    const came = Buffer.from(context.response.get("ETag").replaceAll('"', ""), "hex").toString("base64");
    while (md5Of(await readFile(`${file}${SUFFIX}`)) !== came) await sleep(2);
    if (wanted === "" || came === wanted) return;
    for (const end of ["object", "object.md5", "metadata.json"]) await rm(`${file}._S3rver_${end}`, { force: true });
    refuse(400, "BadDigest");
  });
  const { port } = await server.run();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    accessKeyId,
    secretAccessKey,
    objects: async () => {
      const files = await readdir(join(directory, bucket), { recursive: true });
      return files.flatMap((file) => (file.endsWith(SUFFIX) ? [file.slice(0, -SUFFIX.length)] : [])).sort();
    },
    age: async (key, ms) => {
      const then = new Date(now().getTime() - ms);
      await utimes(join(directory, bucket, `${key}${SUFFIX}`), then, then);
    },
    full: (what) => {
      full = what;
    },
    stop: async () => {
      const closed = server.close();
      server.httpServer.closeAllConnections();
      await closed;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** What s3rver puts behind a key's name for the file with the bytes. */
const SUFFIX = "._S3rver_object";

interface Rules {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly manner: Manner;
  readonly region: string | undefined;
  readonly now: Date;
}

const WEEK_S = 7 * 24 * 3600;
const SKEW_MS = 15 * 60_000;

/** S3's code for it; undefined for what is signed by the key. */
function whyRefused(
  method: string,
  url: URL,
  { accessKeyId, secretAccessKey, manner, region, now }: Rules,
): { readonly status?: number; readonly code: string; readonly more?: string } | undefined {
  const { searchParams } = url;
  const given = searchParams.get("X-Amz-Signature");
  if (given === null) return { code: "AccessDenied" };
  const credential = (searchParams.get("X-Amz-Credential") ?? "").split("/");
  const [, place] = credential.slice(-4);
  if (credential.slice(0, -4).join("/") !== accessKeyId)
    return { code: manner === "s3s-fs" ? "AccessDenied" : "InvalidAccessKeyId" };
  if (region !== undefined && place !== region)
    return { status: 400, code: "AuthorizationHeaderMalformed", more: `<Region>${region}</Region>` };
  const expires = Number(searchParams.get("X-Amz-Expires"));
  if (!(expires >= 1 && expires <= WEEK_S))
    return {
      status: 400,
      code: "AuthorizationQueryParametersError",
      more: "<Message>X-Amz-Expires must be less than a week</Message>",
    };
  const stamp = searchParams.get("X-Amz-Date") ?? "";
  const date = Date.parse(stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (date - now.getTime() > SKEW_MS && manner !== "versitygw")
    return manner === "minio"
      ? { code: "AccessDenied", more: "<Message>Request is not valid yet</Message>" }
      : { code: "RequestTimeTooSkewed" };
  if (now.getTime() > date + expires * 1000) {
    if (manner === "versitygw") return { code: "AccessDenied", more: `<ServerTime>${now.toISOString()}</ServerTime>` };
    return { code: "AccessDenied", ...(manner === "minio" ? { more: "<Message>Request has expired</Message>" } : {}) };
  }
  const right = Buffer.from(presignature(method, url, secretAccessKey));
  const wrong = Buffer.from(given);
  if (right.length === wrong.length && timingSafeEqual(right, wrong)) return undefined;
  return {
    code: "SignatureDoesNotMatch",
    more: `<CanonicalRequest>${method} ${url.search.replaceAll("&", "&amp;")}</CanonicalRequest>`,
  };
}

/**
 * The signature that an address of version 4 should have, going by S3's own words:
 * docs.aws.amazon.com/AmazonS3/latest/API/ sigv4-query-string-auth.html (2026-11). Only `host` is signed.
 */
export function presignature(method: string, url: URL, secret: string): string {
  const { searchParams, pathname, host } = url;
  const query = [...searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&");
  const signed = searchParams.get("X-Amz-SignedHeaders") ?? "";
  const canonical = [method, pathname, query, `host:${host}`, "", signed, "UNSIGNED-PAYLOAD"].join("\n");
  const scope = (searchParams.get("X-Amz-Credential") ?? "").split("/").slice(-4);
  const text = ["AWS4-HMAC-SHA256", searchParams.get("X-Amz-Date") ?? "", scope.join("/"), sha256(canonical)].join(
    "\n",
  );
  const key = scope.reduce<string | Buffer>(
    (before, part) => createHmac("sha256", before).update(part).digest(),
    `AWS4${secret}`,
  );
  return createHmac("sha256", key).update(text).digest("hex");
}

const md5Of = (bytes: Uint8Array) => createHash("md5").update(bytes).digest("base64");
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
/** RFC 3986, which S3 wants: four more characters than encodeURIComponent. */
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
