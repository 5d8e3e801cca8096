/* Why psn differs, by `idOf` of the difference; the reason holds for that text and that answer of psn's alone. */

const HOST = "psn links whatever host is written out with a scheme, as Bluesky's app does; X wants one that can exist";
const PATH = "letters of any script belong to a path, as on Mastodon and Bluesky; on X a path is Latin and Cyrillic";
const LONG = "the same, and where that one link is longer than a part, it is cut as a word is";
const COUNTRY = "a bare host of a country's domain is a link, as in Bluesky's app; X wants a path with it";
const SHORT = "only X ends its own short links (t.co) with their letters and digits";
const OLD = "the file has X's first rules, by which every code point counts 1; psn counts by the third, as X does";

export const REASONS: Readonly<Record<string, string>> = {
  "91915e6163fb": HOST,
  b84120be8b19: HOST,
  "2f91f50b6eaa": HOST,
  "0342601e405a": HOST,
  "365d559d8b7b": HOST,
  "52d48a323bfc": HOST,
  "9236497a1007": HOST,
  "60ffb4064528": HOST,
  "3c6cdc7687d2": HOST,
  de0bee1c88e3: HOST,
  "0039233f0b14": HOST,
  "2c267f44a77d": HOST,
  "81e3b129882a": HOST,
  e86760f1ecbb: COUNTRY,
  "5547b6ec55c5": COUNTRY,
  "2aa680104f5b": PATH,
  "21dd96b5aff8": PATH,
  "451218faa781": PATH,
  "8408df4cd467": LONG,
  "938cfaf3c5a2": LONG,
  "3a523c42466c": SHORT,
  cbc3d9ad2478: SHORT,
  "6bd315d9f71a": OLD,
  b7e1901c06e1: OLD,
  aaf918707c04: OLD,
};
