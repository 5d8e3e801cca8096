import { setTimeout as sleep } from "node:timers/promises";
import { PsnError } from "@psn/core/errors.ts";
import { processing, uploading } from "@psn/core/net/uploads.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { Preparation, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { z } from "zod";
import { pauseWithin } from "./http.ts";

/*
 * Uploads in steps, so that nothing that was uploaded is lost and no worker waits for minutes: what a platform still
 * works on, and what is done when something fails, goes into the handle of a pending preparation, and the next call
 * goes on from there.
 */

/** Longest wait within one call, in milliseconds: what is ready soon needs no second claim. */
const QUICK_MS = 3_000;
/** First pause within one call; each is twice the one before. */
const QUICK_FIRST_MS = 200;
/** Pauses between calls where the platform names none, in milliseconds. */
const ASK_MS = { first: 1_000, most: 30_000 };
/** Longest pause before a file is asked about again that is taken at a platform's word, in milliseconds. */
const ASK_TOLD_MOST_MS = 5 * 60_000;
/**
 * Pauses after a failure that passes, in milliseconds, and how many of them in a row: six hours, as the engine tries.
 */
const FAILURE_MS = { first: 5_000, most: 15 * 60_000 };
/** The pause of an account whose platform asks for one and does not say how long, in milliseconds. */
const RATE_PAUSE_MS = 60_000;
const FAILURES_MOST = 30;
/** Longest that a platform may work on one file, in milliseconds, and the pause after that. */
const WORKING_MOST_MS = 3_600_000;
const OVERDUE_PAUSE_MS = 10 * 60_000;
/** How long uploads are relied on, in milliseconds: platforms keep for about a day what no post takes. */
const KEPT_MS = 12 * 3_600_000;

/**
 * What a platform says of a file. `lost`: it has to be uploaded again; throws the error where that was done already.
 */
export type Told =
  | { readonly status: "ready" }
  | { readonly status: "working"; readonly checkAfterMs?: number }
  | { readonly status: "lost"; readonly error: PsnError };

export const READY: Told = { status: "ready" };
/** To be asked about at once. */
export const ASK_AT_ONCE: Told = { status: "working", checkAfterMs: 0 };
/** `checkAfterMs` 0 or undefined: the platform does not say when to ask again. */
export const working = (checkAfterMs?: number): Told => ({
  status: "working",
  ...defined({ checkAfterMs: checkAfterMs || undefined }),
});

/** What `prepare` resolved to. Throws BUG where it never did. */
export function preparedOf<T extends z.ZodType>(prepared: Json, schema: T): z.output<T> {
  const read = schema.safeParse(prepared);
  if (read.success) return read.data;
  throw new PsnError("BUG", "a post was sent before it was prepared");
}

/** The ids of a unit's uploads, in order, where they are what `prepare` resolved to. */
export function uploadedOf<T extends z.ZodType>({ unit, prepared }: PublishRequest, id: T): z.output<T>[] {
  return unit.media.length === 0 ? [] : preparedOf(prepared, z.array(id).length(unit.media.length));
}

/** What is told of a file to whom watches it; undefined for what is no file. */
type Shown = Partial<Pick<Media, "kind" | "bytes">> | undefined;

/** One platform's way. */
export interface Uploads<File extends Shown, Id extends Json> {
  /** What is to be uploaded, in order; the last may be a container that holds the others. */
  readonly files: readonly File[];
  readonly id: z.ZodType<Id>;
  /** Uploads one and says what it has become; to `checkAfterMs` 0 it is asked at once. */
  readonly start: (file: File, index: number, ids: readonly Id[]) => Promise<{ readonly id: Id; readonly told: Told }>;
  /** The last is started when all others are done, and is given their ids. */
  readonly lastWaits?: boolean;
  /** Asks what has become of one. Absent where all are ready at once. */
  readonly ask?: (id: Id, file: File, ageMs: number) => Promise<Told>;
  /** What is to be done with one that is ready: its alt text. */
  readonly describe?: (id: Id, file: File) => Promise<void>;
  /** What all of it is kept as; absent: the ids. A failure here loses no upload either. */
  readonly finish?: (ids: readonly Id[]) => Promise<Json>;
  /** For the message of a file that takes too long: `X is still processing a video`. */
  readonly overdue: (file: File) => string;
  readonly workingMostMs?: number;
  /** Failures in a row that are waited out once something is uploaded. */
  readonly failuresMost?: number;
}

