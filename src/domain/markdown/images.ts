/*
 * Images in the text of a post. `![alt](pic.png)` names a file; what is kept names the post's own copy of it,
 * `![alt](psn:ID)`, as the media of front matter that psn edit prints do.
 */

/** How a media file of a post is named: this and its id. */
export const STORED = "psn:";

/** The id of the media file that this address of an image names; undefined for another address. */
export const storedImage = (url: string): string | undefined =>
  url.startsWith(STORED) ? url.slice(STORED.length) : undefined;

/** An image of the post, as `withStored` writes it. */
const OWN = /!\[(?:[^\]\\]|\\.)*\]\(psn:([\da-f-]{36})\)/g;

/** The ids of the media that stand within a text that is kept. */
export const storedIn = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(OWN)].flatMap(([, id]) => id ?? []));

/** An image of the post in Markdown. */
export const ownImage = (id: string, alt: string): string =>
  `![${alt.replace(/\s+/g, " ").replace(/[\\[\]*_`<>&~!^]/g, "\\$&")}](${STORED}${id})`;
