import type { WakeUp } from "@psn/core/ports/outside.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { expect, test } from "vitest";
import { wakeUp } from "./wake-up.ts";

const AT = new Date("2026-11-02T12:00:00.000Z");
const summary = (state: DeliveryState, more: Partial<DeliverySummary> = {}): DeliverySummary => ({
  id: state,
  postId: "post",
  accountId: "account",
  operation: "publish",
  platform: "x",
  handle: "ada",
  state,
  dueAt: AT,
  wakeAt: new Date(0),
  aheadMs: 0,
  nextAt: AT,
  atWork: false,
  attempt: 1,
  fence: 1,
  code: null,
  heldReason: null,
  revision: 1,
  message: null,
  publishedAt: null,
  text: "hello",
  url: null,
  units: 1,
  unitsPublished: 0,
  health: "ok",
  ...more,
});

async function asked(...deliveries: DeliverySummary[]): Promise<readonly WakeUp[]> {
  const wakeUps: WakeUp[] = [];
  const wake = async (one: WakeUp) => String(wakeUps.push(one));
  await wakeUp(
    { queue: { name: "a queue", serves: () => true, wake, forget: async () => undefined } },
    "user",
    deliveries,
  );
  return wakeUps;
}

test.each(["scheduled", "claimed", "sending", "pending"] as const)(
  "the queue is told of one that is %s and that nobody is at",
  async (state) => {
    expect(await asked(summary(state))).toMatchObject([{ deliveryId: state, state, at: AT }]);
  },
);

test.each(["held", "published", "failed", "unconfirmed", "cancelled"] as const)(
  "nothing is to be done for one that is %s",
  async (state) => {
    expect(await asked(summary(state, { nextAt: null }))).toEqual([]);
  },
);

test("a worker that is at it, and an account that must be connected first, are left alone", async () => {
  expect(
    await asked(
      summary("sending", { atWork: true, nextAt: null }),
      summary("pending", { health: "needs-reconnect", nextAt: null }),
    ),
  ).toEqual([]);
});
