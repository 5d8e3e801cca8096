import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { DatabaseKind, Lane, Target } from "./ground.ts";
import type { Told } from "./protocol.ts";
import { at, dieAsked, finish, type Judged, type Run, scheduleOne, targetsOf, together } from "./runs.ts";

/*
 * psn dies while it edits a post. What goes out is wholly the old words or wholly the new ones, by what was written
 * when it died, and the other words are nowhere.
 */

interface Died {
  readonly point: FaultPoint;
  /** The next revision was durable by then. */
  readonly isWritten: boolean;
}

export const DIED: readonly Died[] = [
  { point: "edit composed, not written", isWritten: false },
  { point: "edit written, nobody told", isWritten: true },
];

/** An edit of a post to all of these targets, killed at each of its points. */
export function editRuns(database: DatabaseKind, targets: readonly Target[]): Run[] {
  return DIED.map(
    (died): Run => ({
      breaks: `an edit killed: ${died.point}`,
      platform: "all",
      database,
      go: (lane, tag) => killed(lane, { ...died, targets: targetsOf(lane, together(targets)), tag }),
    }),
  );
}

interface Killed extends Died {
  readonly targets: readonly Target[];
  readonly tag: string;
}

async function killed(lane: Lane, { point, isWritten, targets, tag }: Killed): Promise<readonly Judged[]> {
  const first = await lane.psn();
  const deliveries = await scheduleOne(first, tag, { targets });
  const old = await first.report(deliveries.map(({ id }) => id));
  const [one] = old;
  if (!one) throw new Error("nothing was scheduled");
  await dieAsked(first, { do: "edit", id: one.id, texts: one.units.map(({ text }) => edited(text)), fault: at(point) });
  return judgeWords(await finish(lane, deliveries), old, () => isWritten);
}

/** What an edit of the suite makes of a text. */
export const edited = (text: string) => `${text}, edited`;

/**
 * What is out are the words that psn says, the old ones or the new ones, and never the others; revision and history
 * say which. `old`: as they were before the edit.
 */
export async function judgeWords(
  judged: readonly Judged[],
  old: readonly Told[],
  isEdited: (id: string) => boolean,
): Promise<readonly Judged[]> {
  return Promise.all(
    judged.map(async (one) => {
      const { told, target, verdict } = one;
      if (verdict === "lost" || verdict === "doubled") return one;
      const lost = (why: string): Judged => ({ ...one, verdict: "lost", why });
      const isNew = isEdited(told.id);
      const held = (await target.holds()).map(({ text }) => text);
      const before = old.find(({ id }) => id === told.id)?.units.map(({ text }) => text) ?? [];
      const after = before.map(edited);
      const [wanted, others] = isNew ? [after, before] : [before, after];
      if (wanted.join() !== told.units.map(({ text }) => text).join() || others.some((text) => held.includes(text)))
        return lost(`its words are not the ${isNew ? "new" : "old"} ones`);
      if (told.revision !== (isNew ? 2 : 1)) return lost(`it carries revision ${told.revision}`);
      const times = told.events.filter((event) => event.startsWith("edited")).length;
      return times === (isNew ? 1 : 0) ? one : lost(`its history says ${told.events.join(", ")}`);
    }),
  );
}
