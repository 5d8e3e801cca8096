import { PsnError } from "@psn/core/errors.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { type Answer, parse } from "@psn/platforms/kit/http.ts";
import { ALLOWANCE_MS, findPaged, notBefore } from "@psn/platforms/kit/lookup.ts";
import { webAddress } from "@psn/platforms/kit/writable.ts";
import { api, type Thread, Threads } from "./api.ts";
import type { Body } from "./compose.ts";
import { ask, Prepared } from "./container.ts";

/** Most posts in one page (https://developers.facebook.com/documentation/threads/reference/user, 2026-11). */
const PAGE = 100;

const FIELDS = "id,media_type,text,timestamp,permalink,children";

/** How far psn's clock may be from Threads' own where it has not said the time yet, in milliseconds. */
const SLACK_MS = 10 * 60_000;

/**
 * Asks the unit's own container first: only what it says is published can be public, and then the post is looked for
 * among the account's own. Throws PLATFORM_DOWN for one that is published and not shown yet: it must be asked again and
 * never sent again. Where nobody knows the container, what the account shows is all there is.
 */
export async function lookup(
  request: PublishRequest<Body>,
  session: Session,
  known: ReadonlySet<string>,
  allowanceMs = ALLOWANCE_MS,
): Promise<Ref | undefined> {
  if (request.searching) {
    const since = request.at.getTime() - allowanceMs - SLACK_MS;
    return search(request, session, known, since, (answer) =>
      notBefore(answer, request.at, session.now(), allowanceMs),
    );
  }
  const { container } = preparedOf(request);
  const { status, answer } = await ask(container, session);
  if (status !== "PUBLISHED" && status !== "UNTOLD") return undefined;
  const from = notBefore(answer, request.at, session.now(), allowanceMs);
  const ref = await search(request, session, known, from, () => from);
  if (!ref) throw new PsnError("PLATFORM_DOWN", hidden(status));
  return ref;
}

/**
 * Reads from `since`, and takes nothing that is older than what `fromOf` makes of the first answer; both in
 * milliseconds since 1970.
 */
async function search(
  request: PublishRequest<Body>,
  session: Session,
  known: ReadonlySet<string>,
  since: number,
  fromOf: (answer: Answer) => number,
): Promise<Ref | undefined> {
  const list = request.parent ? "/me/replies" : "/me/threads";
  const query = new URLSearchParams({
    fields: request.parent ? `${FIELDS},replied_to` : FIELDS,
    since: String(Math.floor(since / 1000)),
    limit: String(PAGE),
  });
  let from: number | undefined;
  return findPaged(async (after) => {
    if (after !== undefined) query.set("after", after);
    const answer = await api(session, `${list}?${query}`, { effect: "none" });
    from ??= fromOf(answer);
    const earliest = from;
    const { data, paging } = parse(answer, Threads);
    const thread = data.find((one) => canBe(one, earliest, request, known));
    const next = data.length === 0 ? undefined : (paging?.cursors?.after ?? undefined);
    return { found: thread && refOf(thread, session), next };
  });
}

/** Looks for the address among the account's latest posts and answers: it does not tell the id. */
export async function locate(url: string, session: Session): Promise<Ref | undefined> {
  const wanted = codeOf(url);
  if (wanted === undefined) return undefined;
  for (const list of ["/me/threads", "/me/replies"]) {
    const query = new URLSearchParams({ fields: FIELDS, limit: String(PAGE) });
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

function hidden(status: "PUBLISHED" | "UNTOLD"): string {
  return status === "PUBLISHED"
    ? "Threads has published the post but does not list it yet"
    : "Threads does not find the post's container";
}

export function preparedOf({ prepared }: PublishRequest<Body>): Prepared {
  const told = Prepared.safeParse(prepared);
  if (told.success) return told.data;
  throw new PsnError("BUG", "a post was sent before its container was created");
}

function canBe(
  thread: Thread,
  from: number,
  { unit, parent, media }: PublishRequest<Body>,
  known: ReadonlySet<string>,
): boolean {
  return (
    !known.has(thread.id) &&
    instantOf(thread.timestamp) >= from &&
    thread.replied_to?.id === parent?.id &&
    isKind(thread, media) &&
    plain(thread.text ?? "") === plain(unit.text)
  );
}

/** https://developers.facebook.com/documentation/threads/retrieve-and-discover-posts/retrieve-posts (2026-11). */
function isKind({ media_type: type, children }: Thread, media: PublishRequest<Body>["media"]): boolean {
  const [file, ...others] = media;
  if (!file) return type === "TEXT_POST";
  if (others.length > 0) return type === "CAROUSEL_ALBUM" && (children?.data.length ?? media.length) === media.length;
  return file.kind === "video" ? type === "VIDEO" || type === "AUDIO" : type === "IMAGE";
}

/** `2023-10-17T05:42:03+0000`: the colon that ISO 8601 wants there is missing. */
function instantOf(timestamp: string): number {
  return Date.parse(timestamp.replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
}

/** Threads may show a tag without its sign, and trims white space. */
function plain(text: string): string {
  return text.normalize("NFC").replace(/[\s#]+/g, "");
}

/** A permalink is left out for what was reported; then the account's own page has to do. */
export function refOf({ id, permalink }: Pick<Thread, "id" | "permalink">, { profile }: Pick<Session, "profile">): Ref {
  return { id, url: webAddress(permalink) ?? profile.url };
}
