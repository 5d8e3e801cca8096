import type { Notes, Sight } from "@psn/core/types/incarnation.ts";
import { describe, expect, test } from "vitest";
import { judge } from "./incarnation.ts";

const sight = (more: Partial<Sight> = {}): Sight => ({
  id: "b",
  past: ["a"],
  seen: 10,
  counted: true,
  parted: undefined,
  elsewhere: false,
  used: true,
  ...more,
});
const notes = (more: Partial<Notes> = {}): Notes => ({
  id: "b",
  next: undefined,
  moved: false,
  folder: "/hub",
  seen: 9,
  ...more,
});
const nothing = notes({ id: undefined, folder: undefined, seen: 0 });

describe("a database", () => {
  test.each<[string, Partial<Sight>, Notes, boolean, string]>([
    ["as it was noted", {}, notes(), true, "known"],
    ["as far as it was noted, by a look that could not count", { seen: 9, counted: false }, notes(), true, "known"],
    ["as far as it was noted, by a look that has added one itself", { seen: 9 }, notes(), true, "turned back"],
    ["that was never opened as a hub", { id: undefined, past: [] }, nothing, true, "new"],
    [
      "whose first notes were being made",
      { id: undefined, past: [] },
      notes({ id: null, next: "b", seen: 0 }),
      true,
      "new",
    ],
    ["whose first notes lack their last word", { past: [] }, notes({ id: null, next: "b", seen: 0 }), true, "behind"],
    ["from before its first note", { id: undefined, past: [] }, notes(), true, "turned back"],
    [
      "from before its first note, and nothing was ever posted",
      { id: undefined, past: [], used: false },
      notes(),
      true,
      "new",
    ],
    ["that came without notes", {}, nothing, true, "unknown"],
    ["that came without notes, on a server", {}, nothing, false, "behind"],
    ["in another folder", {}, notes({ moved: true }), true, "copied"],
    ["in another folder, while it was recovered", {}, notes({ id: "a", next: "b", moved: true }), true, "copied"],
    ["on another server", { elsewhere: true }, notes(), false, "copied"],
    ["on another server that this machine does not know", { elsewhere: true }, nothing, false, "copied"],
    ["that has come less far than it had", { seen: 8 }, notes(), true, "turned back"],
    ["that was recovered by another machine", { seen: 1 }, notes({ id: "a", seen: 99 }), false, "behind"],
    ["whose recovery was stopped before its last note", {}, notes({ id: "a", next: "b" }), true, "behind"],
    [
      "whose recovery was stopped before it was done",
      { id: "a", past: [] },
      notes({ id: "a", next: "b" }),
      true,
      "behind",
    ],
    ["from before it was recovered", { id: "a", past: [] }, notes({ id: "b" }), true, "turned back"],
    ["of another hub", { id: "z", past: [] }, notes(), false, "turned back"],
    ["that waits for its user", { parted: { at: new Date(), why: "unknown" } }, notes(), true, "unknown"],
  ])("%s", (_name, of, beside, embedded, expected) => {
    const judged = judge(sight(of), beside, embedded);
    expect(judged.is === "parted" ? judged.why : judged.is).toBe(expected);
  });
});
