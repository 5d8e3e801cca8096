import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Told } from "./protocol.ts";

/*
 * What the platforms hold, asked of themselves, and what that makes of a delivery. Nothing psn says is believed here.
 */

export interface Holding {
  /** As psn's ref names it. */
  readonly id: string;
  readonly text: string;
  /** What it answers; null for nothing, and where a platform has no answers. */
  readonly parent: string | null;
  /** How many files it shows; null where that is not looked at. */
  readonly media: number | null;
}

const Records = z.object({
  cursor: z.string().optional(),
  records: z.array(
    z.object({
      uri: z.string(),
      value: z.object({
        text: z.string(),
        reply: z.object({ parent: z.object({ uri: z.string() }) }).optional(),
        embed: z.object({ images: z.array(z.unknown()).optional() }).optional(),
      }),
    }),
  ),
});

/** Every post in a repository (https://docs.bsky.app/docs/api/com-atproto-repo-list-records, 2026-11). */
export async function recordsOf(pds: string, did: string): Promise<Holding[]> {
  const found: Holding[] = [];
  let cursor: string | undefined;
  do {
    const page = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await fetch(
      `${pds}/xrpc/com.atproto.repo.listRecords?repo=${did}&collection=app.bsky.feed.post&limit=100${page}`,
    );
    const { records, cursor: next } = Records.parse(await answer.json());
    for (const { uri, value } of records)
      found.push({
        id: uri,
        text: value.text,
        parent: value.reply?.parent.uri ?? null,
        media: value.embed?.images?.length ?? 0,
      });
    cursor = records.length === 100 ? next : undefined;
  } while (cursor !== undefined);
  return found;
}

const Feed = z.object({
  items: z.array(
    z.object({ id: z.string(), content_text: z.string().optional(), content_html: z.string().optional() }),
  ),
});

/** What a reader of the feed sees, by its JSON; its Atom and its page must show the same entries. */
export async function shownOf(folder: string): Promise<Holding[]> {
  const read = (name: string) => readFile(join(folder, name), "utf8").catch(() => "");
  const json = await read("feed.json");
  if (json === "") return [];
  const { items } = Feed.parse(JSON.parse(json));
  const [atom, page] = [await read("atom.xml"), await read("index.html")];
  return items.flatMap((item) => {
    const text = item.content_text ?? (item.content_html ?? "").replaceAll(/<[^>]+>/g, "").trim();
    const key = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(item.id)?.[0] ?? item.id;
    // Shown in one of them alone is not shown.
    return atom.includes(text) && page.includes(text) ? [{ id: key, text, parent: null, media: null }] : [];
  });
}

export type Verdict = "once" | "lost" | "doubled" | "unconfirmed" | "cancelled" | "refused";

/** One delivery, by what its platform holds; `why` says what is wrong, or nothing. */
export function judge(
  told: Told,
  held: readonly Holding[],
  image: boolean,
): { readonly verdict: Verdict; readonly why: string } {
  const found = told.units.map(({ text }) => held.filter((one) => one.text === text));
  const shape =
    `${told.state}${told.code === null ? "" : ` ${told.code}`}, held ` +
    `${found.map((some) => some.length).join("+")}`;
  if (found.some((some) => some.length > 1)) return { verdict: "doubled", why: shape };
  if (told.state === "unconfirmed") return { verdict: "unconfirmed", why: shape };
  if (told.units.some(({ state }, position) => state === "removed" && found[position]?.length !== 0))
    return { verdict: "lost", why: `public though psn says that it is gone: ${shape}` };
  // Taken back: nothing of it is out.
  if (told.state === "cancelled" || told.state === "removed")
    return found.every((some) => some.length === 0)
      ? { verdict: "cancelled", why: "" }
      : { verdict: "lost", why: `public though ${shape}` };
  if (told.state !== "published" || found.some((some) => some.length === 0))
    return { verdict: "lost", why: `${shape}: ${told.message ?? ""}` };
  for (const [position, [one]] of found.entries()) {
    if (one?.id !== told.units[position]?.ref)
      return { verdict: "lost", why: `psn names ${told.units[position]?.ref}, it is ${one?.id}` };
    const before = position === 0 ? null : (found[position - 1]?.[0]?.id ?? null);
    if (one?.parent !== before)
      return { verdict: "lost", why: `unit ${position} answers ${one?.parent} and not ${before}` };
    if (image && position === 0 && one.media === 0) return { verdict: "lost", why: "its picture is not there" };
  }
  return { verdict: "once", why: "" };
}
