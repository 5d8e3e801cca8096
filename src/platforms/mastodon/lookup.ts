import { PsnError } from "@psn/core/errors.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { parse } from "@psn/platforms/kit/http.ts";
import { notBefore } from "@psn/platforms/kit/lookup.ts";
import { webAddress } from "@psn/platforms/kit/writable.ts";
import { z } from "zod";
import { api, idOf, Status, StatusSource } from "./api.ts";
import type { Body } from "./compose.ts";
import { htmlToText, shown } from "./text.ts";

/** Most statuses in one page (https://docs.joinmastodon.org/methods/accounts/#statuses, 2026-11). */
const PAGE = 40;
/** Pages read before psn says it cannot tell: 1,000 statuses since the unit was sent. */
const PAGES_MOST = 25;

/**
 * Searches the account's own statuses for one that this unit can have become: not older than the unit, not another
 * unit's, answering the same status, with as many files, and of the same words. Throws PLATFORM_DOWN when it cannot
 * tell.
 */
export async function lookup(
  request: PublishRequest<Body>,
  session: Session,
  known: ReadonlySet<string>,
): Promise<Ref | undefined> {
  const wanted = { request, session, known, sources: true };
  const listed = await search(ownPath(session), wanted);
  if (listed.ref) return listed.ref;
  const { visibility } = request.unit.body;
  if (visibility === "public" || visibility === "unlisted" || listed.showsPrivate) return reached(listed, session);
  // A list may hide what is not public, even from its author (snac does); the home timeline has it then.
  const home = await search(`/api/v1/timelines/home?limit=${PAGE}`, wanted);
  if (home.ref) return home.ref;
  return reached(visibility === undefined ? listed : home, session);
}

interface Wanted {
  readonly request: PublishRequest<Body>;
  readonly session: Session;
  readonly known: ReadonlySet<string>;
  /** False once the server has shown that it does not give sources. */
  sources: boolean;
}

interface Found {
  readonly ref?: Ref;
  /** Whether everything since the unit was sent has been read. */
  readonly complete: boolean;
  /** Whether the list holds anything that is not for everybody. */
  readonly showsPrivate: boolean;
}

function reached({ complete }: Found, session: Session): undefined {
  if (!complete)
    throw new PsnError(
      "PLATFORM_DOWN",
      `${new URL(session.profile.home).host} has too many posts since then to find this one`,
    );
}

async function search(path: string, wanted: Wanted): Promise<Found> {
  const { request, session } = wanted;
  const seen = new Set<string>();
  let showsPrivate = false;
  let from: number | undefined;
  let before = "";
  for (let page = 0; page < PAGES_MOST; page++) {
    const answer = await api(session, `${path}${before}`, { effect: "none" });
    const statuses = parse(answer, z.array(Status)).filter(({ id }) => !seen.has(id));
    from ??= notBefore(answer, { at: request.at, now: session.now() });
    const last = statuses.at(-1);
    if (!last) return { complete: true, showsPrivate };
    for (const status of statuses) seen.add(status.id);
    showsPrivate ||= statuses.some(({ visibility }) => visibility === "private" || visibility === "direct");
    const status = await first(statuses, from, wanted);
    if (status) return { ref: refOf(status, session), complete: true, showsPrivate };
    // Of the whole page: a home timeline also has what arrived late from elsewhere.
    if (statuses.every(({ created_at }) => Date.parse(created_at) < (from ?? 0)))
      return { complete: true, showsPrivate };
    before = `&max_id=${encodeURIComponent(last.id)}`;
  }
  return { complete: false, showsPrivate };
}

async function first(statuses: readonly Status[], from: number, wanted: Wanted): Promise<Status | undefined> {
  for (const status of statuses) {
    if (canBe(status, from, wanted) && (await sameWords(status, wanted))) return status;
  }
  return undefined;
}

function canBe(status: Status, from: number, { request, session, known }: Wanted): boolean {
  return (
    !known.has(status.id) &&
    !status.reblog &&
    (status.account === null || status.account === undefined || status.account.id === idOf(session.profile.subject)) &&
    Date.parse(status.created_at) >= from &&
    (status.in_reply_to_id ?? undefined) === request.parent?.id &&
    (status.media_attachments ?? []).length === request.unit.media.length
  );
}

/** By what the author typed where the server tells (Mastodon 3.5 and later), else by what it shows. */
async function sameWords(status: Status, wanted: Wanted): Promise<boolean> {
  const { body } = wanted.request.unit;
  // A server makes the warning the text of a status that has none (Mastodon's PostStatusService): compare them as one.
  const written = `${body.spoiler_text ?? ""} ${body.status}`;
  if (wanted.sources) {
    const path = `/api/v1/statuses/${encodeURIComponent(status.id)}/source`;
    const answer = await api(wanted.session, path, { effect: "none", accept: [400, 401, 403, 404, 405, 410, 501] });
    if (answer.status === 200) {
      const source = parse(answer, StatusSource);
      return shown(`${source.spoiler_text ?? ""} ${source.text}`) === shown(written);
    }
    wanted.sources = false;
  }
  return shown(`${status.spoiler_text ?? ""} ${htmlToText(status.content ?? "")}`) === shown(written);
}

/** Looks for the address among the account's latest statuses: not every server's addresses tell the id. */
export async function locate(typed: string, session: Session): Promise<Ref | undefined> {
  const answer = await api(session, ownPath(session), { effect: "none" });
  const wanted = webAddress(typed);
  const same = parse(answer, z.array(Status)).find(
    ({ url, uri }) => wanted !== undefined && [url, uri].map(webAddress).includes(wanted),
  );
  return same && refOf(same, session);
}

function ownPath({ profile }: Session): string {
  return `/api/v1/accounts/${encodeURIComponent(idOf(profile.subject))}/statuses?limit=${PAGE}&exclude_reblogs=true`;
}

export function refOf(status: Status, session: Session): Ref {
  const own = `${session.profile.url.replace(/\/$/, "")}/${encodeURIComponent(status.id)}`;
  return { id: status.id, url: webAddress(status.url) ?? webAddress(status.uri) ?? own };
}
