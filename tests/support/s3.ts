import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * s3rver, an S3 server of npm's that keeps objects as files. It takes any signature of version 4 for its own key's
 * (lib/middleware/authentication.js: "Signature version 4 calculation is unimplemeneted"; its option
 * allowMismatchedSignatures is about version 2), and a request without one for anybody's. So the check of a signed address
 * is here and comes before everything else.
 */

/** The one key s3rver knows. */
const KEY = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" } as const;

export interface S3 {
  /** Its origin, `http://127.0.0.1:<port>`. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The keys of everything in the bucket, sorted. */
  readonly objects: () => Promise<string[]>;
  readonly stop: () => Promise<void>;
}

/** What is used of Koa's context. */
interface Context {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  status: number;
  type: string;
  body: unknown;
}

interface S3rver {
  readonly middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[];
  readonly httpServer: Server;
  run(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
}

/** A server with one empty bucket; everything is gone when it stops. */
export async function startS3({ bucket }: { readonly bucket: string }): Promise<S3> {
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
  server.middleware.unshift(async (context, next) => {
    const url = new URL(context.url, `http://${context.host}`);
    const refused = whyRefused(context.method, url);
    if (refused === undefined) return next();
    context.status = 403;
    context.type = "application/xml";
    context.body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${refused}</Code><Message>refused</Message></Error>`;
  });
  const { port } = await server.run();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    ...KEY,
    objects: async () => {
      const files = await readdir(join(directory, bucket), { recursive: true });
      return files.flatMap((file) => (file.endsWith(SUFFIX) ? [file.slice(0, -SUFFIX.length)] : [])).sort();
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

/** S3's code for it; undefined for what is signed by the key. The key's id and the date are left to s3rver. */
function whyRefused(method: string, url: URL): string | undefined {
  const given = url.searchParams.get("X-Amz-Signature");
  if (given === null) return "AccessDenied";
  if (!url.searchParams.get("X-Amz-Credential")?.startsWith(`${KEY.accessKeyId}/`)) return undefined;
  const right = Buffer.from(presignature(method, url, KEY.secretAccessKey));
  const wrong = Buffer.from(given);
  return right.length === wrong.length && timingSafeEqual(right, wrong) ? undefined : "SignatureDoesNotMatch";
}

/**
 * The signature that an address of version 4 should have, going by S3's own words: docs.aws.amazon.com/AmazonS3/latest/API/
 * sigv4-query-string-auth.html (2026-11). Only `host` is signed.
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
  const [, ...scope] = (searchParams.get("X-Amz-Credential") ?? "").split("/");
  const text = ["AWS4-HMAC-SHA256", searchParams.get("X-Amz-Date") ?? "", scope.join("/"), sha256(canonical)].join("\n");
  const key = scope.reduce<string | Buffer>((before, part) => createHmac("sha256", before).update(part).digest(), `AWS4${secret}`);
  return createHmac("sha256", key).update(text).digest("hex");
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
/** RFC 3986, which S3 wants: four more characters than encodeURIComponent. */
const encode = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
