import { FAULT_POINTS } from "@psn/core/ports/fault-points.ts";
import { expect, test } from "vitest";
import { DIED as DELETIONS } from "./deletions.ts";
import { DIED as EDITS } from "./edits.ts";
import { killedAt } from "./kills.ts";
import { EDITED_BEFORE, STANDS_AT } from "./meanwhile.ts";

/* Whoever adds a fault point is told here that no scenario kills a process at it. */

const EDITING = EDITS.map(({ point }) => point);
const DELETING = DELETIONS.map(({ point }) => point);
const but = (...points: readonly string[]) => new Set(FAULT_POINTS.filter((point) => !points.includes(point)));
const REMOVING = ["removing, not asked", "removed, not settled"];

test("an edit is killed at every point: its own, and those of a worker that has its post", () => {
  expect(new Set([...EDITING, ...STANDS_AT])).toEqual(but(...DELETING));
  expect(EDITED_BEFORE).toEqual(but(...EDITING, ...DELETING, ...REMOVING));
});

test("a deletion is killed at every point: its own, those of its removal and of a worker that has its post", () => {
  expect(new Set([...DELETING, ...STANDS_AT])).toEqual(but(...EDITING));
  // A removal uploads nothing, and publishes nothing.
  const publishing = ["before preparing", "sending, not sent", "answered, not settled"];
  expect(killedAt("removing")).toEqual(but(...EDITING, ...DELETING, ...publishing));
});

test("a worker that publishes is killed at every point", () => {
  expect(killedAt("publishing")).toEqual(but(...EDITING, ...DELETING, ...REMOVING));
});
