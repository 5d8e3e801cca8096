import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Answer } from "./http.ts";
import { matches, type Refusals, refusedBy } from "./refusals.ts";

const answer = (status: number, more: Partial<Answer> = {}): Answer => ({
  status,
  headers: new Headers(),
  text: "",
  url: "https://toy.example/posts",
  host: "toy.example",
  effect: "publish",
  sent: "",
  ...more,
});
const session = {
  fetch,
  now: () => new Date(0),
  signal: new AbortController().signal,
  credentials: { access: "a-token", scopes: [] },
};
const table = (codes: readonly (string | number)[], words = "", subcodes: readonly number[] = []): Refusals => ({
  reason: z.unknown().transform(() => ({ codes, words, subcodes })),
  rules: [
    {
      when: { status: 403, codes: [7], subcodes: [70] },
      means: { code: "AUTH_REVOKED", says: "the account is closed" },
    },
    { when: { status: 403, codes: [7], words: /locked/ }, means: { code: "APP_REFUSED", hint: "unlock it" } },
    { when: { codes: ["slow"] }, means: { code: "RATE_LIMITED" } },
    { when: { codes: ["no"] }, means: { says: "no" } },
  ],
  pauseMs: () => 5_000,
  hints: { RATE_LIMITED: "wait" },
});

describe("a table of refusals", () => {
  test("the first rule that holds counts, and the platform's words follow", () => {
    const error = refusedBy(table([7], "", [70]), answer(403), session);
    expect(error).toMatchObject({ code: "AUTH_REVOKED", details: { status: 403 } });
    expect(error.message).toMatch(/^the account is closed \(toy\.example .*\)$/);
  });

  test.each([
    ["its code", table([7])],
    ["its words", table([], "it is locked")],
  ])("%s is enough where a rule has both", (_, refusals) => {
    expect(refusedBy(refusals, answer(403), session)).toMatchObject({ code: "APP_REFUSED", hint: "unlock it" });
  });

  test("a limit has the table's pause, and the table's hint where the rule has none", () => {
    expect(refusedBy(table(["slow"]), answer(400), session)).toMatchObject({
      code: "RATE_LIMITED",
      retryAfterMs: 5_000,
      hint: "wait",
    });
  });

  test("what no rule knows is judged by its status, and so is what is not the platform's", () => {
    expect(refusedBy(table([8]), answer(404), session).code).toBe("PLATFORM_REJECTED");
    const silent = { ...table([7]), reason: z.never() };
    expect(refusedBy(silent, answer(403), session).code).toBe("AUTH_SCOPE");
  });

  test("a rule without a code speaks of a rejection", () => {
    expect(refusedBy(table(["no"]), answer(500), session).code).toBe("PLATFORM_REJECTED");
  });

  test("a rule of another status or another effect does not hold", () => {
    const reason = { codes: [7], words: "" };
    expect(matches({ status: 403, codes: [7] }, answer(400), reason)).toBe(false);
    expect(matches({ effect: "none", codes: [7] }, answer(400), reason)).toBe(false);
    expect(matches({ effect: "publish", codes: [7] }, answer(400), reason)).toBe(true);
  });
});
