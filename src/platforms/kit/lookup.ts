import { PsnError } from "@psn/core/errors.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Answer } from "./http.ts";

/*
 * To find one's own post among an account's posts: by time first, since the same words may have been posted before.
 */

/**
 * How much older than the unit a post may look, in milliseconds: three clocks are involved, and some servers cut
 * seconds off.
 */
export const ALLOWANCE_MS = 2 * 60_000;
/** The same where nobody says which posts belong to other units. */
export const ALLOWANCE_NARROW_MS = 10_000;
/** The same where the server does not tell its time. */
const ALLOWANCE_WITHOUT_DATE_MS = 10 * 60_000;

/**
 * The earliest instant, by the server's clock, at which a unit sent at `at` can have appeared, in milliseconds since
 * the epoch.
 */
export function notBefore(
  { headers }: Answer,
  {
    at,
    now,
    allowanceMs = ALLOWANCE_MS,
  }: { readonly at: Date; readonly now: Date; readonly allowanceMs?: number | undefined },
): number {
  const date = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(date)) return at.getTime() - ALLOWANCE_WITHOUT_DATE_MS;
  return at.getTime() + (date - now.getTime()) - allowanceMs;
}

/** Pages read before psn says it cannot tell: 1,000 posts since the unit was sent, where a page has 100. */
const PAGES_MOST = 10;

/**
 * Reads page after page until one has what is looked for, or none follows. `read` is given what the page before named
 * as the next. Throws PLATFORM_DOWN where there are too many.
 */
export async function findPaged<Found>(
  read: (
    after: string | undefined,
  ) => Promise<{ readonly found?: Found | undefined; readonly next?: string | undefined }>,
): Promise<Found | undefined> {
  let after: string | undefined;
  for (let page = 0; page < PAGES_MOST; page += 1) {
    const { found, next } = await read(after);
    if (found !== undefined || next === undefined) return found;
    after = next;
  }
  throw new PsnError("PLATFORM_DOWN", "the account has too many posts since then to find this one");
}

/** One post of the account's own list. */
export interface Listed {
  readonly ref: Ref;
  /** When it appeared, by the platform's clock, in milliseconds since the epoch. */
  readonly at: number;
  /** The id of what it answers. */
  readonly parent: string | undefined;
  /** Whether it has the unit's words and files. */
  readonly isSame: () => boolean;
}

interface Search<Body extends Json> {
  readonly request: PublishRequest<Body>;
  readonly session: Session;
}

/** One platform's lists of the account's own posts. */
interface Lists<Body extends Json> {
  /** How far psn's clock may be ahead of the platform's before it is asked anew, in milliseconds. */
  readonly slackMs: number;
  /** Asks for one page of what has appeared since then. */
  readonly ask: (since: number, after: string | undefined, search: Search<Body>) => Promise<Answer>;
  readonly read: (
    answer: Answer,
    search: Search<Body>,
  ) => { readonly posts: readonly Listed[]; readonly next?: string | undefined };
}

interface Known {
  /** Ids that belong to other units; absent where nobody says which do. */
  readonly known?: ReadonlySet<string>;
  /** An answer that has told the platform's time already. */
  readonly told?: Answer;
}

/**
 * Finds the account's own post that a unit can have become: not older than the unit by the platform's clock, not
 * another unit's, answering the same post, and the same. Throws PLATFORM_DOWN where there are too many, and what `ask`
 * and `read` throw.
 */
export function finderOf<Body extends Json>({ slackMs, ask, read }: Lists<Body>) {
  return (request: PublishRequest<Body>, session: Session, { known, told }: Known = {}): Promise<Ref | undefined> => {
    const allowanceMs = known ? ALLOWANCE_MS : ALLOWANCE_NARROW_MS;
    const search = { request, session };
    const bound = (answer: Answer) => notBefore(answer, { at: request.at, now: session.now(), allowanceMs });
    let earliest = told && bound(told);
    let since = earliest ?? request.at.getTime() - allowanceMs - slackMs;
    return findPaged<Ref>(async (after) => {
      let answer = await ask(since, after, search);
      earliest ??= bound(answer);
      const least = earliest;
      // Psn's clock is ahead by more than the slack: what was asked for begins too late.
      if (least < since) {
        since = least;
        answer = await ask(since, after, search);
      }
      const { posts, next } = read(answer, search);
      const isOwn = ({ ref, at, parent }: Listed) =>
        !known?.has(ref.id) && at >= least && parent === request.parent?.id;
      return { found: posts.find((post) => isOwn(post) && post.isSame())?.ref, next };
    });
  };
}
