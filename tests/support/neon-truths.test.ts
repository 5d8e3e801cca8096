import { describe, expect, it } from "vitest";
import { STATUS } from "./neon-truths/answers.ts";
import { HEADERS } from "./neon-truths/headers.ts";
import { SESSION } from "./neon-truths/sessions.ts";
import { gateway, no, query, refusedBy, xx } from "./neon-truths/stage.ts";
import { SENTENCES, WEBSOCKET } from "./neon-truths/websocket.ts";

/*
 * What Neon's own proxy (2025-07, PostgreSQL 15.20 behind it) answered, in the numbers of the list of differences that
 * this double had: H by HTTP, W by WebSocket. A line is `request -> the real answer`; where the double still answers
 * otherwise, `double` has its answer and `why` the reason.
 */

const TRUTHS = [...SESSION, ...STATUS, ...HEADERS, ...WEBSOCKET];

describe("the double of Neon's proxy answers as the real one", () => {
  it.each(TRUTHS)("$id: $request", async ({ ask, real: recorded, double = recorded, why }) => {
    expect(await ask()).toEqual(double);
    if (double !== recorded) expect(why).toBeDefined();
  });

  it.each(SENTENCES)("E: %i %s", async (status, sentence) => {
    gateway.faults.refuse(sentence, 2);
    expect(await no(query("select 1"))).toEqual([status, sentence, ""]);
    expect(await refusedBy({})).toEqual(xx(sentence));
  });

  it("in every line of the list", () => {
    const numbers = (letter: string, count: number) =>
      Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
    const wanted = [...numbers("H", 23), ...numbers("W", 5)];
    expect(wanted.filter((id) => !TRUTHS.some((truth) => truth.id === id))).toEqual([]);
  });
});
