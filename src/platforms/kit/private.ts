import { lookup } from "node:dns/promises";
import { PsnError } from "@psn/core/errors.ts";
import { neverSent } from "@psn/core/net/failures.ts";
import type { Fetch } from "@psn/core/types/platform.ts";
import ipaddr from "ipaddr.js";

/*
 * Addresses that come from a row or from a server's answer may lead into this machine or its network, where a
 * stranger's request must not go. Why, and what the hub's owner can allow: docs/adr/0020-private-addresses.md.
 */

/** Names that no public server has (RFC 6761, RFC 6762, RFC 8375, and ICANN's .internal). */
const LOCAL_NAME = /(^|\.)(localhost|localdomain|local|internal|home\.arpa)$/;

/** Whether this IP address is anything but a public one. Of a NAT64 or mapped address the IPv4 address in it counts. */
export function isPrivateAddress(address: string): boolean {
  const parsed = ipaddr.parse(address.replace(/%.*$/, ""));
  if (parsed.kind() === "ipv4") return parsed.range() !== "unicast";
  const bytes = parsed.toByteArray();
  const range = parsed.range();
  const carriesIpv4 = range === "ipv4Mapped" || (range === "rfc6052" && bytes.slice(4, 12).every((byte) => byte === 0));
  if (carriesIpv4) return isPrivateAddress(bytes.slice(12).join("."));
  // 2000::/3 is all that is global (https://www.iana.org/assignments/ipv6-address-space, 2026-11).
  return range !== "unicast" || (bytes[0] ?? 0) >> 5 !== 1;
}

/** The host without the brackets of an IPv6 address and without a dot at its end. */
const hostOf = ({ hostname }: URL) => hostname.replace(/^\[|\]$/g, "").replace(/\.+$/, "");

/**
 * Whether the host is written as one of this machine or of a private network: an address, a name without a dot,
 * `localhost`.
 */
export function isPrivateHost(url: URL): boolean {
  const host = hostOf(url).toLowerCase();
  // Nobody writes a NAT64 address but to get past a filter; a resolver on an IPv6-only network makes them of public
  // ones.
  if (ipaddr.isValid(host)) return isPrivateAddress(host) || /^64:ff9b:/.test(host);
  return !host.includes(".") || LOCAL_NAME.test(host);
}

export type Resolve = (host: string) => Promise<readonly string[]>;

/** As the system resolves it, in its order. */
const bySystem: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** Whether the host is private as it is written, or one of its addresses is. False for a name that does not resolve. */
export async function leadsInside(url: URL, resolve: Resolve = bySystem): Promise<boolean> {
  if (isPrivateHost(url)) return true;
  return !ipaddr.isValid(hostOf(url)) && (await resolve(hostOf(url)).catch(() => [])).some(isPrivateAddress);
}

export interface PublicFetchOptions {
  readonly fetch: Fetch;
  /** Whether the hub's owner has allowed this origin. */
  readonly isAllowed: (origin: string) => boolean;
  readonly resolve?: Resolve;
  /** A proxy makes the connections, and resolves the names. */
  readonly proxied?: boolean;
}

/**
 * A `fetch` that reaches public addresses and the allowed origins alone. A name is resolved here, and the connection
 * goes to an address that was looked at. Never follows a redirect: whoever does, asks here again. Throws
 * PRIVATE_ADDRESS for a host that is written as a private one, PLATFORM_UNREACHABLE for a name that leads to one just
 * now (a hotel's network answers so too), and what `fetch` throws.
 */
export function publicFetch({ fetch, isAllowed, resolve = bySystem, proxied = false }: PublicFetchOptions): Fetch {
  return async (input, init = {}) => {
    const url = new URL(input);
    const options = { ...init, redirect: "manual" } as const;
    if (isAllowed(url.origin)) return fetch(url, options);
    if (isPrivateHost(url))
      throw new PsnError("PRIVATE_ADDRESS", `${url.host} is this machine or in a private network`);
    const host = hostOf(url);
    if (ipaddr.isValid(host)) return fetch(url, options);
    const addresses = await withSignal(addressesOf(host, resolve, proxied), init.signal);
    if (addresses.some(isPrivateAddress))
      throw new PsnError(
        "PLATFORM_UNREACHABLE",
        `the name ${url.host} resolves to this machine or to a private network`,
        {
          hint: `to allow this: psn config set PSN_PRIVATE_ORIGINS ${url.origin}`,
        },
      );
    if (proxied) return fetch(url, options);
    return connectTo(addresses, { url, init: options, fetch });
  };
}

/** One after the other, as long as the failure proves that nothing was sent. Host and certificate stay the name's. */
async function connectTo(
  addresses: readonly string[],
  { url, init, fetch }: { readonly url: URL; readonly init: RequestInit; readonly fetch: Fetch },
): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("host", url.host);
  const tls = url.protocol === "https:" ? { tls: { serverName: hostOf(url) } } : {};
  for (const [index, address] of addresses.entries()) {
    const to = new URL(url);
    to.hostname = address.includes(":") ? `[${address}]` : address;
    try {
      const response = await fetch(to, { ...init, headers, ...tls });
      return Object.defineProperty(response, "url", { value: url.href });
    } catch (error) {
      // A body that is read once is gone with the first try.
      if (index === addresses.length - 1 || init.body instanceof ReadableStream || !neverSent(error)) throw error;
    }
  }
  throw notFound(url.hostname);
}

/** Behind a proxy a name may be the proxy's alone to resolve. */
async function addressesOf(host: string, resolve: Resolve, proxied: boolean): Promise<readonly string[]> {
  try {
    return await resolve(host);
  } catch (cause) {
    if (proxied) return [];
    throw notFound(host, cause);
  }
}

/** In the form in which `kit/http.ts` knows that nothing was sent. */
function notFound(host: string, cause?: unknown): Error {
  return Object.assign(new Error(`${host} does not resolve`, { cause }), { code: "ENOTFOUND" });
}

/** Does not wait for a resolver longer than for the request. */
export function withSignal<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return work;
  signal.throwIfAborted();
  return new Promise((done, fail) => {
    const stop = () => fail(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    work.then(done, fail).finally(() => signal.removeEventListener("abort", stop));
  });
}
