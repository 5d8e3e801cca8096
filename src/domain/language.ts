/*
 * The language of a text as BCP 47 writes it: `en`, `pt-BR`. Programs around psn write locales (`en_US.UTF-8`), people
 * write names ("German") or countries ("jp"). Feeds and networks take none of these, and one wrong tag makes a whole
 * Atom feed invalid.
 */

/*
 * RFC 5646, section 2.1: `langtag`, but for languages of four to eight letters, which are reserved and of which there
 * is none. The parts have the names of its grammar.
 */
const LANGUAGE = "[a-z]{2,3}(?:-[a-z]{3}){0,3}";
const SCRIPT = "(?:-[a-z]{4})?";
const REGION = String.raw`(?:-(?:[a-z]{2}|\d{3}))?`;
const VARIANTS = String.raw`(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*`;
const EXTENSIONS = String.raw`(?:-[a-wyz\d](?:-[a-z\d]{2,8})+)*`;
const PRIVATE_USE = String.raw`x(?:-[a-z\d]{1,8})+`;
const LANGTAG = new RegExp(`^${LANGUAGE}${SCRIPT}${REGION}${VARIANTS}${EXTENSIONS}(?:-${PRIVATE_USE})?$`);
const PRIVATE = new RegExp(`^${PRIVATE_USE}$`);
/** The tags from before that grammar which it does not cover (RFC 5646, section 2.1: `irregular`). */
const IRREGULAR_I = [
  "ami",
  "bnn",
  "default",
  "enochian",
  "hak",
  "klingon",
  "lux",
  "mingo",
  "navajo",
  "pwn",
  "tao",
  "tay",
  "tsu",
];
const IRREGULAR = new RegExp(`^(?:en-gb-oed|i-(?:${IRREGULAR_I.join("|")})|sgn-(?:be-fr|be-nl|ch-de))$`);

/**
 * Whether a feed and a network can take this as a language: well-formed by BCP 47, and not two letters that no language
 * has.
 */
export function isLanguage(tag: string): boolean {
  const lower = tag.toLowerCase();
  if (PRIVATE.test(lower) || IRREGULAR.test(lower)) return true;
  const [language = ""] = lower.split("-");
  return LANGTAG.test(lower) && !repeats(lower) && (language.length > 2 || nameOf(language) !== undefined);
}

/** The tag that was meant by something else: a locale, a language's name in English or its own, or a country. */
export function languageMeant(text: string): string | undefined {
  const [locale = ""] = text.trim().split(/[.@]/);
  const tag = locale.replaceAll("_", "-");
  if (isLanguage(tag)) return tag;
  const named = text.trim().toLocaleLowerCase("und");
  const byName = twoLetters().find((code) =>
    [nameOf(code), nameOf(code, code)].some((name) => name?.toLocaleLowerCase("und") === named),
  );
  if (byName !== undefined) return byName;
  if (!/^[a-z]{2}$/i.test(tag)) return undefined;
  // A country's letters: "jp" for Japanese. Of a country that does not exist the answer is English as in the United
  // States.
  const { language, region } = new Intl.Locale(`und-${tag}`).maximize();
  return region === tag.toUpperCase() && isLanguage(language) ? language : undefined;
}

/** A variant or an extension that stands there twice makes a tag ill-formed (RFC 5646, section 2.2.9). */
function repeats(tag: string): boolean {
  const [, ...subtags] = (tag.split(/-x-/)[0] ?? tag).split("-");
  const singletons = subtags.filter((subtag) => subtag.length === 1);
  const extension = subtags.findIndex((subtag) => subtag.length === 1);
  const variants = subtags
    .slice(0, extension < 0 ? undefined : extension)
    .filter((subtag) => /^(?:.{5,8}|\d...)$/.test(subtag));
  return [singletons, variants].some((some) => new Set(some).size < some.length);
}

const makeNames = (language: string) => new Intl.DisplayNames(language, { type: "language", fallback: "none" });
let english: Intl.DisplayNames | undefined;

/** Of a language that Unicode knows; in English, or in another language. */
function nameOf(code: string, language = "en"): string | undefined {
  try {
    english ??= makeNames("en");
    return (language === "en" ? english : makeNames(language)).of(code);
  } catch {
    return undefined;
  }
}

function twoLetters(): readonly string[] {
  const letters = [..."abcdefghijklmnopqrstuvwxyz"];
  return letters
    .flatMap((first) => letters.map((second) => first + second))
    .filter((code) => nameOf(code) !== undefined);
}
