import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { DatabaseKind, Lane, Target } from "./ground.ts";
import { Gone } from "./process.ts";
import type { Content } from "./protocol.ts";
import { finish, type Judged, NotBroken, type Run, schedule, targetOf } from "./runs.ts";

/*
 * psn dies while it edits a post. What goes out is wholly the old words or wholly the new ones, by what was written
 * when it died, and the other words are nowhere.
 */

interface Died {
  readonly point: FaultPoint;
  /** The next revision was durable by then. */
  readonly isWritten: boolean;
}

const DIED: readonly Died[] = [
  { point: "edit composed, not written", isWritten: false },
  { point: "edit written, nobody told", isWritten: true },
];

/** An edit killed at each of its points, on these targets. */
export function editRuns(database: DatabaseKind, targets: readonly Target[]): Run[] {
  return targets.flatMap(({ name }) =>
    DIED.map(
      (died): Run => ({
        breaks: `an edit killed: ${died.point}`,
        platform: name,
        database,
        go: (lane, tag) => killed(lane, targetOf(lane, name), died, tag),
      }),
    ),
  );
}

async function killed(lane: Lane, target: Target, { point, isWritten }: Died, tag: string): Promise<readonly Judged[]> {
  const first = await lane.psn();
  const contents: readonly Content[] = ["thread", "image"];
  const deliveries = await schedule(
    first,
    tag,
    contents.map((content) => ({ target, content })),
  );
  const old = await first.report(deliveries.map(({ id }) => id));
  for (const { id, units } of old) {
    const dying = await lane.psn();
    const fault = { point, nth: 1, act: "kill" } as const;
    await dying.ask({ do: "edit", id, texts: units.map(({ text }) => newText(text)), fault }).then(
      () => {
        throw new NotBroken(`nobody passed "${point}"`);
      },
      (error: unknown) => {
        if (!(error instanceof Gone)) throw error;
      },
    );
  }
  const judged = await finish(lane, deliveries);
  const held = (await target.holds()).map(({ text }) => text);
  return judged.map((one) => {
    const before = old.find(({ id }) => id === one.told.id)?.units.map(({ text }) => text) ?? [];
    const after = before.map(newText);
    const [wanted, others] = isWritten ? [after, before] : [before, after];
    const isOther = wanted.join() !== one.told.units.map(({ text }) => text).join();
    if (!isOther && !others.some((text) => held.includes(text))) return one;
    return { ...one, verdict: "lost", why: `its words are not the ${isWritten ? "new" : "old"} ones` };
  });
}

const newText = (text: string) => `${text}, edited`;
