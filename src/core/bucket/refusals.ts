import { type ErrorCode, PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";

/*
 * What a bucket's service says when it does not do what it was asked for, as errors with the step that helps.
 */

export type Verb = "write" | "read" | "delete" | "list";

/** What was answered, and what is needed to understand it. */
export interface Refused {
  readonly verb: Verb;
  readonly endpoint: string;
  readonly status: number;
  /** The body, as far as it was read. */
  readonly text: string;
  readonly headers: Headers;
  /** This machine's clock minus the answer's `Date`, in milliseconds; undefined where the answer has none. */
  readonly aheadMs: number | undefined;
  /** The pause the service asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;
}

type Meaning = readonly [code: ErrorCode, message: string, hint: string];

/**
 * S3 takes 15 minutes between its clock and a request's (RequestTimeTooSkewed); a signed address lasts as long. In
 * milliseconds.
 */
const CLOCK_BLAMED_MS = 5 * 60_000;
const CLOCK_NAMED_MS = 60_000;

const SET_CLOCK = "set this machine's clock (ntp)";
const NO_BUCKET: Meaning = ["VENDOR_REFUSED", "no bucket has that name", "psn config set S3_BUCKET"];
const CLOCK: Meaning = ["VENDOR_AUTH", "the bucket's service says that this machine's clock is wrong", SET_CLOCK];
const QUOTA: Meaning = [
  "VENDOR_QUOTA",
  "the bucket's quota is used up",
  "delete files that are not needed from the bucket, or raise its quota; then run psn doctor",
];
const DISK: Meaning = [
  "VENDOR_QUOTA",
  "the disk of the bucket's service is full",
  "free disk space on the bucket's server; then run psn doctor",
];
const TOO_LARGE: Meaning = [
  "VENDOR_REFUSED",
  "the file is larger than the bucket's service accepts",
  "make the file smaller, or raise the limit of the bucket's server and of any proxy before it",
];
const CHANGED: Meaning = ["VENDOR_UNREACHABLE", "the data was changed on the way to the bucket", "psn doctor"];
const WANTS_TLS: Meaning = [
  "VENDOR_REFUSED",
  "the bucket's port accepts https only",
  "begin S3_ENDPOINT with https://: psn config set S3_ENDPOINT",
];

/**
 * Where the status does not say enough: the codes of S3 (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html),
 * R2 (developers.cloudflare.com/r2/api/error-codes), MinIO (cmd/api-errors.go) and versitygw (s3err/s3err.go), all
 * 2026-11.
 */
const KNOWN: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["NoSuchBucket", NO_BUCKET],
  ["InvalidBucketName", NO_BUCKET],
  [
    "InvalidAccessKeyId",
    ["VENDOR_AUTH", "the bucket's service does not know the access key's id", "psn config set S3_ACCESS_KEY_ID"],
  ],
  [
    "SignatureDoesNotMatch",
    ["VENDOR_AUTH", "the secret of the bucket's key is wrong", "psn config set S3_SECRET_ACCESS_KEY"],
  ],
  ["RequestTimeTooSkewed", CLOCK],
  ["ExpiredRequest", CLOCK],
  ["RequestNotReadyYet", CLOCK],
  ["RequestTimeout", ["VENDOR_UNREACHABLE", "the bucket's service stopped waiting for the request", "psn doctor"]],
  ["BadDigest", CHANGED],
  ["XAmzContentChecksumMismatch", CHANGED],
  ["IncompleteBody", CHANGED],
  ["QuotaExceeded", QUOTA],
  ["XMinioAdminBucketQuotaExceeded", QUOTA],
  ["StorageQuotaExceeded", QUOTA],
  ["XMinioStorageFull", DISK],
  ["InsufficientStorage", DISK],
  ["EntityTooLarge", TOO_LARGE],
]);

const OTHER_REGION: ReadonlySet<string> = new Set([
  "AuthorizationHeaderMalformed",
  "AuthorizationQueryParametersError",
  "InvalidRegion",
  "IllegalLocationConstraintException",
]);
const OTHER_ENDPOINT: ReadonlySet<string> = new Set(["PermanentRedirect", "TemporaryRedirect"]);

/** S3's own code for what went wrong; undefined where the answer is no error of S3's. */
export const codeOf = (text: string): string | undefined => /<Code>([A-Za-z]{1,64})<\/Code>/.exec(text)?.[1];

/** A refusal as an error. Neither the address nor the service's own words are in it: they may hold a signature. */
export function refusal(refused: Refused): PsnError {
  const { status, text, headers, retryAfterMs } = refused;
  const said = codeOf(text);
  const region = /^[a-z0-9-]{1,32}$/.exec(
    /<Region>([^<]*)<\/Region>/.exec(text)?.[1] ?? headers.get("x-amz-bucket-region") ?? "",
  )?.[0];
  const [code, message, hint] = withClock(meaningOf(refused, said, region), refused);
  return new PsnError(code, message, {
    hint,
    ...defined({ retryAfterMs }),
    details: { status, ...defined({ said, region }) },
  });
}

