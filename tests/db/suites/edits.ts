import { PsnError } from "@psn/core/errors.ts";
import type { NewRevision } from "@psn/core/ports/posts.ts";
import { answered, failed, LEASE_MS, sending } from "@psn/domain/delivery.ts";
import { expect } from "vitest";
import { asOwner } from "../../support/databases.ts";
import {
  claim,
  claimOne,
  detail,
  done,
  eventsOf,
  newId,
  newPost,
  newUser,
  published,
  type Stage,
  schedule,
  settle,
  stateOf,
  type Test,
  unit,
} from "../stage.ts";

/** The next revision of a post, whose one part and every unit say this. */
async function next(stage: Stage, postId: string, ids: readonly string[], text: string): Promise<NewRevision> {
  const { stores, userId } = stage;
  const { id: _id, idempotencyKey: _key, ...source } = newPost({ parts: [{ text, media: [] }] });
  const found = await stores.posts.detail(userId, ids);
  return {
    postId,
    revision: (await stores.posts.source(userId, postId))?.revision ?? 0,
    source,
    media: [],
    deliveries: found.map(({ id, fence }) => ({ id, fence, units: [{ id: newId(), unit: unit({ text }) }] })),
  };
}

const textsOf = async (stage: Stage, id: string) => (await detail(stage, id)).unitList.map((one) => one.unit.text);

