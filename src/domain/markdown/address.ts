import { findLinks } from "@psn/domain/links.ts";

/** How LinkedIn names somebody who is mentioned (platforms/linkedin/text.ts). */
const NAME = /^urn:li:(?:person|organization):[\w-]{1,64}$/;

/**
 * The address of a link as psn writes it, where every network may find it whole: as it was typed, or with the signs
 * encoded that would end it. Undefined for what is no address of the web or of mail: a page of one's own site
 * (`/about`), a place in the text (`#top`), a program (`javascript:`).
 */
export function addressOf(url: string): string | undefined {
  if (NAME.test(url)) return url;
  if (/^mailto:[^\s?@]+@[^\s?@]+$/i.test(url)) return url;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return undefined;
  const { href } = new URL(url);
  return [url, href, encoded(href)].find(isWhole);
}

/** Whether psn's own rules find all of it, also in brackets and with a full stop behind it. */
function isWhole(address: string): boolean {
  const [first, ...others] = findLinks(`(${address}).`);
  return first?.start === 1 && first.end === address.length + 1 && others.length === 0;
}

/** Behind the host, everything that could end an address. */
function encoded(href: string): string {
  const [, host = "", rest = ""] = /^(https?:\/\/[^/?#]*)(.*)$/is.exec(href) ?? [];
  // An empty query says nothing.
  const filled = rest.replace(/^([^?#]*)\?$/, "$1");
  return `${host}${filled.replace(/[^\w\-/?#=&%+@~.:,;]|[.:,;~?]+$/g, percent)}`;
}

const percent = (signs: string): string =>
  [...signs].map((sign) => Buffer.from(sign).toString("hex").toUpperCase().replaceAll(/../g, "%$&")).join("");
