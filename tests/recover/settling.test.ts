import { planRecovery, recoverHub, type Step } from "@psn/app/recover-hub.ts";
import type { NoteFiles } from "@psn/core/ports/incarnation.ts";
import type { Notes } from "@psn/core/types/incarnation.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../engine/stage.ts";
import { asOwner } from "../support/databases.ts";

/*
 * What becomes of each delivery, by what its platform can tell. The other life is this very database, turned back by
 * hand.
 */

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("pg");
  await stage.world.stores.incarnation.become(stage.world.newId());
});
afterAll(() => stage?.db.close());

/** Rows as they were before anything was sent; the platform keeps what it has. */
async function turnBack(): Promise<void> {
  await asOwner(
    stage.db,
    "UPDATE psn.delivery_units SET state = 'waiting', sent_at = NULL, prepared = NULL, handle = NULL, ref_id = " +
      "NULL, ref_url = NULL, published_at = NULL",
  );
  await asOwner(
    stage.db,
    "UPDATE psn.deliveries SET state = 'scheduled', published_at = NULL, attempt = 0 WHERE state <> 'cancelled'",
  );
  await stage.world.stores.incarnation.part("turned back", stage.world.newId());
}

function notes(): NoteFiles & { readonly written: (string | null)[] } {
  const written: (string | null)[] = [];
  const read = (): Notes => ({ id: written.at(-1), next: undefined, moved: false, folder: undefined, seen: 0 });
  return {
    embedded: false,
    read,
    write: (id) => void written.push(id),
    noteSeen: () => undefined,
    alone: (work) => work(),
    written,
  };
}
const recover = async (): Promise<readonly Step[]> => {
  const { world, userId } = stage;
  return recoverHub({ world, notes: notes(), users: [userId], signal: new AbortController().signal });
};
const became = (steps: readonly Step[]) =>
  Object.fromEntries(steps.map(({ delivery, becomes }) => [delivery.platform, becomes]));
const clear = () => asOwner(stage.db, "DELETE FROM psn.posts");

