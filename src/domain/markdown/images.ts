/*
 * Images in the text of a post. `![alt](pic.png)` names a file; what is kept names the post's own copy of it,
 * `![alt](psn:ID)`, as front matter that psn edit prints does.
 */

const STORED = "psn:";

/** The id of the media file that this address of an image names; undefined for another address. */
export const storedImage = (url: string): string | undefined =>
  url.startsWith(STORED) ? url.slice(STORED.length) : undefined;
