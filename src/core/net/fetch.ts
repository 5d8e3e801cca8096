import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { Fetch } from "@psn/core/types/platform.ts";
import { version } from "../../../package.json";
import { readBody } from "./answer-body.ts";
import { HANDSHAKE_UNFINISHED } from "./failures.ts";
import { ENCODINGS, inflated } from "./inflate.ts";
import { counting } from "./uploads.ts";

/** How psn names itself in every request. */
export const USER_AGENT = `psn/${version}`;

/**
 * `fetch`, as every request of psn goes out: the only place that calls it. It names psn as the user agent, follows no
 * redirect unless it is told to, since what a request carries is for the address that was named, and decompresses an
 * answer as it is read. A request over a connection of its own (`keepalive: false`) whose TLS handshake is not finished
 * fails with the code HANDSHAKE_UNFINISHED, which proves that nothing of it was sent.
 */
export const fetchAsPsn: Fetch = async (input, init = {}) => {
  const headers = new Headers(init.headers);
  if (!headers.has("user-agent")) headers.set("user-agent", USER_AGENT);
  if (!headers.has("accept-encoding")) headers.set("accept-encoding", ENCODINGS);
  const handshake = init.keepalive === false && new URL(input).protocol === "https:" ? watchHandshake(init) : undefined;
  try {
    const options = { redirect: "manual" as const, ...init, headers, decompress: false, ...handshake?.init };
    return inflated(await counting(options, (counted) => fetch(input, counted)));
  } catch (cause) {
    if (!handshake || handshake.isFinished()) throw cause;
    throw Object.assign(new TypeError("the TLS handshake was not finished", { cause }), { code: HANDSHAKE_UNFINISHED });
  }
};

/**
 * The same for a library that reads the answer itself: throws for an answer of more than `most` bytes, and for one that
 * is cut off.
 */
export async function fetchBounded(input: string | URL, init: RequestInit, most: number): Promise<Response> {
  const connection = new AbortController();
  const response = await fetchAsPsn(input, {
    ...init,
    signal: AbortSignal.any([connection.signal, ...(init.signal ? [init.signal] : [])]),
  });
  const { bytes, whole } = await readBody(response, most, init.signal ?? undefined);
  if (!whole) {
    connection.abort();
    throw new TypeError(`the answer is incomplete or has more than ${most} bytes`);
  }
  const { status, statusText } = response;
  // What is handed on is decompressed, and as long as it is.
  const headers = new Headers(response.headers);
  for (const name of ["content-encoding", "content-length", "transfer-encoding"]) headers.delete(name);
  return new Response(bytes.length === 0 ? null : bytes, { status, statusText, headers });
}

/**
 * The origin that an answer redirects to, without what could be secret in the rest; undefined where it names no web
 * address.
 */
export function redirectsTo(
  { status, headers }: Pick<Response, "status" | "headers">,
  asked: string | URL,
): string | undefined {
  const to = status >= 300 && status < 400 ? URL.parse(headers.get("location") ?? "", asked) : null;
  return to && /^https?:$/.test(to.protocol) && headers.has("location") ? to.origin : undefined;
}

interface Tls {
  readonly serverName?: string;
  readonly checkServerIdentity?: (host: string, certificate: PeerCertificate) => Error | undefined;
}

/**
 * Bun calls this when the server's certificate has arrived and is trusted, and sends nothing before it has returned
 * (1.4.5, tried).
 */
function watchHandshake(init: RequestInit & { readonly tls?: Tls }) {
  let finished = false;
  const tls: Tls = {
    ...init.tls,
    checkServerIdentity: (host, certificate) => {
      const refused = checkServerIdentity(host, certificate);
      finished = refused === undefined;
      return refused;
    },
  };
  return { init: { tls }, isFinished: () => finished };
}
