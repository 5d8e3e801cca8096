import { PsnError } from "@psn/core/errors.ts";

/*
 * What many ask for at about the same time goes to the database in one round trip. Nobody waits for company: the first
 * to come leaves at once, with whoever came in the same instant; those who come while it is under way leave together
 * when it is back.
 */

/**
 * How long a round trip that does not come back may hold up those behind it, in milliseconds: its connection may be
 * dead.
 */
const PATIENCE_MS = 250;

export interface Together<Item, Result> {
  /** Asks for all of them, and answers in their order. When it throws, none of them has happened, or nobody knows. */
  readonly ask: (line: string, items: readonly Item[]) => Promise<readonly Result[]>;
  /** Two with the same name never share a round trip. */
  readonly nameOf: (item: Item) => string;
  /** Most of one round trip. */
  readonly most: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

interface Line<Item, Result> {
  waiting: Waiting<Item, Result>[];
  /** Nobody leaves while this is set. */
  held: boolean;
}

/**
 * Asks for one thing together with others of the same line. One that fails takes no other down: but where the database
 * does not answer, each of a failed round trip is asked for again by itself.
 */
export function together<Item, Result>({
  ask,
  nameOf,
  most,
}: Together<Item, Result>): (line: string, item: Item) => Promise<Result> {
  const lines = new Map<string, Line<Item, Result>>();

  const travel = async (name: string, those: readonly Waiting<Item, Result>[]): Promise<void> => {
    const items = those.map(({ item }) => item);
    try {
      const results = await ask(name, items);
      for (const [index, result] of results.entries()) those[index]?.resolve(result);
    } catch (error) {
      const alone = those.length === 1 || (error instanceof PsnError && error.code === "DB_UNREACHABLE");
      for (const one of those) {
        if (alone) one.reject(error);
        // Not waited for: one that stands in somebody's way must not hold up the line again.
        else void travel(name, [one]);
      }
    }
  };

  const leave = (name: string, line: Line<Item, Result>): void => {
    const those = boarding(line, nameOf, most);
    line.held = those.length > 0;
    if (!line.held) {
      if (lines.get(name) === line) lines.delete(name);
      return;
    }
    let over = false;
    const next = () => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      leave(name, line);
    };
    const timer = setTimeout(next, PATIENCE_MS);
    void travel(name, those).finally(next);
  };

  return (name, item) =>
    new Promise((resolve, reject) => {
      const line = lines.get(name) ?? { waiting: [], held: false };
      lines.set(name, line);
      line.waiting.push({ item, resolve, reject });
      if (line.held) return;
      line.held = true;
      // After all who come in this very instant: deliveries that were claimed together run in step.
      queueMicrotask(() => leave(name, line));
    });
}

/** Takes the first ones out of the line, as many as may go together. */
function boarding<Item, Result>(
  line: Line<Item, Result>,
  nameOf: (item: Item) => string,
  most: number,
): readonly Waiting<Item, Result>[] {
  const those = new Map<string, Waiting<Item, Result>>();
  const others: Waiting<Item, Result>[] = [];
  for (const one of line.waiting) {
    const name = nameOf(one.item);
    if (those.size < most && !those.has(name)) those.set(name, one);
    else others.push(one);
  }
  line.waiting = others;
  return [...those.values()];
}
