import { createHash } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { parse } from "@psn/platforms/kit/http.ts";
import { ALLOWANCE_MS, findPaged } from "@psn/platforms/kit/lookup.ts";
import { Writable } from "@psn/platforms/kit/writable.ts";
import { z } from "zod";
import type { Body } from "./compose.ts";
import { sortFacets } from "./facets.ts";
import { Prepared } from "./prepare.ts";
import { profileUrl } from "./session.ts";
import { errorName, xrpc } from "./xrpc.ts";

export const COLLECTION = "app.bsky.feed.post";
const TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz";

/**
 * The record's key, the same at every attempt (https://atproto.com/specs/tid, 2026-11): microseconds since 1970 and ten
 * bits, thirteen characters. The instant is known to the millisecond; its microseconds and the ten bits are hashed from
 * `key`, so that two units of one millisecond do not meet (one chance in a million, and `publish` notices).
 */
export function tidOf(at: Date, key: string): string {
  const hash = createHash("sha256").update(key).digest();
  const micros = BigInt(at.getTime()) * 1000n + BigInt(hash.readUInt32BE(2) % 1000);
  let value = (micros << 10n) | BigInt(hash.readUInt16BE(0) & 0x3ff);
  let tid = "";
  for (let index = 0; index < 13; index += 1) {
    tid = `${TID_ALPHABET[Number(value & 31n)]}${tid}`;
    value >>= 5n;
  }
  return tid;
}

/** The record to put: the same for the same request, always. */
export function recordOf({ unit, prepared, at, root, parent }: PublishRequest<Body>): Json {
  const { text, langs, facets, images, link } = unit.body;
  const made = unit.prepare ? Prepared.safeParse(prepared) : undefined;
  if (made?.success === false || (made?.data.images.length ?? 0) !== images.length)
    throw new PsnError("BUG", "a post was sent before it was prepared");
  const all = sortFacets([...facets, ...(made?.data.mentions ?? [])]);
  const blobs = made?.data.images ?? [];
  const card = link === null ? null : (made?.data.card ?? null);
  return {
    $type: COLLECTION,
    text,
    createdAt: at.toISOString(),
    ...defined({
      langs: langs.length > 0 ? langs : undefined,
      facets: all.length > 0 ? all : undefined,
      reply: root && parent ? { root: strongRef(root), parent: strongRef(parent) } : undefined,
    }),
    ...(images.length > 0
      ? {
          embed: {
            $type: "app.bsky.embed.images",
            images: images.map(({ alt, aspectRatio }, index) => ({
              image: blobs[index] ?? null,
              alt,
              ...defined({ aspectRatio: aspectRatio ?? undefined }),
            })),
          },
        }
      : card
        ? {
            embed: {
              $type: "app.bsky.embed.external",
              external: {
                uri: card.uri,
                title: card.title,
                description: card.description,
                ...defined({ thumb: card.thumb ?? undefined }),
              },
            },
          }
        : {}),
  };
}

function strongRef({ id, revision }: Ref): Json {
  if (revision === undefined) throw new PsnError("BUG", "a reply must have the content id of the post it replies to");
  return { uri: id, cid: revision };
}

export const Put = z.object({ uri: Writable.startsWith("at://"), cid: Writable });
const Value = z.object({
  text: z.string().optional(),
  createdAt: z.string().optional(),
  reply: z.object({ parent: z.object({ uri: z.string() }) }).optional(),
  embed: z.object({ images: z.array(z.unknown()).optional() }).optional(),
});
const Got = Put.extend({ value: Value });

export function refOf({ uri, cid }: z.output<typeof Put>, { profile }: Session): Ref {
  const rkey = uri.slice(uri.lastIndexOf("/") + 1);
  return { id: uri, url: `${profileUrl(profile.subject, profile.handle)}/post/${rkey}`, revision: cid };
}

/**
 * What stands under this request's key. `own` is false for the record of another post, which only chance puts there.
 */
export async function find(
  request: PublishRequest<Body>,
  session: Session,
): Promise<{ readonly ref: Ref; readonly own: boolean } | undefined> {
  const found = await read(tidOf(request.at, request.key), session);
  if (!found) return undefined;
  const { text, createdAt } = found.value;
  return { ref: found.ref, own: text === request.unit.body.text && createdAt === request.at.toISOString() };
}

/** The account's post under this key. */
export async function read(rkey: string, session: Session) {
  const { home, subject } = session.profile;
  const answer = await xrpc(session, {
    home,
    method: "com.atproto.repo.getRecord",
    options: {
      query: { repo: subject, collection: COLLECTION, rkey },
      accept: ["RecordNotFound"],
    },
  });
  if (errorName(answer) !== undefined) return undefined;
  const got = parse(answer, Got);
  return { ref: refOf(got, session), value: got.value };
}

/**
 * Most records in one page (lexicon com.atproto.repo.listRecords,
 * https://docs.bsky.app/docs/api/com-atproto-repo-list-records, 2026-11).
 */
const PAGE = 100;
const Listed = z.object({ records: z.array(Put.extend({ value: Value })), cursor: z.string().optional() });

/**
 * The account's post that this unit can have become under a key that nobody knows: not older than `at`, not another
 * unit's, answering the same post, with as many images and of the same words. Throws PLATFORM_DOWN when it cannot tell.
 */
export async function search(
  request: PublishRequest<Body>,
  session: Session,
  known: ReadonlySet<string>,
): Promise<Ref | undefined> {
  const { home, subject } = session.profile;
  const from = request.at.getTime() - ALLOWANCE_MS;
  return findPaged(async (cursor) => {
    const query = { repo: subject, collection: COLLECTION, limit: String(PAGE), ...defined({ cursor }) };
    const { records, cursor: next } = parse(
      await xrpc(session, { home, method: "com.atproto.repo.listRecords", options: { query } }),
      Listed,
    );
    const found = records.find(({ uri, value }) => !known.has(uri) && canBe(value, request, from));
    // The latest keys come first, and keys are instants.
    const isOver = records.every(({ value }) => Date.parse(value.createdAt ?? "") < from);
    return { found: found && refOf(found, session), next: isOver ? undefined : next };
  });
}

function canBe(
  { text, createdAt, reply, embed }: z.output<typeof Value>,
  { unit, parent }: PublishRequest<Body>,
  from: number,
): boolean {
  return (
    text === unit.body.text &&
    Date.parse(createdAt ?? "") >= from &&
    reply?.parent.uri === parent?.id &&
    (embed?.images?.length ?? 0) === unit.body.images.length
  );
}
