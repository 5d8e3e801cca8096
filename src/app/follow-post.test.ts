import { PsnError } from "@psn/core/errors.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import type { AccountHealth, DeliveryState } from "@psn/core/types/index.ts";
import { describe, expect, test } from "vitest";
import { assertOutcome } from "./follow-post.ts";

let serial = 0;
function delivery(state: DeliveryState, health: AccountHealth = "ok"): DeliverySummary {
  serial += 1;
  return {
    id: `00000000-0000-7000-8000-${String(serial).padStart(12, "0")}`,
    postId: "00000000-0000-7000-8000-0000000abcde",
    accountId: "a",
    operation: "publish",
    platform: "bluesky",
    handle: `ada-${serial}.example`,
    state,
    dueAt: new Date(0),
    wakeAt: new Date(0),
    aheadMs: 0,
    nextAt: null,
    atWork: false,
    attempt: 1,
    fence: 1,
    code: null,
    heldReason: state === "held" ? "reconnect" : null,
    revision: 1,
    message: state === "failed" ? "the platform said no" : null,
    publishedAt: null,
    text: "hello",
    url: null,
    units: 1,
    unitsPublished: state === "published" ? 1 : 0,
    health,
  };
}

/** The exit code and the error's code; 0 when nothing is thrown. */
function outcome(deliveries: readonly DeliverySummary[]): readonly [number, string?] {
  try {
    assertOutcome(deliveries);
    return [0];
  } catch (error) {
    if (error instanceof PsnError) return [error.exit, error.code];
    throw error;
  }
}

describe("what the deliveries' ends amount to", () => {
  const cases: readonly [readonly DeliveryState[], number, string?][] = [
    [["published"], 0],
    [["published", "published"], 0],
    [["failed"], 1, "PUBLISH_FAILED"],
    [["failed", "failed"], 1, "PUBLISH_FAILED"],
    [["published", "failed"], 5, "PUBLISH_PARTIAL"],
    [["held"], 4, "AUTH_REVOKED"],
    [["published", "held"], 5, "PUBLISH_PARTIAL"],
    [["unconfirmed"], 8, "UNCONFIRMED"],
    [["published", "unconfirmed"], 8, "UNCONFIRMED"],
    [["cancelled"], 1, "PUBLISH_CANCELLED"],
    [["scheduled"], 8, "STILL_PENDING"],
    [["pending"], 8, "STILL_PENDING"],
    [["sending", "published"], 8, "STILL_PENDING"],
    // Whoever takes 1 for "nothing is out" and posts again must not post twice.
    [["failed", "unconfirmed"], 8, "UNCONFIRMED"],
    [["scheduled", "unconfirmed"], 8, "UNCONFIRMED"],
    [["failed", "scheduled"], 8, "STILL_PENDING"],
    [["failed", "held"], 4, "AUTH_REVOKED"],
  ];
  test.each(cases)("%j is exit code %d", (states, exit, code) => {
    expect(outcome(states.map((state) => delivery(state)))).toEqual(code === undefined ? [exit] : [exit, code]);
  });

  test.each(["scheduled", "sending", "pending"] as const)(
    "%s of an account that needs its user is exit code 4",
    (state) => {
      expect(outcome([delivery(state, "needs-reconnect")])).toEqual([4, "AUTH_REVOKED"]);
    },
  );

  test("what has ended is not asked about its account any more", () => {
    expect(outcome([delivery("published", "needs-reconnect")])).toEqual([0]);
    expect(outcome([delivery("unconfirmed", "disconnected")])).toEqual([8, "UNCONFIRMED"]);
  });

  test("names the account that failed and its reason, and where to look", () => {
    const failing = delivery("failed");
    const expected = {
      message: `bluesky:${failing.handle}: the platform said no`,
      hint: "psn show 000abcde",
      details: {
        post: failing.postId,
        deliveries: [
          {
            id: expect.any(String),
            account: expect.stringMatching(/^bluesky:/),
            state: "published",
            code: null,
            url: null,
          },
          { id: failing.id, account: `bluesky:${failing.handle}`, state: "failed", code: null, url: null },
        ],
      },
    };
    expect(() => assertOutcome([delivery("published"), failing])).toThrow(expect.objectContaining(expected));
  });
});
