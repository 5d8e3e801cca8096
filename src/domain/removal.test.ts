import { ERRORS, type ErrorCode, PsnError } from "@psn/core/errors.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lastOut, notBegun, notRemoved, type Refusal, removed, removing } from "./removal.ts";

const HOUR = 3_600_000;
const CODES = Object.keys(ERRORS) as ErrorCode[];
const error = (code: ErrorCode, more = {}) => new PsnError(code, "said", more);
const refused = (more: Partial<Refusal>): Refusal => ({
  position: 1,
  error: error("PLATFORM_REJECTED"),
  again: false,
  isAnswer: true,
  ageMs: 1_000,
  attempt: 1,
  random: 0.5,
  earlier: null,
  ...more,
});

it("removes the last unit that is out first, and none that never was", () => {
  const units = (["published", "sending", "removed", "waiting"] as const).map((state) => ({ state }));
  expect(lastOut(units)).toBe(units[1]);
  expect(lastOut(units.slice(2))).toBeUndefined();
});

it("is written before it is asked for, unit by unit, and ends when nothing is out", () => {
  expect(removing(2, 60_000)).toMatchObject({ state: "sending", unit: { position: 2, state: "sending" } });
  expect(removed(2, 1, 60_000)).toMatchObject({
    state: "sending",
    leaseMs: 60_000,
    unit: { position: 2, state: "removed" },
    next: { position: 1 },
  });
  expect(removed(0, undefined, 60_000)).toMatchObject({ state: "removed", leaseMs: null, next: null });
});

describe("a removal that fails", () => {
  it.each(["PLATFORM_REJECTED", "AUTH_SCOPE", "INPUT_INVALID", "NOT_FOUND"] as const)(
    "%s leaves the post out",
    (code) => {
      const change = notRemoved(refused({ error: error(code) }));
      expect(change).toMatchObject({ state: "published", code, event: "not removed", unit: { state: "published" } });
    },
  );

  it("waits for its account, or for a pause, with the post still out", () => {
    expect(notRemoved(refused({ error: error("AUTH_REVOKED") }))).toMatchObject({
      state: "held",
      unit: { state: "published" },
      account: { health: "needs-reconnect" },
    });
    expect(notRemoved(refused({ error: error("RATE_LIMITED", { retryAfterMs: 5_000 }) }))).toMatchObject({
      state: "scheduled",
      wakeInMs: 5_000,
      unit: { state: "published" },
    });
  });

  it("a lost answer stays in sending, whatever it says, and a day later a person is asked", () => {
    for (const code of ["PLATFORM_DOWN", "OUTCOME_UNKNOWN", "PLATFORM_CHANGED", "FILE_UNREADABLE", "BUG"] as const) {
      expect(notRemoved(refused({ error: error(code) }))).toMatchObject({ state: "sending", unit: null });
      expect(notRemoved(refused({ error: error(code), ageMs: 25 * HOUR, again: true })).state).toBe("unconfirmed");
    }
  });

  it("a refusal that comes behind another request proves nothing", () => {
    for (const code of ["PLATFORM_REJECTED", "RATE_LIMITED", "AUTH_REVOKED"] as const)
      expect(notRemoved(refused({ error: error(code), isAnswer: false }))).toMatchObject({
        state: "sending",
        unit: null,
      });
  });

  it("no failure of a repeat says that the post is out, unless the adapter has seen it there", () => {
    fc.assert(
      fc.property(fc.constantFrom(...CODES), fc.boolean(), fc.nat(48 * HOUR), (code, neverTaken, ageMs) => {
        const change = notRemoved(refused({ error: error(code, { neverTaken }), again: true, ageMs }));
        expect(change.state === "published").toBe(neverTaken);
        if (!neverTaken) expect(["sending", "unconfirmed"]).toContain(change.state);
        expect(change.unit?.state).not.toBe("removed");
      }),
    );
  });

  it("before it was asked for never counts as gone, and never as unknown", () => {
    fc.assert(
      fc.property(fc.constantFrom(...CODES), fc.integer({ min: 1, max: 100 }), (code, attempt) => {
        const { state, unit } = notBegun({ position: 0, error: error(code), attempt, random: 0.5, earlier: null });
        expect(["scheduled", "held", "published"]).toContain(state);
        expect(unit).toEqual({ position: 0, state: "published" });
      }),
    );
  });
});