export function editTests(test: Test): void {
  test("edit: what is not out is composed anew, with new keys, and its worker loses it", async (stage) => {
    const { stores, userId } = stage;
    const { postId, id, unitIds } = await schedule(stage, { units: [{ prepare: true }, { text: "two" }] });
    const claimed = await claimOne(stage, { only: [id] });
    const picture = {
      id: newId(),
      kind: "image",
      mime: "image/png",
      bytes: 1,
      sha256: "a".repeat(64),
      content: new Uint8Array(1),
    } as const;
    const wish = { ...(await next(stage, postId, [id], "other words")), media: [picture] };
    expect(await stores.posts.edit(userId, wish)).toBe("done");
    const found = await detail(stage, id);
    expect(found).toMatchObject({ state: "scheduled", revision: 2, units: 1, text: "other words" });
    expect(unitIds).not.toContain(found.unitList[0]?.id);
    expect(await eventsOf(stage, id)).toEqual(["scheduled", "claimed", "edited"]);
    expect(await settle(stage, claimed, sending(0, null, LEASE_MS))).toBe(false);
    const source = await stores.posts.source(userId, postId);
    expect(source).toMatchObject({ revision: 2, parts: [{ text: "other words" }], media: [{ id: picture.id }] });
    expect(await claimOne(stage, { only: [id] })).toMatchObject({ purpose: "publish" });
  });

  test("edit: all of it or nothing, and nobody else's post", async (stage) => {
    const { stores, userId } = stage;
    const { postId, id } = await schedule(stage);
    const wish = await next(stage, postId, [id], "mine");
    expect(await stores.posts.edit(await newUser(stores), wish)).toBe("revision");
    expect(await stores.posts.edit(userId, { ...wish, revision: 7 })).toBe("revision");
    expect(await stores.posts.edit(userId, { ...wish, deliveries: [] })).toBe("deliveries");
    const stale = wish.deliveries.map((one) => ({ ...one, fence: one.fence + 1 }));
    expect(await stores.posts.edit(userId, { ...wish, deliveries: stale })).toBe("deliveries");
    const twice = wish.deliveries.map((one) => ({ ...one, units: [...one.units, ...one.units] }));
    await expect(stores.posts.edit(userId, { ...wish, deliveries: twice })).rejects.toMatchObject({
      code: "DB_FAILED",
    });
    expect(await textsOf(stage, id)).toEqual(["hello"]);
    expect(await stores.posts.source(userId, postId)).toMatchObject({ revision: 1, parts: [{ text: "hello" }] });
    expect(await eventsOf(stage, id)).toEqual(["scheduled"]);
    expect(await stores.posts.edit(userId, wish)).toBe("done");
  });

  test("edit: what is out or under way is never changed, and what has ended may keep its words", async (stage) => {
    const { stores, userId } = stage;
    const thread = await schedule(stage, { units: [{ text: "a" }, { text: "b", prepare: true }] });
    const claimed = await claimOne(stage, { only: [thread.id] });
    const begun = await next(stage, thread.postId, [thread.id], "sending");
    expect(await stores.posts.edit(userId, begun)).toBe("deliveries");
    await settle(
      stage,
      claimed,
      answered(0, { outcome: published("0"), next: { position: 1, ready: false }, leaseMs: LEASE_MS }),
    );
    expect(await stateOf(stage, thread.id)).toBe("claimed");
    const half = await next(stage, thread.postId, [thread.id], "half");
    expect(await stores.posts.edit(userId, half)).toBe("deliveries");
    expect(await stores.posts.edit(userId, { ...half, deliveries: [] })).toBe("done");
    expect(await textsOf(stage, thread.id)).toEqual(["a", "b"]);

    const refused = await schedule(stage);
    const tried = await claimOne(stage, { only: [refused.id] });
    await settle(stage, tried, failed(0, { error: new PsnError("PLATFORM_REJECTED", "no"), attempt: 1, random: 0 }));
    const without = await next(stage, refused.postId, [], "kept");
    expect(await stores.posts.edit(userId, without)).toBe("done");
    expect(await textsOf(stage, refused.id)).toEqual(["hello"]);
    expect(await stores.posts.edit(userId, await next(stage, refused.postId, [refused.id], "new"))).toBe("done");
    expect(await detail(stage, refused.id)).toMatchObject({ state: "failed", text: "new" });
  });

  test("edit: what is being removed, or was removed, keeps its words", async (stage) => {
    const { stores, userId } = stage;
    const { postId, id } = await schedule(stage);
    await settle(stage, await claimOne(stage, { only: [id] }), done("1"));
    expect(await stores.posts.remove(userId, [id])).toEqual([id]);
    expect(await stores.posts.edit(userId, await next(stage, postId, [id], "new"))).toBe("deliveries");
    // An account's reconnection, or a hold, changes nothing of that.
    await asOwner(stage.db, "UPDATE psn.deliveries SET state = 'held' WHERE id = $1", [id]);
    expect(await stores.posts.edit(userId, await next(stage, postId, [id], "new"))).toBe("deliveries");
    const gone = "UPDATE psn.delivery_units SET state = 'removed', sent_at = NULL WHERE delivery_id = $1";
    await asOwner(stage.db, gone, [id]);
    await asOwner(stage.db, "UPDATE psn.deliveries SET state = 'removed' WHERE id = $1", [id]);
    expect(await stores.posts.edit(userId, await next(stage, postId, [id], "new"))).toBe("deliveries");
    expect(
      await stores.posts.move(userId, {
        ids: [id],
        dueAt: new Date(Date.now() + 3_600_000),
        wallTime: "",
        timeZone: "UTC",
      }),
    ).toEqual([]);
    expect(await textsOf(stage, id)).toEqual(["hello"]);
    expect(await stores.posts.edit(userId, await next(stage, postId, [], "kept"))).toBe("done");
    expect(await textsOf(stage, id)).toEqual(["hello"]);
  });

  test("edit against a claim, a send that begins, another edit and a cancel: exactly one wins", async (stage) => {
    const { stores, userId } = stage;
    for (let round = 0; round < 8; round += 1) {
      const { postId, id } = await schedule(stage);
      const wish = await next(stage, postId, [id], "edited");
      const [claims, outcome] = await Promise.all([claim(stage, { only: [id] }), stores.posts.edit(userId, wish)]);
      expect(claims.length + Number(outcome === "done")).toBeGreaterThan(0);
      // Where both have it, the claim came second and is of the new words.
      if (outcome === "done") expect((await stateOf(stage, id)) === "scheduled").toBe(claims.length === 0);
      expect(await textsOf(stage, id)).toEqual([outcome === "done" ? "edited" : "hello"]);
      await stores.posts.cancel(userId, [id]);

      const slow = await schedule(stage, { units: [{ prepare: true }] });
      const claimed = await claimOne(stage, { only: [slow.id] });
      const meant = await next(stage, slow.postId, [slow.id], "edited");
      const [may, said] = await Promise.all([
        settle(stage, claimed, sending(0, null, LEASE_MS)),
        stores.posts.edit(userId, meant),
      ]);
      expect(Number(may) + Number(said === "done")).toBe(1);
      expect(await textsOf(stage, slow.id)).toEqual([may ? "hello" : "edited"]);
      await stores.posts.cancel(userId, [slow.id]);

      const both = await schedule(stage, { dueInMs: 3_600_000 });
      const wishes = await Promise.all(["one", "two"].map((text) => next(stage, both.postId, [both.id], text)));
      const outcomes = await Promise.all(wishes.map((one) => stores.posts.edit(userId, one)));
      expect(outcomes.toSorted()).toEqual(["done", "revision"]);
      expect(await textsOf(stage, both.id)).toEqual([outcomes[0] === "done" ? "one" : "two"]);

      const third = await next(stage, both.postId, [both.id], "three");
      const [cancelled, last] = await Promise.all([
        stores.posts.cancel(userId, [both.id]),
        stores.posts.edit(userId, third),
      ]);
      expect(cancelled).toEqual([both.id]);
      expect(await stateOf(stage, both.id)).toBe("cancelled");
      expect((await detail(stage, both.id)).text).toBe(
        last === "done" ? "three" : outcomes[0] === "done" ? "one" : "two",
      );
    }
  });

  test("held: by whom ever it is written, it has a reason, and loses it when it goes on", async (stage) => {
    const { stores, userId } = stage;
    const reasons = async (id: string) => (await detail(stage, id)).heldReason;
    const { id } = await schedule(stage, { units: [{ prepare: true }] });
    expect(await reasons(id)).toBe(null);
    await settle(
      stage,
      await claimOne(stage, { only: [id] }),
      failed(0, { error: new PsnError("AUTH_REVOKED", "no"), attempt: 1, random: 0 }),
    );
    expect(await detail(stage, id)).toMatchObject({ state: "held", heldReason: "reconnect" });
    await stores.posts.move(userId, {
      ids: [id],
      dueAt: new Date(Date.now() + 3_600_000),
      wallTime: "",
      timeZone: "UTC",
    });
    expect(await reasons(id)).toBe(null);
    const hold = "UPDATE psn.deliveries SET state = 'held', code = 'LATE' WHERE id = $1";
    await asOwner(stage.db, hold, [id]);
    expect(await reasons(id)).toBe("late");
    await stores.posts.retry(userId, [id]);
    expect(await reasons(id)).toBe(null);
    await expect(
      asOwner(stage.db, "UPDATE psn.deliveries SET state = 'held', held_reason = 'whim' WHERE id = $1", [id]),
    ).rejects.toThrow();
  });
}
