import { ERRORS, type ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { Capabilities } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { Outcome } from "@psn/core/types/platform.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  answered,
  askedForMs,
  backoffMs,
  failed,
  failedAgain,
  HUBS_OWN,
  isHubs,
  LEASE_MS,
  needsUser,
  pollAgain,
  renewed,
  SETTLE_PATIENCE_MS,
  sending,
  settlement,
  stillUnknown,
  TERMINAL,
  unconfirmed,
} from "./delivery.ts";

const ref = { id: "1", url: "https://example.com/1" };
const published: Outcome = { status: "published", ref };
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const codes = Object.keys(ERRORS).filter((code): code is ErrorCode => code in ERRORS);
const withRetry = (retry: string) => codes.filter((code) => ERRORS[code].retry === retry);
const anyCode = fc.constantFrom(...codes);
const anyError = fc
  .record({ code: anyCode, retryAfterMs: fc.option(fc.integer({ min: 0, max: DAY }), { nil: undefined }) })
  .map(({ code, retryAfterMs }) => new PsnError(code, "why", retryAfterMs === undefined ? {} : { retryAfterMs }));
const anyAttempt = fc.integer({ min: 1, max: 100 });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("a platform's answer", () => {
  test("ends a delivery of one unit", () => {
    expect(answered(0, { outcome: published, next: undefined, leaseMs: LEASE_MS })).toMatchObject({
      state: "published",
      leaseMs: null,
      event: "published",
      note: ref.url,
      code: null,
      unit: { position: 0, state: "published", ref, handle: null },
      next: null,
      account: null,
    });
  });

  test("opens the next unit by the same write when that is ready", () => {
    const change = answered(1, { outcome: published, next: { position: 2, ready: true }, leaseMs: LEASE_MS });
    expect(change).toMatchObject({
      state: "sending",
      leaseMs: LEASE_MS,
      event: "unit published",
      next: { position: 2 },
      unit: { position: 1 },
    });
  });

  test("keeps the claim for a next unit that must be prepared: nothing of it is sent", () => {
    expect(answered(0, { outcome: published, next: { position: 1, ready: false }, leaseMs: LEASE_MS })).toMatchObject({
      state: "claimed",
      leaseMs: LEASE_MS,
      next: null,
    });
  });

  test.each([undefined, { position: 1, ready: true }])("that it is still processing opens nothing", (next) => {
    const change = answered(0, {
      outcome: { status: "pending", handle: "job", checkAfterMs: 5000 },
      next,
      leaseMs: LEASE_MS,
    });
    expect(change).toMatchObject({
      state: "pending",
      wakeInMs: 5000,
      leaseMs: null,
      next: null,
      unit: { position: 0, state: "pending", handle: "job" },
    });
  });
});

describe("a lease", () => {
  test("outlasts two renewals and two requests", () => {
    expect(LEASE_MS).toBe(MINUTE);
  });

  test.each(["claimed", "sending"] as const)("is renewed without any other change (%s)", (state) => {
    const nothing = { wakeInMs: null, event: null, note: null, unit: null, next: null, account: null };
    expect(renewed(state, 7)).toMatchObject({ ...nothing, state, leaseMs: 7 });
  });

  test("goes on when a unit is about to be sent, with what was prepared", () => {
    expect(sending(2, ["media-1"], 7)).toMatchObject({
      state: "sending",
      leaseMs: 7,
      unit: { position: 2, state: "sending", prepared: ["media-1"] },
    });
  });
});

