import { makeTurns } from "@psn/app/turns.ts";
import { expect, test } from "vitest";

/* Who may hold media in memory: so many at a time, and no user before all others. */

const settled = () => new Promise((resolve) => setImmediate(resolve));

function stage(most = { deliveries: 2, bytes: 100 }) {
  const turnOf = makeTurns(most);
  const began: string[] = [];
  const back = new Map<string, () => void>();
  return {
    began,
    ask: (userId: string, name: string, bytes = 1) =>
      void turnOf(userId)(bytes).then((giveBack) => {
        began.push(name);
        back.set(name, giveBack);
      }),
    giveBack: async (name: string) => {
      back.get(name)?.();
      await settled();
    },
  };
}

test("a user whose turns all take long keeps nobody else waiting for more than one of them", async () => {
  const { ask, giveBack, began } = stage();
  for (const name of ["m1", "m2", "m3", "m4", "m5"]) ask("mallory", name);
  ask("vera", "v1");
  ask("vera", "v2");
  await settled();
  expect(began).toEqual(["m1", "m2"]);
  await giveBack("m1");
  expect(began).toEqual(["m1", "m2", "v1"]);
  await giveBack("v1");
  expect(began).toEqual(["m1", "m2", "v1", "v2"]);
  await giveBack("m2");
  expect(began).toEqual(["m1", "m2", "v1", "v2", "m3"]);
});

test("in the order they were asked for, as far as there is room; a file that is too large goes alone", async () => {
  const { ask, giveBack, began } = stage({ deliveries: 3, bytes: 100 });
  ask("ada", "a", 60);
  ask("ada", "b", 500);
  ask("ada", "c", 10);
  await settled();
  expect(began).toEqual(["a"]);
  await giveBack("a");
  expect(began).toEqual(["a", "b"]);
  await giveBack("b");
  await giveBack("b");
  expect(began).toEqual(["a", "b", "c"]);
});

test("who holds nothing in memory waits for nobody", async () => {
  const { ask, began } = stage({ deliveries: 1, bytes: 1 });
  ask("ada", "a");
  ask("ada", "waits");
  ask("ada", "none", 0);
  await settled();
  expect(began.toSorted()).toEqual(["a", "none"]);
});
