import type { Notes, Sight } from "@psn/core/types/incarnation.ts";
import type { Parting } from "@psn/core/types/index.ts";

/*
 * Whether a database still is the one that this machine knew: decided from the database's own row and from notes beside
 * it that neither a copy nor a restore brings along (ADR 15).
 */

export type Judgement =
  | { readonly is: "known" }
  /** A hub's first opening, or one that was stopped in the middle of it. */
  | { readonly is: "new" }
  /** The notes lag behind: another machine has recovered it, or this one was stopped while it noted that. */
  | { readonly is: "behind" }
  | { readonly is: "parted"; readonly why: Parting };

/**
 * Whether the database has come less far than the notes, which were read before it was looked at. A look that counted
 * has added one of its own. This stays true, whatever later looks add.
 */
export function isTurnedBack({ id, seen, counted }: Sight, notes: Notes): boolean {
  return id !== undefined && id === notes.id && (counted ? seen <= notes.seen : seen < notes.seen);
}

/**
 * The notes must have been read before the database was looked at. `embedded`: the database is a folder on this
 * machine, and so is whatever copies it.
 */
export function judge(sight: Sight, notes: Notes, embedded: boolean): Judgement {
  if (sight.parted) return { is: "parted", why: sight.parted.why };
  if (sight.id === undefined) {
    // Nothing was ever published from a database without deliveries.
    if (notes.id === undefined || notes.id === null || !sight.used) return { is: "new" };
    return { is: "parted", why: "turned back" };
  }
  if (sight.elsewhere) return { is: "parted", why: "copied" };
  if (notes.id === undefined) return embedded ? { is: "parted", why: "unknown" } : { is: "behind" };
  if (notes.moved) return { is: "parted", why: "copied" };
  if (notes.id === sight.id) {
    if (isTurnedBack(sight, notes)) return { is: "parted", why: "turned back" };
    return notes.next === undefined ? { is: "known" } : { is: "behind" };
  }
  if (notes.next === sight.id || (notes.id !== null && sight.past.includes(notes.id))) return { is: "behind" };
  // The notes are of an incarnation that came after this one, or of another hub.
  return { is: "parted", why: "turned back" };
}

/** What was found, in a sentence. */
export const FOUND: Readonly<Record<Parting, string>> = {
  copied: "this database is a copy: it lies in another place than the one this hub was last opened in",
  "turned back": "this database was turned back: it was restored from before the last time this hub was open",
  unknown: "this database was brought here without the hub's notes about it (config/incarnation.json)",
};
