import { copied } from "@psn/core/errors.ts";
import type { Claim, Deliveries } from "@psn/core/ports/deliveries.ts";
import type { Incarnations, NoteFiles } from "@psn/core/ports/incarnation.ts";
import type { Notes, Sight } from "@psn/core/types/incarnation.ts";
import type { Parting } from "@psn/core/types/index.ts";
import { isTurnedBack, type Judgement, judge } from "@psn/domain/incarnation.ts";

/**
 * How often a process that publishes looks whether the database still is the one it knew, and notes that it has seen
 * it, in milliseconds.
 */
const LOOK_MS = 1_000;

export interface Kept {
  readonly incarnation: Incarnations;
  readonly notes: NoteFiles;
  /** UUIDv7. */
  readonly newId: () => string;
}

/** What a look found: the notes first, since what others see and note meanwhile is no more than the database has. */
export interface Look {
  readonly before: Notes;
  readonly sight: Sight;
}

/**
 * Looks whether the database is the one that this machine knew, or judges a look that was just had. A database that is
 * not is held, over all its users, before this returns why; undefined for one that is. Throws DB_…, CONFIG_….
 */
export async function checkIncarnation(hub: Kept, look?: Look): Promise<Parting | undefined> {
  const { incarnation, notes } = hub;
  const before = look?.before ?? notes.read();
  const sight = look?.sight ?? (await incarnation.look());
  const { id, seen, counted } = sight;
  const judged = judge(sight, before, notes.embedded);
  if (judged.is === "known") {
    if (id !== undefined && counted) notes.noteSeen(id, seen);
    return undefined;
  }
  // Another process may be making the notes just now; who writes them has looked while nobody else does.
  return notes.alone(() =>
    settle(hub, judged.is === "parted" && isTurnedBack(sight, before) ? { id, judged } : undefined),
  );
}

/** `found`: an incarnation that was turned back. Looking again adds to what it has seen, and must not hide that. */
async function settle(
  { incarnation, notes, newId }: Kept,
  found?: { readonly id: string | undefined; readonly judged: Judgement },
): Promise<Parting | undefined> {
  const before = notes.read();
  const sight = await incarnation.look();
  const isSame = found !== undefined && sight.id === found.id && !sight.parted;
  const judged = isSame ? found.judged : judge(sight, before, notes.embedded);
  switch (judged.is) {
    case "known":
      return undefined;
    case "new": {
      const id = sight.id ?? newId();
      notes.write(null, id);
      notes.write(await incarnation.become(id));
      return undefined;
    }
    case "behind":
      if (sight.id !== undefined) notes.write(sight.id);
      return undefined;
    case "parted":
      if (!sight.parted) await incarnation.part(judged.why, newId());
      return judged.why;
  }
}

/**
 * The deliveries as a process that publishes from this machine claims them: never from a database that has not been
 * looked at for a second, and after a claim it is noted within a second that the database has come so far. `claim`
 * throws HUB_COPIED while it is held. `lookedAt`: when the database was last found to be the one that is known, by
 * `performance.now()`.
 */
export function claimingWhere(
  hub: Kept,
  deliveries: Deliveries,
  lookedAt = Number.NEGATIVE_INFINITY,
): { readonly deliveries: Deliveries; readonly close: () => Promise<void> } {
  let looking: Promise<Parting | undefined> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    looking ??= checkIncarnation(hub)
      .then((parted) => {
        lookedAt = parted ? Number.NEGATIVE_INFINITY : performance.now();
        return parted;
      })
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  /** A claim is followed by a note, soon; many by one. */
  const noteSoon = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      void look().catch(() => undefined);
    }, LOOK_MS / 2);
  };
  const claim: Deliveries["claim"] = async (request): Promise<readonly Claim[]> => {
    if (performance.now() - lookedAt > LOOK_MS && (await look())) throw copied();
    const claims = await deliveries.claim(request);
    if (claims.length > 0) noteSoon();
    return claims;
  };
  return {
    deliveries: { ...deliveries, claim },
    close: async () => {
      if (timer === undefined) return;
      clearTimeout(timer);
      timer = undefined;
      await look().catch(() => undefined);
    },
  };
}
