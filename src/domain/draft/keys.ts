import { distance } from "fastest-levenshtein";

/*
 * Words for the keys psn does not know: other spellings of its own, and what site generators write (Hugo, Jekyll,
 * Astro, Eleventy, Zola, Hexo, Docusaurus, Ghost, Obsidian, dev.to; their documentation, 2026-11).
 */

/** Other programs' words for psn's keys, without `_` and `-`, in small letters. */
const MEANT: Readonly<Record<string, string>> = {
  ...named("to", "account accounts platform network networks destination destinations target targets channel channels"),
  ...named(
    "at",
    "date time when schedule scheduled scheduledat publishat publishdate publishedat publishdatetime pubdate " +
      "datepublished",
  ),
  ...named("tz", "zone timezone"),
  ...named("media", "image images photo photos picture pictures video videos file files attachment attachments"),
  ...named(
    "media",
    "cover coverimage featuredimage featureimage heroimage hero thumbnail banner ogimage socialimage teaser header",
  ),
  ...named("language", "lang locale"),
  ...named("contentWarning", "cw spoiler spoilertext warning sensitive nsfw"),
  ...named("split", "thread threads"),
  ...named("published", "publish ispublished dgpublish"),
  ...named("draft", "isdraft wip"),
};
/** The same within a media file. */
const MEANT_OF_MEDIA: Readonly<Record<string, string>> = {
  ...named("file", "path src source image name filename url"),
  ...named("alt", "description caption alttext title text"),
};

const TAGS = "psn adds no tags: write #tags in the text, and remove the line";
const SITE = "that is for your site, and psn does not use it: remove the line";
const BELOW = "psn publishes the text below the front matter: write it there, and remove the line";

/** What else generators write, and what becomes of it. */
const FOREIGN: Readonly<Record<string, string>> = {
  ...named(TAGS, "tags tag keywords hashtags category categories topic topics section taxonomies labels"),
  ...named(
    BELOW,
    "description summary excerpt customexcerpt subtitle abstract tldr lead intro text content body message post",
  ),
  ...named("psn posts as the account: remove the line", "author authors byline creator by"),
  ...named(
    "write the address in the text, and remove the line",
    "canonical canonicalurl originalurl externalurl link links url",
  ),
  ...named(
    "write it with its file: media: [{ file: cat.jpg, alt: a sleeping cat }]",
    "alt alts alttext imagealt coveralt coverimagealt",
  ),
  ...named("give a time from now as at: in 2h", "in"),
  ...named("say it on the command line: --late", "late"),
  ...named("say it on the command line: --idempotency-key", "idempotencykey key"),
  ...named("write it below a platform: platforms: { x: { options: { name: value } } }", "options option"),
  ...named(
    SITE,
    "layout template templatekey type kind theme css class classes cssclass cssclasses style id uid aliases alias",
  ),
  ...named(
    SITE,
    "redirectfrom redirectto weight order sort sortby position navorder menu parent sidebarposition sidebarlabel " +
      "sidebar",
  ),
  ...named(
    SITE,
    "series seriesorder toc math mermaid comments comment sitemap robots outputs resources cascade params extra " +
      "headless",
  ),
  ...named(
    SITE,
    "featured pin pinned sticky related hidetitle hidetableofcontents searchable insearchindex linktitle metatitle seo",
  ),
  ...named(
    SITE,
    "metadescription codeinjectionhead pagination eleventynavigation eleventycomputed eleventyexcludefromcollections",
  ),
  ...named(
    SITE,
    "slug permalink permalinks collection renderwithliquid excerptseparator disablenunjucks readingtime wordcount " +
      "license copyright",
  ),
  ...named(
    SITE,
    "updated updateddate modified lastmod lastmodified lastmodifiedat created createdat expirydate status state hidden",
  ),
  ...named(SITE, "private unlisted archived markup isccjklanguage hascjk version component import"),
};

function named(word: string, keys: string): Readonly<Record<string, string>> {
  return Object.fromEntries(keys.split(" ").map((key) => [key, word]));
}

const plainOf = (key: string) => key.toLowerCase().replaceAll(/[\s_-]/g, "");
const own = (table: Readonly<Record<string, string>>, key: string) =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/** Whether psn or a site generator knows this key: words that no text begins with by chance. */
export function isKnownKey(key: string, known: readonly string[]): boolean {
  const plain = plainOf(key);
  return known.some((one) => plainOf(one) === plain) || Object.hasOwn(MEANT, plain) || Object.hasOwn(FOREIGN, plain);
}

/** The hint for an author who wrote the key `name`, where psn knows `known`. */
export function keyHint(name: string, known: readonly string[], platforms: readonly string[]): string {
  const plain = plainOf(name);
  const isTop = known.includes("platforms");
  const meant = own(isTop ? MEANT : MEANT_OF_MEDIA, plain);
  if (meant !== undefined && known.includes(meant)) return `did you mean ${meant}?`;
  const near = nearest(plain, known);
  const foreign = isTop ? own(FOREIGN, plain) : undefined;
  // "tag" is one letter from "tz", and is not meant by it.
  if (foreign !== undefined && near?.toLowerCase() !== plain) return foreign;
  if (near !== undefined) return `did you mean ${near}?`;
  const platform = isTop ? nearest(plain, platforms) : undefined;
  return platform === undefined
    ? `it knows ${known.join(", ")}`
    : `write it below platforms: platforms: { ${platform}: { text: … } }`;
}

function nearest(wanted: string, words: readonly string[]): string | undefined {
  return words
    .map((word) => ({ word, steps: distance(wanted, word.toLowerCase()) }))
    .toSorted((a, b) => a.steps - b.steps)
    .find(({ word, steps }) => steps <= Math.max(Math.min(2, word.length - 1), Math.floor(word.length / 3)))?.word;
}