type Step = "working" | "ready" | "done";
const STEPS: readonly Step[] = ["working", "ready", "done"];

interface Item<Id> {
  readonly id: Id;
  /** When it was uploaded, in epoch milliseconds. */
  readonly at: number;
  readonly step: Step;
}

/** What the handle holds. */
interface Progress<Id> {
  readonly begun: number;
  /** Calls that ended with nothing but waiting, and with a failure, each in a row. */
  readonly asked: number;
  readonly failures: number;
  /** Uploads that were made again. */
  readonly again: number;
  readonly items: (Item<Id> | null)[];
}

interface Run<File extends Shown, Id extends Json> {
  readonly uploads: Uploads<File, Id>;
  readonly session: Session;
  readonly items: (Item<Id> | null)[];
  again: number;
}

/** What a round of starting and asking came to. `waits`: with the longest pause a platform named, in milliseconds. */
type Came =
  | { readonly status: "done" }
  | { readonly status: "at once" }
  | { readonly status: "waits"; readonly toldMs: number }
  | { readonly status: "over"; readonly error: PsnError };

/**
 * Goes on with a unit's uploads as far as it can within seconds. Throws what a step throws while nothing is uploaded,
 * and afterwards only what no waiting helps; PLATFORM_DOWN for a file that a platform works on for too long.
 */
export async function prepareUploads<File extends Shown, Id extends Json>(
  uploads: Uploads<File, Id>,
  handle: PublishRequest["handle"],
  session: Session,
): Promise<Preparation> {
  session.signal.throwIfAborted();
  const now = session.now().getTime();
  const kept = progressOf(uploads, handle, now);
  const {
    begun,
    asked,
    failures,
    again,
    items: had,
  } = kept ?? { begun: now, asked: 0, failures: 0, again: 0, items: [] };
  const run: Run<File, Id> = { uploads, session, items: [...had], again };
  const pending = (checkAfterMs: number, counted: { readonly asked: number; readonly failures: number }) => ({
    status: "pending" as const,
    handle: { begun, ...counted, again: run.again, items: run.items.map((item) => item && { ...item }) },
    checkAfterMs: pauseWithin(checkAfterMs),
  });
  let over: PsnError;
  try {
    const came = await advance(run, kept ? 0 : QUICK_MS);
    if (came.status === "done") {
      const ids = idsOf(run);
      return { status: "prepared", prepared: uploads.finish ? await uploads.finish(ids) : ids };
    }
    if (came.status === "waits") {
      const pause = Math.min(ASK_MS.first * 2 ** asked, ASK_MS.most);
      return pending(Math.max(pause, Math.min(came.toldMs, ASK_TOLD_MOST_MS)), { asked: asked + 1, failures: 0 });
    }
    over = came.error;
  } catch (error) {
    const more = score(run.items) > score(had);
    // A stop, or a token to be exchanged: what is new is kept first, and the next call meets the same with nothing new
    // to lose.
    if (more && (session.signal.aborted || (error instanceof PsnError && error.retry === "refresh")))
      return pending(0, { asked: 0, failures: 0 });
    if (!(error instanceof PsnError) || score(run.items) === 0 || !passes(error)) throw error;
    const inARow = more ? 1 : failures + 1;
    if (inARow > (uploads.failuresMost ?? FAILURES_MOST)) throw error;
    const pause = Math.min(FAILURE_MS.first * 2 ** (inARow - 1), FAILURE_MS.most);
    const waits = pending(error.retryAfterMs ?? pause, { asked: 0, failures: inARow });
    // The account's other posts must keep the pause too.
    return error.code === "RATE_LIMITED"
      ? { ...waits, pausedForMs: pauseWithin(error.retryAfterMs ?? RATE_PAUSE_MS) }
      : waits;
  }
  throw over;
}

/** While preparing nothing can have been published: what else would be an unknown outcome passes too. */
function passes({ retry }: PsnError): boolean {
  return retry === "backoff" || retry === "reconcile";
}

