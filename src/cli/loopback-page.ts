import { printable } from "@psn/core/utils/printable.ts";
import { isForeign } from "./peer.ts";

/*
 * What the small servers on this machine's loopback address have in common: whom they answer, and a page of text.
 */

/** What the person reads in the browser in the end. */
export interface Farewell {
  readonly ok: boolean;
  readonly title: string;
  readonly text: string;
}

/**
 * Whether this is a browser of psn's own user on this machine. What names no host, or whose name only leads to this
 * address, is a page of somebody else's.
 */
export function isOurs(request: Request, server: Bun.Server<undefined>): boolean {
  const url = URL.parse(request.url);
  if (!url || request.method !== "GET" || !/^(127\.0\.0\.1|localhost)$/.test(url.hostname)) return false;
  const client = server.requestIP(request)?.port;
  return client === undefined || !isForeign(client, server.port ?? 0);
}

/** For a page of text: no script, nothing loaded, nothing kept, no address handed on. */
export const QUIET = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
} as const;

const STYLE = `
:root { color-scheme: light dark; }
body { font: 18px/1.5 system-ui, sans-serif; max-width: 32em; margin: 15vh auto; padding: 0 1em; }
h1 { font-size: 1.4em; }
`;

export function page(status: number, { title, text, ok }: Farewell): Response {
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>psn: ${escaped(title)}</title>
<style>${STYLE}</style>
<h1>${ok ? "✓" : "✗"} ${escaped(title)}</h1><p>${escaped(text)}</p></html>\n`;
  return new Response(body, { status, headers: { "content-type": "text/html; charset=utf-8", ...QUIET } });
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string) => printable(text).replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
