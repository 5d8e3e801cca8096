import type { DeliveryPage, DeliveryRequest, Place } from "@psn/core/ports/posts.ts";
import { expect } from "vitest";
import { asOwner } from "../../support/databases.ts";
import { connect, newId, newUser, type Stage, schedule, type Test } from "../stage.ts";

const OPEN = { order: "due", states: "open", limit: 3 } satisfies DeliveryRequest;
const ALL = { order: "changed", states: "all", limit: 3 } satisfies DeliveryRequest;

/** Reads all pages; `between` happens after each of them, as often as there are pages. */
async function pages(
  { stores, userId }: Stage,
  request: DeliveryRequest,
  between: (page: DeliveryPage, count: number) => Promise<unknown> = async () => undefined,
): Promise<readonly string[]> {
  const ids: string[] = [];
  let after: Place | undefined;
  for (let count = 0; count < 50; count++) {
    const page = await stores.posts.page(userId, { ...request, after });
    expect(page.deliveries.length).toBeLessThanOrEqual(request.limit);
    ids.push(...page.deliveries.map(({ id }) => id));
    if (!page.next) return ids;
    after = page.next;
    await between(page, count);
  }
  throw new Error("the pages do not end");
}

async function many(stage: Stage, count: number, dueInMs: (n: number) => number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push((await schedule(stage, { dueInMs: dueInMs(n) })).id);
  return ids;
}

const HOUR = 3_600_000;

export function pageTests(test: Test): void {
  test("pages: together they are the list, also of one instant", async (stage) => {
    const { db, userId, stores } = stage;
    const ids = await many(stage, 8, () => HOUR);
    // Seven of one microsecond; the eighth within the same millisecond.
    await asOwner(db, "UPDATE psn.deliveries SET due_at = $2, updated_at = $2 WHERE user_id = $1", [
      userId,
      "2031-01-01T00:00:00.123456Z",
    ]);
    await asOwner(db, "UPDATE psn.deliveries SET due_at = $2, updated_at = $2 WHERE id = $1", [
      ids[0],
      "2031-01-01T00:00:00.123457Z",
    ]);
    for (const request of [OPEN, ALL]) {
      const read = await pages(stage, request);
      expect(read).toHaveLength(8);
      expect(new Set(read)).toEqual(new Set(ids));
      const { deliveries, next } = await stores.posts.page(userId, { ...request, limit: 8 });
      expect(deliveries.map(({ id }) => id)).toEqual(read);
      expect(next).toBeUndefined();
    }
    expect((await pages(stage, OPEN)).at(-1)).toBe(ids[0]);
  });

  test("pages: what nobody changes is on exactly one, whatever becomes of the rest", async (stage) => {
    const { db, stores, userId } = stage;
    for (const request of [OPEN, ALL]) {
      const calm = await many(stage, 8, (n) => (2 * n + 1) * HOUR);
      const restless = await many(stage, 8, (n) => (2 * n + 2) * HOUR);
      const read = await pages(stage, request, async (page, count) => {
        const [one, two, three] = restless.splice(0, 3);
        if (one) await stores.posts.cancel(userId, [one]);
        const dueAt = new Date(Date.now() + count * HOUR);
        if (two) await stores.posts.move(userId, { ids: [two], dueAt, wallTime: "", timeZone: "UTC" });
        if (three) await asOwner(db, "DELETE FROM psn.deliveries WHERE id = $1", [three]);
        await schedule(stage, { dueInMs: page.deliveries.length * HOUR });
      });
      for (const id of calm)
        expect(
          read.filter((one) => one === id),
          id,
        ).toHaveLength(1);
      await asOwner(db, "DELETE FROM psn.deliveries WHERE user_id = $1", [userId]);
    }
  });

  test("pages: states, accounts, a time and words narrow a list", async (stage) => {
    const { stores, userId, accountId } = stage;
    const second = await connect(stage, "second");
    const soon = await schedule(stage, { dueInMs: HOUR, units: [{ text: "One" }, { text: "100% Straße_\\" }] });
    const late = await schedule(stage, { dueInMs: 3 * HOUR, accounts: [second] });
    const gone = await schedule(stage, { dueInMs: 2 * HOUR });
    await stores.posts.cancel(userId, [gone.id]);
    const idsOf = async (more: Partial<DeliveryRequest>) =>
      (await stores.posts.page(userId, { ...ALL, order: "due", ...more })).deliveries.map(({ id }) => id);
    expect(await idsOf({})).toEqual([soon.id, gone.id, late.id]);
    expect(await idsOf({ states: ["cancelled"] })).toEqual([gone.id]);
    expect(await idsOf({ states: ["cancelled", "scheduled"], accountIds: [accountId] })).toEqual([soon.id, gone.id]);
    expect(await idsOf({ accountIds: [second] })).toEqual([late.id]);
    expect(await idsOf({ since: new Date(Date.now() + 1.5 * HOUR) })).toEqual([gone.id, late.id]);
    expect(await idsOf({ search: "STRASSE" })).toEqual([]);
    expect(await idsOf({ search: "0% straße_\\" })).toEqual([soon.id]);
    expect(await idsOf({ search: "%" })).toEqual([soon.id]);
    expect(await idsOf({ search: "hello", limit: 1 })).toEqual([gone.id]);
    const other = { ...stage, userId: await newUser(stores) };
    expect(await pages(other, { ...ALL, accountIds: [accountId] })).toEqual([]);
    expect(await idsOf({ accountIds: [newId()] })).toEqual([]);
  });
}