/** Whose trouble each failure is; a new code of the table must be put in here. `command`: no delivery ever meets it. */
const WHOSE: Readonly<Record<ErrorCode, "hub" | "user" | "passing" | "unknown" | "post" | "command">> = {
  ...{ CONFIG_INVALID: "hub", CONFIG_EXPOSED: "hub", HUB_MISSING: "hub", SCHEMA_OUTDATED: "hub", SCHEMA_NEWER: "hub" },
  ...{ CONFIG_UNREADABLE: "hub", CONFIG_UNWRITABLE: "hub", HUB_UNFINISHED: "hub", BUCKET_MISSING: "hub" },
  ...{ CONFIG_CHANGED: "command", TRIGGER_MISSING: "command", DB_OWNER_REQUIRED: "command" },
  ...{
    DB_REFUSED: "hub",
    DB_TLS: "hub",
    DB_UNREACHABLE: "hub",
    DB_BUSY: "hub",
    DB_LOCKED: "hub",
    DB_FULL: "hub",
    DB_FAILED: "hub",
    DB_UNUSABLE: "hub",
    DB_TOO_LARGE: "hub",
  },
  ...{
    VAULT_LOCKED: "hub",
    APP_MISSING: "hub",
    FILE_UNREADABLE: "hub",
    FILE_UNWRITABLE: "hub",
    PRIVATE_ADDRESS: "hub",
    VENDOR_AUTH: "hub",
    VENDOR_REFUSED: "hub",
  },
  ...{ VENDOR_QUOTA: "hub", VENDOR_UNREACHABLE: "hub", VENDOR_CHANGED: "hub" },
  ...{ AUTH_REQUIRED: "user", AUTH_EXPIRED: "user", AUTH_REVOKED: "user", APP_REFUSED: "user", VAULT_TAMPERED: "user" },
  ...{ RATE_LIMITED: "passing", PLATFORM_UNREACHABLE: "passing", PLATFORM_DOWN: "passing" },
  ...{ OUTCOME_UNKNOWN: "unknown", PLATFORM_CHANGED: "unknown" },
  ...{ MEDIA_INVALID: "post", MEDIA_GONE: "post", POST_INVALID: "post", PLATFORM_REJECTED: "post", AUTH_SCOPE: "post" },
  ...{ INPUT_INVALID: "post", NOT_FOUND: "post", UNCONFIRMED: "post", BUG: "post" },
  ...{
    USAGE: "command",
    SECRET_IN_ARGUMENTS: "command",
    INPUT_REQUIRED: "command",
    TIME_INVALID: "command",
    SETTING_UNKNOWN: "command",
    STATE_CONFLICT: "command",
  },
  ...{
    AMBIGUOUS: "command",
    ACCOUNT_MISMATCH: "command",
    PASSPHRASE_WRONG: "command",
    ARCHIVE_INVALID: "command",
    ARCHIVE_NEWER: "command",
    TEXT_INCOMPLETE: "command",
    PORT_TAKEN: "command",
    DRAFT_INVALID: "command",
    MEDIA_OUTSIDE: "command",
  },
  ...{
    ALREADY_EXISTS: "command",
    FOREIGN_CONTENT: "command",
    HUB_BUSY: "command",
    CHANGED_MEANWHILE: "command",
    WORKER_RUNNING: "command",
    DB_UNSUITABLE: "command",
    PUBLISH_CANCELLED: "command",
  },
  ...{
    CONSENT_SHARED: "command",
    LATE: "command",
    STILL_PENDING: "command",
    REMOVE_INCOMPLETE: "command",
    PUBLISH_PARTIAL: "command",
    PUBLISH_FAILED: "command",
  },
  ...{
    DEPLOY_FAILED: "command",
    SERVICE_FAILED: "command",
    CHECK_FAILED: "command",
    HUB_COPIED: "command",
    LEASE_LOST: "command",
    OUTPUT_FAILED: "command",
  },
  ...{ INTERRUPTED: "command" },
};
const BECOMES = {
  hub: "scheduled",
  user: "held",
  passing: "scheduled",
  unknown: "sending",
  post: "failed",
  command: undefined,
} as const;

