import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { parse } from "@psn/platforms/kit/http.ts";
import { finderOf } from "@psn/platforms/kit/lookup.ts";
import { preparedOf } from "@psn/platforms/kit/uploads.ts";
import { webAddress } from "@psn/platforms/kit/writable.ts";
import { z } from "zod";
import { api, Id } from "./api.ts";
import type { Body } from "./compose.ts";
import { ask, Prepared } from "./container.ts";

/** Most posts in one page (…/reference/user, 2026-11). */
const PAGE = "100";
const FIELDS = "id,media_type,text,timestamp,permalink,children";

/** What psn reads of a post (…/reference/media-retrieval, 2026-11). */
const Thread = z.object({
  id: Id,
  media_type: z.string(),
  timestamp: z.string(),
  text: z.string().nullish(),
  permalink: z.string().nullish(),
  children: z.object({ data: z.array(z.object({ id: z.string() })) }).nullish(),
  replied_to: z.object({ id: z.string() }).nullish(),
});
type Thread = z.output<typeof Thread>;

/** A page of posts; the last one says no `after`, or is followed by an empty one. */
const Threads = z.object({
  data: z.array(Thread),
  paging: z.object({ cursors: z.object({ after: z.string().min(1).nullish() }).nullish() }).nullish(),
});

/** Searches the account's posts, or its answers where the unit is one. */
const find = finderOf<Body>({
  // Where Threads has not said the time yet.
  slackMs: 10 * 60_000,

  ask(from, after, { request, session }) {
    const [list, fields] = request.parent ? ["/me/replies", `${FIELDS},replied_to`] : ["/me/threads", FIELDS];
    const since = String(Math.floor(from / 1000));
    const query = new URLSearchParams({ fields, since, limit: PAGE, ...defined({ after }) });
    return api(session, `${list}?${query}`, { effect: "none" });
  },

  read(answer, { request, session }) {
    const { data, paging } = parse(answer, Threads);
    const posts = data.map((thread) => ({
      ref: refOf(thread, session),
      // `2023-10-17T05:42:03+0000`: the colon that ISO 8601 wants there is missing.
      at: Date.parse(thread.timestamp.replace(/([+-]\d\d)(\d\d)$/, "$1:$2")),
      parent: thread.replied_to?.id,
      isSame: () => isKind(thread, request.media) && plain(thread.text ?? "") === plain(request.unit.text),
    }));
    return { posts, next: data.length === 0 ? undefined : (paging?.cursors?.after ?? undefined) };
  },
});

/**
 * Asks the unit's own container first: only what it says is published can be public, and then the post is looked for
 * among the account's own. Throws PLATFORM_DOWN for one that is published and not shown yet: it must be asked again and
 * never sent again. Where nobody knows the container, what the account shows is all there is. Without `known` nobody
 * says which posts belong to other units.
 */
export async function lookup(request: PublishRequest<Body>, session: Session, known?: ReadonlySet<string>) {
  const others = defined({ known });
  if (request.searching) return find(request, session, others);
  const { status, answer } = await ask(preparedOf(request.prepared, Prepared).container, session);
  if (status !== "PUBLISHED" && status !== "UNTOLD") return undefined;
  const ref = await find(request, session, { ...others, told: answer });
  if (ref) return ref;
  const hidden =
    status === "PUBLISHED" ? "has published the post but does not list it yet" : "does not find the post's container";
  throw new PsnError("PLATFORM_DOWN", `Threads ${hidden}`);
}

/** Looks for the address among the account's latest posts and answers: it does not tell the id. */
export async function locate(url: string, session: Session): Promise<Ref | undefined> {
  const wanted = codeOf(url);
  if (wanted === undefined) return undefined;
  for (const list of ["/me/threads", "/me/replies"]) {
    const query = new URLSearchParams({ fields: FIELDS, limit: PAGE });
    const { data } = parse(await api(session, `${list}?${query}`, { effect: "none" }), Threads);
    const thread = data.find(({ permalink }) => permalink && codeOf(permalink) === wanted);
    if (thread) return refOf(thread, session);
  }
  return undefined;
}

/** What names the post in its address: `/@ada/post/DAbc123`, on both of Threads' hosts. */
function codeOf(url: string): string | undefined {
  return /^https:\/\/(?:www\.)?threads\.(?:net|com)\/(?:@[\w.]+\/post|t)\/([\w-]+)/.exec(url)?.[1];
}

/** …/retrieve-and-discover-posts/retrieve-posts (2026-11). */
function isKind({ media_type: type, children }: Thread, media: PublishRequest["media"]): boolean {
  const [file, ...others] = media;
  if (!file) return type === "TEXT_POST";
  if (others.length > 0) return type === "CAROUSEL_ALBUM" && (children?.data.length ?? media.length) === media.length;
  return file.kind === "video" ? type === "VIDEO" || type === "AUDIO" : type === "IMAGE";
}

/** Threads may show a tag without its sign, and trims white space. */
const plain = (text: string): string => text.normalize("NFC").replace(/[\s#]+/g, "");

/** A permalink is left out for what was reported; then the account's own page has to do. */
export function refOf({ id, permalink }: Pick<Thread, "id" | "permalink">, { profile }: Session): Ref {
  return { id, url: webAddress(permalink) ?? profile.url };
}
