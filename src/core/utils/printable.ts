/*
 * What a server, a file or an author wrote, on its way to a terminal, a notification or a page. A terminal obeys
 * control characters (ECMA-48), a reader believes what directional overrides show
 * (https://www.unicode.org/reports/tr36/, 2026-11), and a name with an invisible character in it looks like another
 * one. None of these passes; each is shown as JSON writes it, so that nothing is hidden.
 */

/**
 * Control characters, halves of surrogate pairs, noncharacters, line separators, annotations, and all that Unicode
 * gives no shape of its own: directional controls, joiners, fillers, tags, variation selectors
 * (DerivedCoreProperties.txt, Unicode 17). Tab and line feed are left to the caller.
 */
const SHAPELESS = String.raw`\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}\p{Default_Ignorable_Code_Point}`;
const HIDDEN = String.raw`[[${SHAPELESS}\u2028\u2029\ufff9-\ufffb]--[\t\n]]`;
/** One emoji may be many code points: joined, with a skin tone, as a keycap, as the flag of a region. */
const ONE_EMOJI = String.raw`\p{Extended_Pictographic}\ufe0f?\p{Emoji_Modifier}?`;
const EMOJI = String.raw`${ONE_EMOJI}(?:\u200d${ONE_EMOJI})*`;
const KEYCAP = String.raw`[0-9#*]\ufe0f\u20e3`;
const REGION = String.raw`\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}`;
/** Joiners in scripts that spell with them, and variants of signs and of Han characters. */
const UNJOINED = ["Latin", "Greek", "Cyrillic", "Han", "Common", "Inherited"].map((name) => `\\p{sc=${name}}`).join("");
const SPELLED = String.raw`(?<=[[\p{L}\p{M}]--[${UNJOINED}]])[\u200c\u200d]`;
const SIGN_VARIANT = String.raw`(?<=[\p{S}\p{sc=Han}])[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]`;
const MONGOLIAN_VARIANT = String.raw`(?<=\p{sc=Mongolian})[\u180b-\u180d\u180f]`;
const VARIANT = `${SIGN_VARIANT}|${MONGOLIAN_VARIANT}`;

/** Most texts have nothing else; they are shown without the expression below, which takes 3 ms to compile. */
const PLAIN = /^[\t\n -~]*$/;
let shown: RegExp | undefined;
const LINE_BREAKS = /[\n\v\f\r\x85\u2028\u2029]+/g;

/** `text` as one line: line breaks become a blank, and what must not reach a terminal is shown as `\u001b`. */
export function printable(text: string): string {
  return withEscapes(text.replace(LINE_BREAKS, " "));
}

/** A JSON text in which nothing can steer a terminal either; it means the same. */
export function printableJson(json: string): string {
  return withEscapes(json);
}

function withEscapes(text: string): string {
  if (PLAIN.test(text)) return text;
  shown ??= new RegExp(`(${REGION}|${EMOJI}|${KEYCAP}|${SPELLED}|${VARIANT})|${HIDDEN}`, "gv");
  return text.replace(shown, (hidden, meant?: string) => meant ?? escaped(hidden));
}

function escaped(character: string): string {
  let units = "";
  for (let at = 0; at < character.length; at += 1)
    units += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  return units;
}
