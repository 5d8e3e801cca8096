import { type DraftPost, type Stoppable, schedulePost } from "@psn/app/schedule-post.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Posts } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import { beforeEach, expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { openStage, type Stage } from "./stage.ts";

/* A post is stored or it is not, and psn says which: also when a signal or a lost answer falls into that moment. */

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});

const draft: DraftPost = { parts: [{ text: "hello", media: [] }], overrides: {}, split: false, numbered: false };
const gone = () => new PsnError("DB_UNREACHABLE", "the database does not answer");
const stored = async () => (await asOwner<{ id: string }>(stage.db, "SELECT id FROM psn.posts")).map(({ id }) => id);

/** Schedules with a store of which something is otherwise. */
async function schedule(
  change: (posts: Posts) => Partial<Posts>,
  key: string | null = null,
  stoppable: Stoppable = {},
) {
  const account = await stage.connect("chosen");
  const { posts } = stage.world.stores;
  const world: World = { ...stage.world, stores: { ...stage.world.stores, posts: { ...posts, ...change(posts) } } };
  const due = { at: new Date(Date.now() + 3_600_000), wallTime: null, timeZone: null };
  return schedulePost(world, {
    userId: stage.userId,
    draft,
    accounts: [account],
    due,
    idempotencyKey: key,
    ...stoppable,
  });
}

/** The rows are written, and the answer does not come, so many times. */
const answerLost = (times: number) => (posts: Posts) => {
  let left = times;
  return {
    schedule: async (...given: Parameters<Posts["schedule"]>) => {
      const fresh = await posts.schedule(...given);
      left -= 1;
      if (left >= 0) throw gone();
      return fresh;
    },
  };
};

test.each([null, "key"])(
  "the answer to the write is lost: the post is stored once, and psn says so (key %j)",
  async (key) => {
    const { postId, repeated } = await schedule(answerLost(1), key);
    expect(repeated).toBe(false);
    expect(await stored()).toEqual([postId]);
  },
);

test("the write did not arrive: it is made again", async () => {
  let tries = 0;
  const { postId } = await schedule((posts) => ({
    schedule: (...given) => {
      tries += 1;
      return tries === 1 ? Promise.reject(gone()) : posts.schedule(...given);
    },
  }));
  expect(await stored()).toEqual([postId]);
});

test("the database has the answer, and it is no: nothing is stored, and trying again is safe", async () => {
  await expect(schedule(() => ({ schedule: () => Promise.reject(gone()) }))).rejects.toMatchObject({
    code: "DB_UNREACHABLE",
  });
  expect(await stored()).toEqual([]);
});

test("the database stays away: nobody knows, and the code does not invite to try again", async () => {
  const away = schedule((posts) => ({ ...answerLost(1)(posts), ofPost: () => Promise.reject(gone()) }));
  const said: unknown = await away.catch((error: unknown) => error);
  expect(said).toMatchObject({ code: "OUTCOME_UNKNOWN", exit: 8, details: { post: (await stored())[0] } });
});

test("a signal in the last moment before the rows are written: nothing is", async () => {
  const order: string[] = [];
  const stop = new PsnError("INTERRUPTED", "stopped");
  const noReturn = () => {
    order.push("no return");
    throw stop;
  };
  const watched = (posts: Posts): Partial<Posts> => ({
    schedule: (...given) => {
      order.push("write");
      return posts.schedule(...given);
    },
  });
  await expect(schedule(watched, null, { noReturn })).rejects.toBe(stop);
  expect(order).toEqual(["no return"]);
  expect(await stored()).toEqual([]);
});