test.each(Object.entries(WHOSE) as [ErrorCode, keyof typeof BECOMES][])("%s is the trouble of: %s", (code, whose) => {
  const state = BECOMES[whose];
  if (state) expect(failed(0, { error: new PsnError(code, "why"), attempt: 1, random: 0.5 })).toMatchObject({ state });
  expect(isHubs(code)).toBe(whose === "hub");
  if (whose === "hub")
    expect(failed(0, { error: new PsnError(code, "why"), attempt: 10_000, random: 0.5 })).toMatchObject({ state });
});

describe("a failure", () => {
  const change = (code: ErrorCode, more: { retryAfterMs?: number; attempt?: number; random?: number } = {}) => {
    const { attempt = 1, random = 0.5, ...options } = more;
    return failed(0, { error: new PsnError(code, "why", options), attempt, random });
  };

  test.each(withRetry("reconcile"))("that leaves the outcome unknown stays in `sending` (%s)", (code) => {
    expect(change(code)).toMatchObject({
      state: "sending",
      unit: null,
      event: "outcome unknown",
      code,
      message: "why",
    });
    expect(change(code).leaseMs).toBeGreaterThan(0);
  });

  test.each(["AUTH_REVOKED", "AUTH_EXPIRED", "AUTH_REQUIRED"] as const)(
    "of the account holds the delivery for its user (%s)",
    (code) => {
      expect(change(code)).toMatchObject({
        state: "held",
        unit: { state: "waiting" },
        account: { health: "needs-reconnect", reason: "why" },
      });
    },
  );

  test("by a rate limit pauses the account for the platform's own time", () => {
    expect(change("RATE_LIMITED", { retryAfterMs: 37_000 })).toMatchObject({
      state: "scheduled",
      wakeInMs: 37_000,
      account: { pausedForMs: 37_000 },
    });
    expect(change("RATE_LIMITED")).toMatchObject({ wakeInMs: MINUTE, account: { pausedForMs: MINUTE } });
    expect(change("RATE_LIMITED", { attempt: 99 })).toMatchObject({ state: "scheduled" });
  });

  test.each(withRetry("backoff").filter((code) => code !== "RATE_LIMITED" && !isHubs(code)))(
    "before anything was sent is tried again, thirty times (%s)",
    (code) => {
      expect(change(code, { attempt: 29 })).toMatchObject({
        state: "scheduled",
        event: "retrying",
        unit: { state: "waiting" },
        account: null,
      });
      expect(change(code, { attempt: 30 })).toMatchObject({ state: "failed", event: "failed" });
      expect(change(code, { retryAfterMs: 1234 }).wakeInMs).toBe(1234);
    },
  );

  test.each(withRetry("never").filter((code) => !needsUser(new PsnError(code, "")) && !isHubs(code)))(
    "that only a person can mend has failed (%s)",
    (code) => {
      expect(change(code)).toMatchObject({
        state: "failed",
        code,
        message: "why",
        wakeInMs: null,
        leaseMs: null,
        account: null,
      });
    },
  );

  test.each(HUBS_OWN)("that is the hub's and not the post's ends nothing, however often it is met (%s)", (code) => {
    for (const attempt of [1, 30, 1_000]) {
      expect(change(code, { attempt })).toMatchObject({
        state: "scheduled",
        code,
        event: "retrying",
        unit: { state: "waiting", prepared: null },
        account: null,
      });
      expect(change(code, { attempt }).wakeInMs).toBeLessThanOrEqual(15 * MINUTE);
    }
    expect(change(code, { retryAfterMs: 1234 }).wakeInMs).toBe(1234);
    expect(failedAgain(0, { error: new PsnError(code, "why"), ageMs: HOUR })).toMatchObject({ state: "sending" });
  });

  test("of unknown outcome never leads back to `scheduled` nor forgets that the unit was sent", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...withRetry("reconcile")),
        anyAttempt,
        chance,
        fc.nat(DAY * 2),
        (code, attempt, random, age) => {
          const error = new PsnError(code, "why");
          for (const made of [
            failed(0, { error, attempt, random }),
            failedAgain(0, { error, ageMs: age }),
            stillUnknown(age, error),
          ]) {
            expect(made.state).toBe("sending");
            expect(made.unit).toBeNull();
            expect(made.leaseMs).toBeGreaterThan(0);
          }
        },
      ),
    );
  });

  test("of a repeat keeps the first attempt open; a refusal leaves it to a person, unless nothing was taken", () => {
    fc.assert(
      fc.property(anyError, fc.nat(DAY), fc.boolean(), (one, age, neverTaken) => {
        const error = new PsnError(one.code, one.message, {
          neverTaken,
          ...defined({ retryAfterMs: one.retryAfterMs }),
        });
        const made = failedAgain(0, { error, ageMs: age });
        if (error.code === "UNCONFIRMED") expect(made.state).toBe("unconfirmed");
        else if (error.code === "PLATFORM_REJECTED" && !neverTaken)
          expect(made).toMatchObject({ state: "unconfirmed", code: "UNCONFIRMED" });
        else if (error.code === "PLATFORM_REJECTED" && age >= SETTLE_PATIENCE_MS) expect(made.state).toBe("failed");
        else expect(made).toMatchObject({ state: "sending", unit: null, code: error.code });
        if (error.retry !== "never" && error.retryAfterMs !== undefined)
          expect(made.leaseMs).toBeGreaterThanOrEqual(error.retryAfterMs);
      }),
    );
  });

  test("of a question about a pending unit never sends it anew, and says when its user is needed", () => {
    fc.assert(
      fc.property(anyError, anyAttempt, chance, (error, attempt, random) => {
        const made = pollAgain(error, { attempt, random });
        expect(made).toMatchObject({ state: "pending", unit: null, leaseMs: null });
        const paused = error.code === "RATE_LIMITED" ? { pausedForMs: made.wakeInMs } : null;
        expect(made.account).toEqual(needsUser(error) ? { health: "needs-reconnect", reason: "why" } : paused);
      }),
    );
  });

  test("is written with a state that the worker may reach, and a terminal one asks for nothing more", () => {
    fc.assert(
      fc.property(anyError, anyAttempt, chance, fc.nat(DAY * 2), (error, attempt, random, age) => {
        const changes: DeliveryChange[] = [
          failed(0, { error, attempt, random }),
          failedAgain(0, { error, ageMs: age }),
          pollAgain(error, { attempt, random }),
          stillUnknown(age, error),
          unconfirmed(),
          answered(0, { outcome: published, next: undefined, leaseMs: LEASE_MS }),
        ];
        for (const { state, leaseMs, wakeInMs, next, event } of changes) {
          expect(state).not.toBe("cancelled");
          if (TERMINAL.has(state) || state === "held")
            expect({ leaseMs, wakeInMs, next }).toEqual({ leaseMs: null, wakeInMs: null, next: null });
          if (state === "scheduled" || state === "pending")
            expect({ leaseMs, waits: (wakeInMs ?? -1) >= 0 }).toEqual({ leaseMs: null, waits: true });
          if (state === "sending") expect(leaseMs).toBeGreaterThan(0);
          expect(event).not.toBeNull();
        }
      }),
    );
  });
});

