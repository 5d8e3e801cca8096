/*
 * What a server says in words, and what of it may be kept: a message is stored and printed, and neither a secret nor a
 * post's text may be in it.
 */

/**
 * Where servers put words, the particular before the general (RFC 6749, RFC 9457, XRPC, Mastodon, X, LinkedIn, Graph).
 */
const WORDS = [
  "error",
  "error_description",
  "error_message",
  "message",
  "msg",
  "detail",
  "error_user_msg",
  "description",
  "reason",
  "title",
  "error_user_title",
] as const;
/** What holds several failures, or the true one. */
const INSIDE = [
  "errors",
  "error",
  "errorDetails",
  "inputErrors",
  "details",
  "issues",
  "zod_error",
  "invalid-params",
] as const;
const DEEPEST = 4;
/** Most words of one answer that are looked at. */
const MOST_WORDS = 20;

/** The words of an error's body, once each: first those of the single failures that it lists, then its own. */
export function wordsOf(body: unknown): readonly string[] {
  const words: string[] = [];
  collect(body, DEEPEST, words);
  return [...new Set(words.map((word) => word.replaceAll(/\s+/g, " ").trim()))]
    .filter((word) => word !== "")
    .slice(0, MOST_WORDS);
}

function collect(body: unknown, depth: number, into: string[]): void {
  if (depth === 0 || into.length >= MOST_WORDS) return;
  if (typeof body === "string") into.push(body);
  if (typeof body !== "object" || body === null) return;
  if (Array.isArray(body)) {
    for (const one of body.slice(0, MOST_WORDS)) collect(one, depth - 1, into);
    return;
  }
  const own = (name: string): unknown => Reflect.get(body, name);
  const inside = INSIDE.map(own).filter((value) => typeof value === "object" && value !== null);
  const words = WORDS.map(own).filter((value): value is string => typeof value === "string");
  // A name such as `invalid_request` belongs before what explains it.
  if (words[0] === own("error") && /^[\w.-]+$/.test(words[0] ?? "")) into.push(...words.splice(0, 1));
  for (const value of inside) collect(fieldsOf(value), depth - 1, into);
  into.push(...words);
}

/** `{"errors": {"status": ["can't be blank"]}}`: the fields' names are keys, and their values lists of words. */
function fieldsOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const lists = Object.values(value).filter((one) => Array.isArray(one));
  const named = [...WORDS, ...INSIDE].some((name) => name in value);
  return named || lists.length === 0 ? value : lists.flat();
}

/** So many characters in a row that an author wrote are theirs and no accident. */
const REPEAT_CHARS = 16;
/** A whole text of the author's is taken out from this length on. */
const WHOLE_CHARS = 8;
const HIDDEN = "•••";

/** The words without any piece of what the author wrote. */
export function withoutAuthored(words: string, authored: readonly string[]): string {
  const texts = authored.map((text) => text.replaceAll(/\s+/g, " ").trim());
  const hide = new Array<boolean>(words.length).fill(false);
  for (let at = 0; at + REPEAT_CHARS <= words.length; at += 1) {
    const piece = words.slice(at, at + REPEAT_CHARS);
    if (texts.some((text) => text.includes(piece))) hide.fill(true, at, at + REPEAT_CHARS);
  }
  for (const text of texts)
    if (text.length >= WHOLE_CHARS && text.length < REPEAT_CHARS)
      for (let at = words.indexOf(text); at >= 0; at = words.indexOf(text, at + 1))
        hide.fill(true, at, at + text.length);
  let left = "";
  for (let at = 0; at < words.length; at += 1)
    if (!hide[at]) left += words[at];
    else if (!hide[at - 1]) left += HIDDEN;
  return left.toWellFormed();
}

/**
 * What an author may have written in a request's body, JSON or a form: its values, and never its keys. A value of one
 * ASCII word is a protocol's own (a type, an id, an instant), unless it is an address or stands where texts stand.
 */
export function authoredIn(sent: string): readonly string[] {
  if (sent === "") return [];
  try {
    return valuesOf("", JSON.parse(sent));
  } catch {
    if (!/^[\w.~%+*-]+=/.test(sent)) return [sent];
    return [...new URLSearchParams(sent)].flatMap(([name, value]) => valuesOf(name, value));
  }
}

/** The names of texts in the requests of the platforms that psn speaks to. */
const TEXTS = /text|status|comment|title|alt|caption|description|summary|warning|spoiler|message|content|name/i;

function valuesOf(name: string, value: unknown): string[] {
  if (typeof value === "string") return /[^!-~]|^https?:/i.test(value) || TEXTS.test(name) ? [value] : [];
  if (Array.isArray(value)) return value.flatMap((one) => valuesOf(name, one));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => valuesOf(key, one));
}

/** At most `most` UTF-16 units of a line, with `…` for the rest; never half of a surrogate pair. */
export function cutTo(line: string, most: number): string {
  return line.length <= most ? line : `${line.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
