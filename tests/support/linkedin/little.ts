/*
 * Little text as LinkedIn reads it
 * (https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format). A reserved
 * character that is neither escaped nor part of an element ends the post there, without an error
 * (github.com/n8n-io/n8n/issues/10179, learn.microsoft.com/en-us/answers/questions/5741122).
 */

export interface Shown {
  /** What a reader sees. */
  readonly text: string;
  /** URNs that were mentioned, and words that became hashtags. */
  readonly mentions: readonly string[];
  readonly hashtags: readonly string[];
}

const RESERVED = "\\|{}@[]()<>#*_~";
/** Plain text: no reserved character, or an escaped one. */
const TEXT = String.raw`(?:[^\\|{}@\[\]()<>#*_~]|\\[\\|{}@\[\]()<>#*_~])`;
const MENTION = new RegExp(String.raw`^@\[(${TEXT}+)\]\(((?:${TEXT})+)\)`);
const TEMPLATE = new RegExp(String.raw`^\{hashtag\|\\#\|(${TEXT}+)\}`);
const HASHTAG = /^#((?:[\p{L}\p{M}\p{N}]|\\_)+)/u;

export function readLittle(commentary: string): Shown {
  let text = "";
  const mentions: string[] = [];
  const hashtags: string[] = [];
  for (let rest = commentary; rest !== ""; ) {
    const [mention, name = "", urn = ""] = MENTION.exec(rest) ?? [];
    const [hashtag, tag = ""] = TEMPLATE.exec(rest) ?? HASHTAG.exec(rest) ?? [];
    if (mention !== undefined && /^urn:li:(person|organization):[\w-]+$/.test(plain(urn))) {
      text += plain(name);
      mentions.push(plain(urn));
      rest = rest.slice(mention.length);
    } else if (hashtag !== undefined) {
      text += `#${plain(tag)}`;
      hashtags.push(plain(tag));
      rest = rest.slice(hashtag.length);
    } else if (rest.startsWith("\\") && RESERVED.includes(rest[1] ?? " ")) {
      text += rest[1];
      rest = rest.slice(2);
    } else if (RESERVED.includes(rest[0] ?? "")) {
      break;
    } else {
      text += rest[0];
      rest = rest.slice(1);
    }
  }
  return { text, mentions, hashtags };
}

function plain(escaped: string): string {
  return escaped.replace(/\\(.)/g, "$1");
}