test("what ends is what nobody leaves without a command", () => {
  expect([...TERMINAL].sort()).toEqual(["cancelled", "failed", "published", "removed", "unconfirmed"]);
});

describe("the wait before another attempt", () => {
  test("doubles from five seconds to a quarter of an hour, and chance takes at most half of it", () => {
    expect([1, 2, 3, 4].map((attempt) => backoffMs(attempt, 0))).toEqual([2500, 5000, 10_000, 20_000]);
    expect([1, 2, 3, 4].map((attempt) => backoffMs(attempt, 1))).toEqual([5000, 10_000, 20_000, 40_000]);
    fc.assert(
      fc.property(anyAttempt, chance, chance, (attempt, one, other) => {
        const wait = backoffMs(attempt, one);
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(2500);
        expect(wait).toBeLessThanOrEqual(15 * MINUTE);
        expect(backoffMs(attempt + 1, one)).toBeGreaterThanOrEqual(wait);
        // Whatever chance says, two attempts later it is no shorter.
        expect(backoffMs(attempt + 2, other)).toBeGreaterThanOrEqual(Math.min(wait, 7.5 * MINUTE));
      }),
    );
  });

  test("adds up to some hours until a platform that cannot be reached is a failure", () => {
    const total = Array.from({ length: 29 }, (_, n) => backoffMs(n + 1, 0.5)).reduce((sum, wait) => sum + wait, 0);
    expect(total).toBeGreaterThan(4 * HOUR);
    expect(total).toBeLessThan(7 * HOUR);
  });
});

