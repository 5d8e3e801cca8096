/**
 * The places between every two effects of a delivery, of an edit and of a deletion, where a process can die and
 * something different is true on each side. A world has a hook for them only in the chaos suite; elsewhere they cost a
 * look at an absent field.
 */
export const FAULT_POINTS = [
  /** The lease is ours, nothing was read. */
  "claimed",
  "before preparing",
  /** Media are at the platform, and the row does not say so. */
  "prepared, not written",
  /** `sending` is durable, nothing was sent. */
  "sending, not sent",
  /** The platform has done what it does; its answer is not read. */
  "answered, not read",
  /** The answer is read and not written down. */
  "answered, not settled",
  /** A unit is settled; the next one of its thread is open. */
  "between units",
  /** Before the platform is asked about a lost answer. */
  "before asking",
  "asked, not settled",
  /** A removal: `sending` is durable, nothing was asked for. */
  "removing, not asked",
  /** The unit is gone, and the row does not say so. */
  "removed, not settled",
  /** An edit: everything is composed again, nothing is written. */
  "edit composed, not written",
  /** The next revision is durable, and nobody was told of it. */
  "edit written, nobody told",
  /** A deletion: it is known what is out, nothing is written. */
  "deletion planned, not written",
  /** What is out is asked to be removed, the rest is cancelled, and nobody was told of it. */
  "deletion written, nobody told",
  "before refreshing",
  /** The old token is spent, the new one is not stored. */
  "refreshed, not stored",
  "refreshed, stored",
] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];

export interface Faults {
  /** Told at every fault point, in the chaos suite alone. */
  readonly fault?: (point: FaultPoint) => Promise<void> | void;
}

/** Passes a fault point. */
export async function pass({ fault }: Faults, point: FaultPoint): Promise<void> {
  if (fault) await fault(point);
}
