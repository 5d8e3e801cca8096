import type { Profile } from "@psn/core/types/account.ts";

/*
 * No two accounts of a user have one name. Most platforms give each account a handle of its own, and still two may have
 * the same: two servers that call themselves alike, two people of one name on LinkedIn, two folders, a handle that
 * somebody gave up. The later one gets a tag behind its handle, which is made of its subject, always the same, and no
 * secret.
 */

type Named = Pick<Profile, "subject" | "handle">;

/** Lengths of a tag, in hexadecimal digits: the first that leads to a free name. */
const TAGS = [4, 8, 16, 64] as const;

/** 64 hexadecimal digits of a text; nobody has to be kept from finding another text with the same ones. */
const digest = (subject: string) => Array.from({ length: 8 }, (_, salt) => fnv1a(`${salt}${subject}`)).join("");

/**
 * FNV-1a of 32 bits, over UTF-16 units (http://www.isthe.com/chongo/tech/comp/fnv/, 2026-11), as eight hexadecimal
 * digits.
 */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** The handle with the shortest tag, for an account whose handle another has too. */
export const taggedHandle = ({ subject, handle }: Named): string => `${handle}#${digest(subject).slice(0, TAGS[0])}`;

/**
 * The handle by which lists and commands tell this account from the user's others.
 *
 * @param profile as the platform names it.
 * @param others the user's other accounts on that platform, those that were disconnected included.
 * @param before the account as it is known here: its name stays while the platform's handle does.
 */
export function ownHandle(profile: Named, others: readonly Named[], before?: Named): string {
  const taken = new Set(others.map(({ handle }) => handle.toLowerCase()));
  const isFree = (handle: string) => !taken.has(handle.toLowerCase());
  if (before && plainHandle(before) === plainHandle(profile) && isFree(before.handle)) return before.handle;
  const tagged = TAGS.map((length) => `${profile.handle}#${digest(profile.subject).slice(0, length)}`);
  return [profile.handle, ...tagged].find(isFree) ?? tagged.join();
}

/** The handle as token accepted. An earlier psn made the tag of the end of the subject. */
export function plainHandle({ subject, handle }: Named): string {
  const at = handle.lastIndexOf("#");
  const tag = handle.slice(at + 1);
  const isTag = at > 0 && tag.length >= TAGS[0] && (digest(subject).startsWith(tag) || subject.endsWith(tag));
  return isTag ? handle.slice(0, at) : handle;
}