describe("a lost answer", () => {
  const ages = [0, SECOND, SETTLE_PATIENCE_MS - 1, SETTLE_PATIENCE_MS, HOUR, DAY, DAY + 1];
  type Policy = Capabilities["duplicates"];
  const rows: readonly [Policy, boolean | undefined, readonly string[]][] = [
    [
      "client-id",
      undefined,
      ["send again", "send again", "send again", "send again", "send again", "send again", "unconfirmed"],
    ],
    [
      "client-id",
      false,
      ["send again", "send again", "send again", "send again", "send again", "send again", "unconfirmed"],
    ],
    ["idempotency-key", undefined, ["wait", "wait", "wait", "wait", "wait", "wait", "unconfirmed"]],
    ["idempotency-key", false, ["wait", "wait", "wait", "send again", "send again", "send again", "unconfirmed"]],
    ["lookup", undefined, ["wait", "wait", "wait", "wait", "wait", "wait", "unconfirmed"]],
    ["lookup", false, ["wait", "wait", "wait", "unconfirmed", "unconfirmed", "unconfirmed", "unconfirmed"]],
    ["ask-human", undefined, Array(7).fill("unconfirmed")],
    ["ask-human", false, Array(7).fill("unconfirmed")],
  ];

  test.each(rows)("of %s, found %s, is settled by its age", (policy, found, expected) => {
    expect(ages.map((age) => settlement(policy, { ageMs: age, found }))).toEqual(expected);
  });

  test.each(["client-id", "idempotency-key", "lookup", "ask-human"] as const)(
    "that is found is published, however old (%s)",
    (policy) => {
      for (const age of ages) expect(settlement(policy, { ageMs: age, found: true })).toBe("published");
    },
  );

  test("is never sent again but under an id or a key of psn's own", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("lookup", "ask-human"),
        fc.nat(DAY * 3),
        fc.constantFrom(true, false, undefined),
        (policy: Policy, age, found) => {
          expect(settlement(policy, { ageMs: age, found })).not.toBe("send again");
        },
      ),
    );
  });

  test("is asked about more and more rarely, and always again", () => {
    fc.assert(
      fc.property(fc.nat(DAY * 3), fc.nat(HOUR), (age, more) => {
        const { leaseMs, state, code } = stillUnknown(age, undefined);
        expect({ state, code }).toEqual({ state: "sending", code: "OUTCOME_UNKNOWN" });
        expect(leaseMs).toBeGreaterThanOrEqual(2 * SECOND);
        expect(leaseMs).toBeLessThanOrEqual(15 * MINUTE);
        // The look at the end of psn's patience comes when that is over, which can be sooner.
        if (age + more < SETTLE_PATIENCE_MS / 2 || age >= SETTLE_PATIENCE_MS)
          expect(stillUnknown(age + more, undefined).leaseMs).toBeGreaterThanOrEqual(leaseMs ?? 0);
      }),
    );
  });

  test("nobody can find out about is a person's", () => {
    expect(unconfirmed()).toMatchObject({ state: "unconfirmed", code: "UNCONFIRMED", unit: null, leaseMs: null });
  });

  test("of an account that was refused meanwhile says that its user is needed", () => {
    expect(stillUnknown(0, new PsnError("AUTH_REVOKED", "why")).account).toEqual({
      health: "needs-reconnect",
      reason: "why",
    });
    expect(stillUnknown(0, new PsnError("PLATFORM_DOWN", "why")).account).toBeNull();
  });
});

