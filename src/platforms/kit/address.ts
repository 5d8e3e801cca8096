/*
 * Where something secret may be sent: over TLS, or to this machine.
 */

/** Whether an address is written as one of this machine (RFC 6761, 6.3; RFC 1122, 3.2.1.3; RFC 4291, 2.5.3). */
export function isLoopback({ hostname }: Pick<URL, "hostname">): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** Whether nobody on the way can read what is sent there. */
export function isConfidential(url: Pick<URL, "protocol" | "hostname">): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));
}