function meaningOf(
  { verb, status, text, headers }: Refused,
  said: string | undefined,
  region: string | undefined,
): Meaning {
  // A signature that is past: AWS tells the server's time, MinIO says it in words alone.
  if (said === "AccessDenied" && /<ServerTime>|<Message>[^<]*\bexpired\b/i.test(text)) return CLOCK;
  if (said !== undefined && OTHER_REGION.has(said)) return inRegion(region);
  if (said !== undefined && OTHER_ENDPOINT.has(said)) return atEndpoint(region);
  const known = said === undefined ? undefined : KNOWN.get(said);
  if (known) return known;
  if (status === 301 && headers.has("x-amz-bucket-region")) return atEndpoint(region);
  if (said === undefined && status === 400 && /plain HTTP request|HTTP request to an HTTPS server/i.test(text))
    return WANTS_TLS;
  if (status === 401 || status === 403)
    return [
      "VENDOR_AUTH",
      `the bucket's key is not allowed to ${verb}, or its id or secret is wrong`,
      "give the key that permission, or psn config set S3_SECRET_ACCESS_KEY",
    ];
  if (status === 413) return TOO_LARGE;
  if (status === 507) return DISK;
  if (status === 408 || status === 429 || status >= 500)
    return ["VENDOR_UNREACHABLE", `the bucket's service answered ${status}`, "psn doctor"];
  if (status < 300)
    return ["VENDOR_REFUSED", "the server at S3_ENDPOINT is not the bucket's service", "psn config set S3_ENDPOINT"];
  return ["VENDOR_REFUSED", `the bucket's service refused with ${status}`, "psn config set S3_ENDPOINT"];
}

const inRegion = (region: string | undefined): Meaning => [
  "VENDOR_REFUSED",
  `the bucket is in another region${region === undefined ? "" : `, ${region}`}`,
  `psn config set S3_REGION${region === undefined ? "" : ` ${region}`}`,
];

const atEndpoint = (region: string | undefined): Meaning => [
  "VENDOR_REFUSED",
  region === undefined
    ? "the bucket is at another endpoint"
    : `the bucket is at the endpoint of another region, ${region}`,
  region === undefined
    ? "psn config set S3_ENDPOINT"
    : `psn config set S3_ENDPOINT, and psn config set S3_REGION ${region}`,
];

/**
 * A clock that is far off is the reason of any 401 or 403; one that is a few minutes off is named beside another
 * reason.
 */
function withClock(meaning: Meaning, { status, aheadMs = 0 }: Refused): Meaning {
  const offMs = Math.abs(aheadMs);
  if ((status !== 401 && status !== 403) || offMs < CLOCK_NAMED_MS) return meaning;
  const off =
    `this machine's clock is ${Math.round(offMs / 60_000)} minutes ${aheadMs > 0 ? "ahead of" : "behind"} the ` +
    "bucket's";
  if (offMs >= CLOCK_BLAMED_MS) return ["VENDOR_AUTH", off, SET_CLOCK];
  return [meaning[0], `${meaning[1]}; ${off}`, meaning[2]];
}

const TLS = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_|HOSTNAME_MISMATCH|EPROTO$)/;
const CERTIFICATE = "the certificate of the bucket's service";

function tlsMeaning(code: string): readonly [message: string, hint: string] {
  if (code === "CERT_HAS_EXPIRED")
    return [`${CERTIFICATE} has expired`, "renew it on the bucket's server; if it is new, set this machine's clock"];
  if (code === "CERT_NOT_YET_VALID") return [`${CERTIFICATE} is not valid yet`, SET_CLOCK];
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID" || code === "HOSTNAME_MISMATCH")
    return [`${CERTIFICATE} is for another name than the one in S3_ENDPOINT`, "psn config set S3_ENDPOINT"];
  if (code === "EPROTO")
    return ["the bucket's port does not accept https", "begin S3_ENDPOINT with http://: psn config set S3_ENDPOINT"];
  return [
    `${CERTIFICATE} is not signed by an authority that this machine trusts`,
    "set NODE_EXTRA_CA_CERTS=FILE in the environment of psn; FILE is the certificate of that authority",
  ];
}

/** A request that got no answer, as an error without the cause: Bun's has the signed address. */
export function unanswered(error: unknown, endpoint: string, timedOut: boolean): PsnError {
  const given: unknown = typeof error === "object" && error !== null ? Reflect.get(error, "code") : undefined;
  const code = timedOut ? "Timeout" : typeof given === "string" && /^[A-Za-z_]{1,64}$/.test(given) ? given : undefined;
  const details = code === undefined ? {} : { said: code };
  if (code !== undefined && TLS.test(code)) {
    const [message, hint] = tlsMeaning(code);
    return new PsnError("VENDOR_REFUSED", message, { hint, details });
  }
  const closed = code === "ECONNRESET" && endpoint.startsWith("http:");
  const message = closed
    ? "the bucket's service closes the connection; if its port requires https, S3_ENDPOINT must begin with https://"
    : "the bucket's service does not answer";
  return new PsnError("VENDOR_UNREACHABLE", message, { hint: "psn doctor", details });
}
