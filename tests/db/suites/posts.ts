import { createHash, randomBytes } from "node:crypto";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import { answered, LEASE_MS } from "@psn/domain/delivery.ts";
import { expect } from "vitest";
import { asOwner } from "../../support/databases.ts";
import {
  claimOne,
  connect,
  detail,
  done,
  newId,
  newPost,
  newUser,
  published,
  ref,
  type Stage,
  schedule,
  settle,
  setUp,
  type Test,
  unit,
} from "../stage.ts";

const media = (content: Uint8Array, more: Partial<NewMedia> = {}): NewMedia => ({
  id: newId(),
  kind: "image",
  mime: "image/png",
  bytes: content.length,
  sha256: createHash("sha256").update(content).digest("hex"),
  content,
  ...more,
});

/** How many rows of each kind a user has. */
async function countRows({ db, userId }: Stage): Promise<unknown> {
  const count = (table: string) => `(SELECT count(*)::integer FROM psn.${table} WHERE user_id = $1) AS ${table}`;
  const tables = ["posts", "media", "deliveries", "delivery_units", "delivery_events"];
  return (await asOwner(db, `SELECT ${tables.map(count).join(", ")}`, [userId]))[0];
}

export function postTests(test: Test): void {
  test("posts: what was scheduled comes back as it was", async (stage) => {
    const { stores, userId, platform, accountId } = stage;
    const second = await connect(stage, "second");
    const body = {
      text: "naïve 🦆 \\ \" '",
      nested: { list: [1, 2.5, null, true, { deep: [] }], empty: {} },
      big: 9007199254740991,
    };
    const picture = media(new Uint8Array([1, 2, 3]), { width: 3, height: 2, alt: "a duck" });
    const film = media(new Uint8Array([4]), { kind: "video", mime: "video/mp4", durationMs: 1500, frameRate: 29.9 });
    const dueAt = new Date("2031-03-30T01:30:00.123Z");
    const { postId, ids } = await schedule(stage, {
      units: [
        { body, text: body.text, length: 13, media: [picture.id, film.id] },
        { text: "two", prepare: true },
      ],
      accounts: [accountId, second],
      dueInMs: dueAt.getTime() - Date.now(),
      media: [picture, film],
      post: {
        language: "de-CH",
        visibility: "unlisted",
        overrides: { x: [{ text: "o", media: [] }] },
        options: { x: { reply: "following" } },
        origin: { kind: "csv", ref: "posts.csv:7" },
      },
      due: { wallTime: "2031-03-30T03:30", timeZone: "Europe/Zurich" },
    });
    const found = await stores.posts.detail(userId, ids);
    expect(found).toHaveLength(2);
    expect(found[0]).toMatchObject({
      id: ids[0],
      postId,
      accountId,
      platform,
      handle: "@first",
      state: "scheduled",
      health: "ok",
      attempt: 0,
      code: null,
      message: null,
      publishedAt: null,
      text: body.text,
      url: null,
      units: 2,
      unitsPublished: 0,
    });
    // The schedule of the stage is a moment later than the one above.
    expect(Math.abs((found[0]?.dueAt.getTime() ?? 0) - dueAt.getTime())).toBeLessThan(60_000);
    expect(found[0]?.wakeAt).toEqual(found[0]?.dueAt);
    expect(found[0]?.unitList[0]).toMatchObject({
      position: 0,
      state: "waiting",
      sentAt: null,
      prepared: null,
      handle: null,
      ref: null,
    });
    expect(found[0]?.unitList.map((each) => each.unit)).toEqual([
      { body, text: body.text, length: 13, media: [picture.id, film.id], prepare: false },
      unit({ text: "two", prepare: true }),
    ]);
    expect(found[0]?.events).toMatchObject([
      { event: "scheduled", attempt: 0, unit: null, code: null, note: null, actor: "user" },
    ]);
    const loaded = await stores.deliveries.load(userId, ids[1] ?? "");
    expect(loaded?.account).toMatchObject({ id: second, platform });
    expect(loaded?.credentials?.access).toBe("v1.key1.access");
    expect([...(loaded?.media ?? [])].sort((a, b) => a.bytes - b.bytes)).toEqual([
      { id: film.id, kind: "video", mime: "video/mp4", bytes: 1, durationMs: 1500, frameRate: 29.9 },
      { id: picture.id, kind: "image", mime: "image/png", bytes: 3, width: 3, height: 2, alt: "a duck" },
    ]);
    const [post] = await asOwner(
      stage.db,
      "SELECT language, visibility, overrides, parts, targets, state, origin, origin_ref FROM psn.posts WHERE id = $1",
      [postId],
    );
    expect(await stores.posts.source(userId, postId)).toMatchObject({
      revision: 1,
      options: { x: { reply: "following" } },
      media: expect.arrayContaining([expect.objectContaining({ id: film.id, sha256: film.sha256, durationMs: 1500 })]),
    });
    expect(
      await asOwner(stage.db, "SELECT due_at, wall_time, time_zone FROM psn.deliveries WHERE id = $1", ids.slice(0, 1)),
    ).toEqual([{ due_at: expect.anything(), wall_time: "2031-03-30T03:30", time_zone: "Europe/Zurich" }]);
    expect(post).toEqual({
      language: "de-CH",
      visibility: "unlisted",
      targets: [accountId, second],
      state: "ready",
      origin: "csv",
      origin_ref: "posts.csv:7",
      overrides: { x: [{ text: "o", media: [] }] },
      parts: [{ text: "hello", media: [] }],
    });
  });

  test("posts: dates keep their milliseconds, jsonb its kind", async (stage) => {
    const { stores, userId, accountId } = stage;
    const dueAt = new Date("2026-10-25T01:30:00.007Z");
    for (const body of ["text", 0, false, [], {}, "12"]) {
      const id = newId();
      await stores.posts.schedule(userId, {
        post: newPost(),
        media: [],
        deliveries: [{ id, accountId, units: [{ id: newId(), unit: unit({ body }) }] }],
        due: { at: dueAt },
      });
      const found = await detail(stage, id);
      expect(found.dueAt).toEqual(dueAt);
      expect(found.unitList[0]?.unit.body).toEqual(body);
    }
  });

  test("posts: a schedule that cannot be whole writes nothing", async (stage) => {
    const { stores, userId, accountId } = stage;
    const stranger = await setUp(stage.db);
    const before = await countRows(stage);
    const targets = [accountId, stranger.accountId].map((account) => ({
      id: newId(),
      accountId: account,
      units: [{ id: newId(), unit: unit() }],
    }));
    const scheduled = stores.posts.schedule(userId, {
      post: newPost(),
      media: [media(new Uint8Array([1]))],
      deliveries: targets,
      due: {
        at: new Date(),
      },
    });
    await expect(scheduled).rejects.toMatchObject({ code: "DB_FAILED", details: { constraint: "deliveries_account" } });
    expect(await countRows(stage)).toEqual(before);
    // The connection is usable afterwards.
    await schedule(stage);
  });

  test("posts: an idempotency key is taken once for a user", async (stage) => {
    const { stores, userId, accountId } = stage;
    const post = () => newPost({ idempotencyKey: "monday" });
    const tryOnce = (p = post()) =>
      stores.posts.schedule(userId, {
        post: p,
        media: [],
        deliveries: [{ id: newId(), accountId, units: [{ id: newId(), unit: unit() }] }],
        due: {
          at: new Date(),
        },
      });
    const posts = Array.from({ length: 10 }, post);
    const won = await Promise.all(posts.map(tryOnce));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(await stores.posts.findByKey(userId, "monday")).toBe(posts[won.indexOf(true)]?.id);
    expect(await tryOnce()).toBe(false);
    expect(await countRows(stage)).toMatchObject({ posts: 1, deliveries: 1, delivery_units: 1, delivery_events: 1 });
    expect(await stores.posts.findByKey(userId, "tuesday")).toBeUndefined();
    const other = await setUp(stage.db);
    expect(await stores.posts.findByKey(other.userId, "monday")).toBeUndefined();
    await schedule(other, { post: { idempotencyKey: "monday" } });
  });

  test("posts: the bytes of a file come back as they were", async (stage) => {
    const { stores, userId } = stage;
    const every = media(Uint8Array.from({ length: 512 }, (_, n) => n % 256));
    const large = media(new Uint8Array(randomBytes(1024 * 1024)));
    const empty = media(new Uint8Array(0));
    await schedule(stage, { media: [every, large, empty] });
    for (const file of [every, large, empty]) {
      const found = await stores.posts.findMedia(userId, file.id);
      const content = found && "content" in found ? found.content : undefined;
      expect(content?.length).toBe(file.bytes);
      expect(found?.sha256).toBe(file.sha256);
      expect(
        createHash("sha256")
          .update(content ?? "")
          .digest("hex"),
      ).toBe(file.sha256);
    }
    expect(await stores.posts.findMedia(userId, newId())).toBeUndefined();
    expect(await stores.posts.findMedia(await newUser(stores), every.id)).toBeUndefined();
  });

  test("posts: the queue shows what is open, soonest first; the history all, latest first", async (stage) => {
    const { stores, userId } = stage;
    const out = await schedule(stage, { units: [{ text: "one" }, { text: "two" }] });
    const claimed = await claimOne(stage);
    await settle(
      stage,
      claimed,
      answered(0, { outcome: published("1"), next: { position: 1, ready: true }, leaseMs: LEASE_MS }),
    );
    expect(await stores.posts.ofPost(userId, out.postId)).toMatchObject([
      { id: out.id, state: "sending", units: 2, unitsPublished: 1, text: "one", url: ref("1").url },
    ]);
    await settle(stage, claimed, done("2", 1));
    const [late, soon] = [await schedule(stage, { dueInMs: 7_200_000 }), await schedule(stage, { dueInMs: 3_600_000 })];
    const idsOf = async (filter: "open" | "all", most: number) =>
      (await stores.posts.list(userId, filter, most)).map(({ id }) => id);
    expect(await idsOf("open", 10)).toEqual([soon.id, late.id]);
    expect(await idsOf("open", 1)).toEqual([soon.id]);
    expect(new Set(await idsOf("all", 10))).toEqual(new Set([soon.id, late.id, out.id]));
    await Bun.sleep(2);
    await stores.posts.cancel(userId, [late.id]);
    expect(await idsOf("all", 1)).toEqual([late.id]);
    expect(await idsOf("open", 10)).toEqual([soon.id]);
    const [summary] = await stores.posts.ofPost(userId, out.postId);
    expect(summary).toMatchObject({ state: "published", unitsPublished: 2 });
    expect(summary?.publishedAt).toBeInstanceOf(Date);
    const other = await newUser(stores);
    expect(await stores.posts.list(other, "all", 10)).toEqual([]);
    expect(await stores.posts.ofPost(other, out.postId)).toEqual([]);
    expect(await stores.posts.detail(other, [out.id])).toEqual([]);
    expect(await stores.posts.detail(userId, [])).toEqual([]);
  });

  test("posts: an id is found by its end, a delivery's or its post's", async (stage) => {
    const { stores, userId } = stage;
    const { id, postId } = await schedule(stage);
    await schedule(stage);
    for (const words of [id, postId, id.slice(-12), postId.slice(-8), id.slice(-8).toUpperCase()])
      expect(await stores.posts.find(userId, words)).toMatchObject([{ id, postId }]);
    for (const words of ["%", "_", "zzzz", newId(), `${id}0`])
      expect(await stores.posts.find(userId, words)).toEqual([]);
    expect(await stores.posts.find(await newUser(stores), id)).toEqual([]);
  });
}
