import { createHash, createHmac } from "node:crypto";

/*
 * AWS Signature Version 4 (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and, for
 * addresses, docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html; both 2026-11).
 */

export interface Signer {
  /** Any characters: services other than AWS give ids with `+`, `@`, `:`, blanks or letters beyond ASCII. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** `s3`. */
  readonly service: string;
}

export interface Signable {
  readonly method: string;
  /** As it is sent: percent-encoded. */
  readonly path: string;
  /** Unencoded names and values. */
  readonly query: readonly (readonly [name: string, value: string])[];
  /** The headers that are signed: lower-case names, `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex, or `UNSIGNED-PAYLOAD`. */
  readonly payload: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";

/** Percent-encodes all but the unreserved characters of RFC 3986: four more than encodeURIComponent. */
export const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** `20260131T123456Z`. */
const stampOf = (at: Date) => at.toISOString().replace(/[-:]|\.\d{3}/g, "");

const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

const scopeOf = ({ region, service }: Signer, at: Date) =>
  `${stampOf(at).slice(0, 8)}/${region}/${service}/aws4_request`;
const namesOf = ({ headers }: Pick<Signable, "headers">) => Object.keys(headers).sort().join(";");

/** The canonical query: sorted by encoded name, then by encoded value. */
function queryOf({ query }: Pick<Signable, "query">): string {
  const pairs = query.map(([name, value]) => [encode(name), encode(value)] as const);
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return pairs
    .toSorted((a, b) => order(a[0], b[0]) || order(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** The signature of a request as of an instant, in hex. */
export function signatureOf(request: Signable, signer: Signer, at: Date): string {
  const headers = Object.entries(request.headers)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}\n`)
    .join("");
  const canonical = [request.method, request.path, queryOf(request), headers, namesOf(request), request.payload].join(
    "\n",
  );
  const scope = scopeOf(signer, at);
  const text = [ALGORITHM, stampOf(at), scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  const key = scope
    .split("/")
    .reduce<string | Buffer>((before, part) => hmac(before, part), `AWS4${signer.secretAccessKey}`);
  return hmac(key, text).toString("hex");
}

/** An address that is signed for so many seconds, of an origin such as `https://host:9000`. */
export function presign(
  origin: string,
  {
    request: { query, ...request },
    signer,
    at,
    seconds,
  }: {
    readonly request: Omit<Signable, "payload">;
    readonly signer: Signer;
    readonly at: Date;
    readonly seconds: number;
  },
): string {
  const signed: Signable = {
    ...request,
    payload: "UNSIGNED-PAYLOAD",
    query: [
      ...query,
      ["X-Amz-Algorithm", ALGORITHM],
      ["X-Amz-Credential", `${signer.accessKeyId}/${scopeOf(signer, at)}`],
      ["X-Amz-Date", stampOf(at)],
      ["X-Amz-Expires", String(seconds)],
      ["X-Amz-SignedHeaders", namesOf(request)],
    ],
  };
  return `${origin}${request.path}?${queryOf(signed)}&X-Amz-Signature=${signatureOf(signed, signer, at)}`;
}