describe("after a hub was turned back", () => {
  test("what is public counts as published, also where it is searched for; the rest a person must tell", async () => {
    const accounts = [];
    for (const platform of ["chosen", "keyed", "searched", "blind"]) accounts.push(await stage.connect(platform));
    await stage.post(accounts, { texts: ["out already"] });
    await stage.run();
    expect(stage.remote.posts).toHaveLength(4);
    await turnBack();
    const { world, userId } = stage;
    expect(became(await planRecovery({ world, users: [userId] }))).toEqual({
      chosen: "ask",
      keyed: "ask",
      searched: "ask",
      blind: "unconfirmed",
    });
    expect(await stage.run()).toEqual([]);
    expect(became(await recover())).toEqual({
      chosen: "published",
      keyed: "published",
      searched: "published",
      blind: "unconfirmed",
    });
    expect(await world.stores.incarnation.look()).toMatchObject({ parted: undefined });
    await stage.due();
    await stage.run();
    expect(stage.remote.posts).toHaveLength(4);
    await clear();
  });

  test("what is not public goes out, but for what only a search could have found", async () => {
    const before = stage.remote.posts.length;
    const accounts = await stage.world.stores.accounts.list(stage.userId);
    await stage.post(accounts, { texts: ["not out"] });
    await turnBack();
    expect(became(await recover())).toEqual({
      chosen: "scheduled",
      keyed: "scheduled",
      searched: "unconfirmed",
      blind: "unconfirmed",
    });
    await stage.run();
    expect(stage.remote.posts.slice(before).map(({ text }) => text)).toEqual(["not out", "not out"]);
    await clear();
  });

  test("what is to come waits for its time, and what was cancelled stays so", async () => {
    const accounts = await stage.world.stores.accounts.list(stage.userId);
    const [account] = accounts;
    if (!account) throw new Error("an account");
    const [id = ""] = await stage.post(account, { texts: ["to come"], inMs: 3_600_000 });
    const [gone = ""] = await stage.post(account, { texts: ["cancelled"], inMs: 3_600_000 });
    await stage.world.stores.posts.cancel(stage.userId, [gone]);
    await stage.world.stores.incarnation.part("copied", stage.world.newId());
    expect(await stage.detail(id)).toMatchObject({ state: "held", code: "HUB_COPIED" });
    expect((await recover()).map(({ becomes }) => becomes)).toEqual(["scheduled"]);
    expect(await stage.detail(id)).toMatchObject({ state: "scheduled", code: null });
    expect((await stage.detail(id)).events.map(({ event, code }) => `${event} ${code ?? ""}`.trim())).toEqual([
      "scheduled",
      "held HUB_COPIED",
      "recovered: scheduled",
    ]);
    expect(await stage.detail(gone)).toMatchObject({ state: "cancelled" });
    await clear();
  });

  test("a platform that does not answer leaves it to a person; what was held for its user is asked too", async () => {
    const accounts = (await stage.world.stores.accounts.list(stage.userId)).filter(
      ({ platform }) => platform === "keyed",
    );
    await stage.post(accounts, { texts: ["late"] });
    await stage.run();
    const before = stage.remote.posts.length;
    await turnBack();
    await asOwner(stage.db, "UPDATE psn.deliveries SET code = 'LATE'");
    stage.remote.searching = "fails";
    const [step] = await recover();
    expect(step).toMatchObject({ becomes: "unconfirmed", why: expect.stringContaining("could not be asked") });
    stage.remote.searching = "works";
    await turnBack();
    expect((await recover()).map(({ becomes }) => becomes)).toEqual(["published"]);
    expect(stage.remote.posts).toHaveLength(before);
    await clear();
  });

  test("of a thread that cannot be asked for, a person is asked part by part, up to a missing one", async () => {
    const { world, userId } = stage;
    const accounts = (await world.stores.accounts.list(userId)).filter(({ platform }) => platform === "blind");
    const texts = ["part one", "part two", "part three"];
    const [id = ""] = await stage.post(accounts, { texts });
    await stage.run();
    const before = stage.remote.posts.length;
    const [one, two] = stage.remote.posts
      .slice(-3)
      .map(({ id: of }) => ({ id: of, url: `https://blind.example/${of}` }));
    await turnBack();
    expect((await recover()).map(({ becomes }) => becomes)).toEqual(["unconfirmed"]);
    for (const live of [one, two]) {
      expect(live && (await world.stores.posts.resolve(userId, id, { live }))).toBe(true);
      expect(await stage.detail(id)).toMatchObject({ state: "unconfirmed", code: "UNCONFIRMED" });
    }
    // The third is not there: it goes out, as the answer to the second.
    stage.remote.posts.pop();
    expect(await world.stores.posts.resolve(userId, id, "not-live")).toBe(true);
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "published", unitsPublished: 3 });
    expect(stage.remote.posts).toHaveLength(before);
    expect(stage.remote.posts.at(-1)).toMatchObject({ text: "part three", parent: two?.id });
    await clear();
  });

  test("whoever has a claim writes nothing under it any more", async () => {
    const [account] = (await stage.world.stores.accounts.list(stage.userId)).filter(
      ({ platform }) => platform === "keyed",
    );
    if (!account) throw new Error("an account");
    await stage.post(account, { texts: ["in hand"], inMs: -1 });
    await asOwner(stage.db, "UPDATE psn.delivery_units SET needs_prepare = true");
    const claims = await stage.world.stores.deliveries.claim({
      worker: "w",
      most: 1,
      leaseMs: 60_000,
      concurrency: { keyed: 1 },
    });
    expect(claims).toHaveLength(1);
    await stage.world.stores.incarnation.part("copied", stage.world.newId());
    const [claim] = claims;
    const change = {
      state: "sending",
      leaseMs: 1,
      wakeInMs: null,
      code: null,
      message: null,
      event: null,
      note: null,
      unit: null,
      next: null,
      account: null,
    };
    expect(claim && (await stage.world.stores.deliveries.record(claim, "w", { ...change, state: "sending" }))).toBe(
      false,
    );
    await recover();
    await clear();
  });
});