/** Undefined for a handle that psn cannot read, and for one whose uploads may be gone: both begin from nothing. */
function progressOf<File extends Shown, Id extends Json>(
  { id, files }: Uploads<File, Id>,
  handle: unknown,
  now: number,
): Progress<Id> | undefined {
  const number = z.int().min(0);
  const item = z.object({ id, at: z.number(), step: z.enum(STEPS) });
  const read = z
    .object({
      begun: z.number(),
      asked: number,
      failures: number,
      again: number,
      items: z.array(item.nullable()).max(files.length),
    })
    .safeParse(handle);
  if (!read.success || now - read.data.begun >= KEPT_MS) return undefined;
  // What began in the future began before the database's clock stepped back: what is waited for is waited for from now
  // on.
  const items = read.data.items.map((one) => one && { ...one, at: Math.min(one.at, now) });
  return { ...read.data, begun: Math.min(read.data.begun, now), items };
}

/** Rounds until all is done, or until waiting would take longer than is left. */
async function advance<File extends Shown, Id extends Json>(
  run: Run<File, Id>,
  quickMs: number,
): Promise<Exclude<Came, { readonly status: "at once" }>> {
  let left = quickMs;
  for (let pause = QUICK_FIRST_MS; ; pause *= 2) {
    let came = await round(run);
    while (came.status === "at once") came = await round(run);
    if (came.status !== "waits") return came;
    const wait = Math.max(pause, came.toldMs);
    if (wait > left) return came;
    left -= wait;
    await sleep(wait, undefined, { signal: run.session.signal });
  }
}

/** Starts what can be started, asks once about what is worked on, and describes what is ready. */
async function round<File extends Shown, Id extends Json>(run: Run<File, Id>): Promise<Came> {
  const { uploads, session, items } = run;
  const now = () => session.now().getTime();
  let [waits, atOnce, toldMs] = [false, false, 0];
  for (const [index, file] of uploads.files.entries()) {
    const had = items[index];
    if (had?.step === "done") continue;
    if (!had && uploads.lastWaits && waits && index === uploads.files.length - 1) break;
    const { item, told } = had ? { item: had, told: await askedOf(run, had, file) } : await started(run, file, index);
    const { id, at } = item;
    if (uploads.ask) processing(shownOf(file, session), told.status !== "working");
    if (told.status === "lost") {
      items[index] = null;
      run.again += 1;
      if (run.again > uploads.files.length) return { status: "over", error: told.error };
      [waits, atOnce] = [true, true];
    } else if (told.status === "working") {
      if (now() - at >= (uploads.workingMostMs ?? WORKING_MOST_MS))
        return {
          status: "over",
          error: new PsnError("PLATFORM_DOWN", uploads.overdue(file), { retryAfterMs: OVERDUE_PAUSE_MS }),
        };
      waits = true;
      atOnce ||= told.checkAfterMs === 0;
      toldMs = Math.max(toldMs, pauseWithin(told.checkAfterMs ?? 0));
    } else {
      items[index] = { id, at, step: "ready" };
      await uploads.describe?.(id, file);
      items[index] = { id, at, step: "done" };
    }
  }
  if (atOnce) return { status: "at once" };
  return waits ? { status: "waits", toldMs } : { status: "done" };
}

async function started<File extends Shown, Id extends Json>(run: Run<File, Id>, file: File, index: number) {
  const start = () => run.uploads.start(file, index, idsOf(run));
  const { id, told } = file ? await uploading(shownOf(file, run.session), start) : await start();
  const item: Item<Id> = { id, at: run.session.now().getTime(), step: "working" };
  run.items[index] = item;
  return { item, told };
}

async function askedOf<File extends Shown, Id extends Json>(
  { uploads, session }: Run<File, Id>,
  { id, at, step }: Item<Id>,
  file: File,
): Promise<Told> {
  if (step === "ready" || !uploads.ask) return READY;
  return uploads.ask(id, file, session.now().getTime() - at);
}

function shownOf(file: Shown, { profile }: Session) {
  return { what: file?.kind ?? "post", to: URL.parse(profile.home)?.host ?? profile.home, bytes: file?.bytes ?? 0 };
}

function idsOf<File extends Shown, Id extends Json>({ items }: Run<File, Id>): Id[] {
  return items.flatMap((item) => (item ? [item.id] : []));
}

/** How far all of it has come. */
function score(items: readonly (Item<Json> | null)[]): number {
  return items.reduce((sum, item) => sum + (item ? 1 + STEPS.indexOf(item.step) : 0), 0);
}
