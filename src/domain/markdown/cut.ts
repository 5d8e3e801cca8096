import type { Span } from "@psn/domain/links.ts";
import type { Plain } from "./plain.ts";

/** Behind a piece of a thread whose parts are numbered. */
const NUMBER = / ?\(\d+\/\d+\)$/;

/**
 * The pieces into which a text was cut (domain/text.ts), each with its own share of the marks. A mark over a cut is in
 * both pieces.
 */
export function cutPlain(whole: Plain | undefined, pieces: readonly string[]): Plain[] {
  if (!whole || (whole.links.length === 0 && whole.code.length === 0))
    return pieces.map((text) => ({ text, links: [], code: [] }));
  let from = 0;
  return pieces.map((text) => {
    const words = whole.text.includes(text) ? text : text.replace(NUMBER, "");
    const start = whole.text.indexOf(words, from);
    if (start < 0) return { text, links: [], code: [] };
    const end = start + words.length;
    from = end;
    return { text, links: within(whole.links, start, end), code: within(whole.code, start, end) };
  });
}

function within<S extends Span>(spans: readonly S[], start: number, end: number): S[] {
  return spans
    .filter((span) => span.start < end && span.end > start)
    .map((span) => ({ ...span, start: Math.max(span.start, start) - start, end: Math.min(span.end, end) - start }));
}
