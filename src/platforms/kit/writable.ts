import { z } from "zod";

/*
 * What a platform answers is kept and shown: a database takes neither NUL nor half of a pair of surrogates, and a list
 * has one line. Where a post is out already, an answer that cannot be kept must not be found out by the database.
 */

/** An id or a name. */
export const Writable = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,2000}$/u);

/** An address that a browser can open, as it is written in full; undefined for every other. */
export function webAddress(text: string | null | undefined): string | undefined {
  const url = URL.parse(text ?? "");
  return url && (url.protocol === "https:" || url.protocol === "http:") ? url.href : undefined;
}