describe("a platform that asks to be left alone", () => {
  const down = (code: ErrorCode, status: number, retryAfterMs?: number) =>
    new PsnError(code, "why", { details: { status }, ...defined({ retryAfterMs }) });

  test.each([502, 503, 504])("by a %i pauses the account, for as long as it says or for a moment", (status) => {
    for (const [code, made] of [
      ["OUTCOME_UNKNOWN", (error: PsnError) => failed(0, { error, attempt: 1, random: 0.5 })],
      ["PLATFORM_DOWN", (error: PsnError) => failed(0, { error, attempt: 1, random: 0.5 })],
      ["OUTCOME_UNKNOWN", (error: PsnError) => stillUnknown(10_000, error, 0.5)],
      ["OUTCOME_UNKNOWN", (error: PsnError) => failedAgain(0, { error, ageMs: 10_000, random: 0.5 })],
    ] as const) {
      const asked = made(down(code, status, 120_000));
      expect(asked.account).toEqual({ pausedForMs: 120_000 });
      // Its own next try comes after those of the account's other posts: it may be the cause itself.
      expect(asked.leaseMs ?? asked.wakeInMs).toBeGreaterThan(120_000);
      expect(asked.leaseMs ?? asked.wakeInMs).toBeLessThan(150_000);
      const silent = made(down(code, status));
      expect(silent.account).toEqual({ pausedForMs: 5_000 });
      expect(silent.leaseMs ?? silent.wakeInMs).toBeGreaterThan(5_000);
    }
  });

  test.each([500, 501, 408, 422])("a %i speaks of one post, and its pause is kept for that", (status) => {
    expect(failed(0, { error: down("OUTCOME_UNKNOWN", status, 120_000), attempt: 1, random: 0 })).toMatchObject({
      leaseMs: 120_000,
      account: null,
    });
    expect(failed(0, { error: down("PLATFORM_DOWN", status, 120_000), attempt: 1, random: 0 })).toMatchObject({
      wakeInMs: 120_000,
      account: null,
    });
  });

  test("a bucket or a database that is down pauses no account", () => {
    for (const code of ["VENDOR_UNREACHABLE", "DB_UNREACHABLE"] as const)
      expect(failed(0, { error: down(code, 503), attempt: 1, random: 0 }).account).toBeNull();
  });

  test("a pause that is over when it is told is no reason to ask at once, again and again", () => {
    const over = (attempt: number) =>
      failed(0, { error: new PsnError("RATE_LIMITED", "why", { retryAfterMs: 0 }), attempt, random: 0.5 }).wakeInMs ??
      0;
    expect(over(1)).toBeGreaterThan(2_000);
    expect(over(5)).toBeGreaterThan(over(1));
  });

  test("what went missing together does not come back together", () => {
    const leases = (error: PsnError | undefined) =>
      [0, 0.25, 0.5, 0.75, 0.99].map((random) => stillUnknown(40_000, error, random).leaseMs);
    expect(new Set(leases(undefined)).size).toBe(5);
    expect(new Set(leases(down("OUTCOME_UNKNOWN", 503, 120_000))).size).toBe(5);
  });

  test("for a day or more is asked once more before a person decides", () => {
    expect(settlement("client-id", { ageMs: askedForMs(DAY + MINUTE, MINUTE), found: undefined })).toBe("send again");
    expect(settlement("client-id", { ageMs: askedForMs(DAY + HOUR, HOUR), found: undefined })).toBe("unconfirmed");
    expect(settlement("client-id", { ageMs: askedForMs(4 * DAY, MINUTE), found: undefined })).toBe("unconfirmed");
    expect(settlement("client-id", { ageMs: askedForMs(DAY + MINUTE, undefined), found: undefined })).toBe(
      "unconfirmed",
    );
  });
});
