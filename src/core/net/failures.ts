/*
 * What a request that got no answer died of, by the codes of Bun's fetch, Node and OpenSSL.
 */

/**
 * The code of the failure of a TLS handshake that was never finished (`fetch.ts`): not a byte of the request can have
 * left.
 */
export const HANDSHAKE_UNFINISHED = "PSN_HANDSHAKE_UNFINISHED";

/** Matches a whole code. */
const oneOf = (...codes: readonly string[]) => new RegExp(`^(${codes.join("|")})$`);

/** Certificates that nobody this machine trusts has signed. */
const UNTRUSTED = ["UNABLE_TO_\\w+", "SELF_SIGNED_\\w+", "DEPTH_ZERO_\\w+", "UNKNOWN_CERTIFICATE_\\w+"];

/**
 * Failures of the kind that happen before the first byte of a request: no name, no route, no listener, no TLS. EPROTO
 * is none of them: Bun (1.4.5) says "the TLS handshake failed" also of a connection that breaks when the server has the
 * whole request.
 */
const NEVER_SENT = oneOf(
  "ECONNREFUSED",
  "ConnectionRefused",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_NODATA",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "FailedToOpenSocket",
  "DNS\\w*",
  "CERT_\\w+",
  "ERR_TLS_\\w+",
  "ERR_SSL_\\w+",
  ...UNTRUSTED,
  "HOSTNAME_MISMATCH",
  HANDSHAKE_UNFINISHED,
);

/** Whether the failure proves that nothing of the request was sent. */
export function neverSent(cause: unknown): boolean {
  return codesOf(cause).some((code) => NEVER_SENT.test(code));
}

interface Why {
  readonly says: string;
  readonly hint?: string;
}

const CERTIFICATES = "if it is signed by an authority of your own: NODE_EXTRA_CA_CERTS=/path/to/its.pem psn …";

/** The codes are OpenSSL's (X509_V_ERR_…) and Node's. The first that fits counts. */
const REASONS: readonly (readonly [RegExp, Why])[] = [
  [
    /^CERT_HAS_EXPIRED$/,
    {
      says: "its certificate has expired",
      hint: "the server's operator must renew its certificate; check this machine's clock too",
    },
  ],
  [/^CERT_NOT_YET_VALID$/, { says: "its certificate is not valid yet", hint: "set this machine's clock (ntp)" }],
  [
    /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/,
    { says: "its certificate is for another host name", hint: "use the host name in the server's certificate" },
  ],
  [/^CERT_REVOKED$/, { says: "its certificate was revoked" }],
  [
    oneOf(...UNTRUSTED, "CERT_UNTRUSTED", "CERT_SIGNATURE_FAILURE", "INVALID_CA"),
    { says: "its certificate is not trusted on this machine", hint: CERTIFICATES },
  ],
  [/^(CERT_\w+|ERR_TLS_\w+)$/, { says: "its certificate was not accepted" }],
  [
    /^(EPROTO|ERR_SSL_\w+|PSN_HANDSHAKE_UNFINISHED)$/,
    {
      says: "the TLS handshake failed",
      hint: "check that this server offers HTTPS on this port, with HTTP/1.1 and TLS 1.2 or newer",
    },
  ],
  [/^(ECONNREFUSED|ConnectionRefused)$/, { says: "no program listens on that port" }],
  [/^(ENOTFOUND|EAI_\w+|DNS\w*)$/, { says: "its name does not resolve" }],
  [/^(EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/, { says: "there is no route to it" }],
];

/** Why there was no connection, in words to append to a message; undefined where that says nothing more. */
export function whyNotReached(cause: unknown): Why | undefined {
  const codes = codesOf(cause);
  return REASONS.find(([names]) => codes.some((code) => names.test(code)))?.[1];
}

function codesOf(cause: unknown): string[] {
  const codes: string[] = [];
  for (let error: unknown = cause; error instanceof Error; error = error.cause) {
    const code: unknown = Reflect.get(error, "code");
    if (typeof code === "string") codes.push(code);
  }
  return codes;
}
