import type { Turn } from "./delivery-run.ts";

/**
 * Turns of holding media in memory: so many at a time, and so many bytes together, but one at least. Whose user has the
 * fewest turns comes next, and of those who asked first: one user's slow platforms keep nobody else waiting for longer
 * than one turn takes.
 */
export function makeTurns(most: { readonly deliveries: number; readonly bytes: number }): (userId: string) => Turn {
  const taken = new Set<{ readonly userId: string; readonly bytes: number }>();
  const waiting: { readonly userId: string; readonly bytes: number; readonly begin: () => void }[] = [];
  const turnsOf = (userId: string) => [...taken].filter((one) => one.userId === userId).length;
  const next = () => {
    for (;;) {
      const [first] = waiting.toSorted((a, b) => turnsOf(a.userId) - turnsOf(b.userId));
      if (!first) return;
      const bytes = [...taken].reduce((sum, one) => sum + one.bytes, first.bytes);
      if (taken.size > 0 && (taken.size >= most.deliveries || bytes > most.bytes)) return;
      waiting.splice(waiting.indexOf(first), 1);
      taken.add(first);
      first.begin();
    }
  };
  return (userId) => async (bytes) => {
    if (bytes === 0) return () => undefined;
    const mine = await new Promise<{ readonly userId: string; readonly bytes: number }>((begin) => {
      const asked = { userId, bytes, begin: () => begin(asked) };
      waiting.push(asked);
      next();
    });
    return () => {
      if (taken.delete(mine)) next();
    };
  };
}
