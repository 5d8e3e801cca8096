import { followPost } from "@psn/app/follow-post.ts";
import type { Listening } from "@psn/app/keep-listening.ts";
import { runWorker } from "@psn/app/run-worker.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { makeServiceLogin } from "@psn/core/db/logins.ts";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { migrated, newName, newPassword, urlAs } from "../support/databases.ts";
import { type PgBouncer, pgBouncerFiles, startPgBouncer } from "../support/pgbouncer.ts";
import { startPostgresFront } from "../support/postgres-front.ts";
import { freshDatabase, sharedPostgres } from "../support/shared-postgres.ts";
import { atMost, until } from "../support/until.ts";
import { stageOn } from "./stage.ts";

/*
 * A worker to whom no notification arrives. A new post may be a look late, and no more: it must go out within 2.5 s of
 * its time.
 */
const LATE_MS = 2_500;

// pgbouncer logs in to the server by the keys that its client's login proves to it.
beforeAll(() => sharedPostgres({ auth: "scram-sha-256" }));

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Way {
  /** To the database of this address. */
  readonly urlFor: (url: string) => string;
  readonly listenUrl?: (url: string) => string;
}

/** A stage whose worker and commands come in by this way, with a worker at work. */
async function working({ urlFor, listenUrl }: Way, options: { readonly lookAnywayMs?: number } = {}) {
  const url = await freshDatabase(migrated);
  const owner = openPg(url);
  const [name, password] = [newName(), newPassword()];
  await makeServiceLogin(owner, name, password);
  const as = urlAs(url, name, password);
  const database = openPg(urlFor(as), { listenUrl: listenUrl?.(as) });
  const asMember = () => Promise.reject(new Error("no member here"));
  const stage = await stageOn({ database, owner, asMember, roundTrips: () => undefined, close: async () => undefined });
  const stop = new AbortController();
  const told: Listening[] = [];
  const trouble: string[] = [];
  const ended = runWorker({
    world: stage.world,
    name: "w",
    version: "0",
    stop: stop.signal,
    onListening: (now) => told.push(now),
    onTrouble: ({ code }) => trouble.push(code),
    ...options,
  });
  const end = async () => {
    stop.abort();
    await ended;
  };
  closing.push(
    () => owner.close(),
    () => database.close(),
    end,
  );
  const account = await stage.connect("chosen");
  /** As `psn post` does. */
  const follow = async () => {
    const [delivery] = await stage.world.stores.posts.ofPost(
      stage.userId,
      (await stage.detail((await stage.post(account))[0] ?? "")).postId,
    );
    const ends = new AbortController();
    return followPost({
      world: stage.world,
      userId: stage.userId,
      postId: delivery?.postId ?? "",
      version: "0",
      stop: ends.signal,
    });
  };
  /** Posts, and tells how long after its time the post was out, in milliseconds. */
  const lateness = async (inMs: number) => {
    const due = Date.now() + inMs;
    const before = stage.remote.posts.length;
    await stage.post(account, { texts: [`${before}`], inMs });
    await until("it is out", () => stage.remote.posts.length > before, inMs + 30_000);
    return (stage.remote.calls.at(-1)?.at ?? Number.POSITIVE_INFINITY) - due;
  };
  return { owner, told, trouble, lateness, end, follow };
}

describe("a worker whose LISTEN is accepted and never heard", () => {
  test("looks every second, says so once, and says when it hears again", async () => {
    const server = await sharedPostgres();
    const front = await startPostgresFront(server.url);
    closing.push(front.stop);
    front.deaf = true;
    const { told, trouble, lateness } = await working(front);
    await until("it says so", () => told.length > 0);
    for (const inMs of [0, 1_000]) expect(await lateness(inMs)).toBeLessThan(atMost(LATE_MS));
    expect(told).toEqual(["pooled"]);
    // The server connection is not left listening.
    await until("it is taken back", () => front.listens.at(-1) === "UNLISTEN");
    // Trouble with the database is the moment to try again.
    front.deaf = false;
    await server.kill();
    await until("it is in trouble", () => trouble.length > 0);
    await server.restart();
    await until("it hears again", () => told.length > 1, 30_000);
    expect(told).toEqual(["pooled", "heard"]);
    expect(await lateness(0)).toBeLessThan(atMost(1_000));
  });

  test("and one that goes deaf later finds out", async () => {
    const front = await startPostgresFront((await sharedPostgres()).url);
    closing.push(front.stop);
    const { told, lateness } = await working(front, { lookAnywayMs: 1_500 });
    expect(await lateness(500)).toBeLessThan(atMost(LATE_MS));
    expect(told).toEqual([]);
    front.deaf = true;
    await until("it says so", () => told.length > 0, 20_000);
    expect(told).toEqual(["pooled"]);
    expect(await lateness(0)).toBeLessThan(atMost(LATE_MS));
  });

  test("psn post does not wait for a proof: it listens to nothing, and what it follows goes out", async () => {
    const front = await startPostgresFront((await sharedPostgres()).url);
    closing.push(front.stop);
    front.deaf = true;
    const { end, follow } = await working(front);
    await end();
    front.listens.length = 0;
    expect(await follow()).toMatchObject([{ state: "published" }]);
    expect(front.listens).toEqual([]);
  });

  test("whose LISTEN is refused publishes, says so, and ends when it is told to", async () => {
    const front = await startPostgresFront((await sharedPostgres()).url);
    closing.push(front.stop);
    front.refuseListen = true;
    const { told, lateness, end, trouble } = await working(front);
    await until("it has tried nine times", () => front.listens.length >= 3, 30_000);
    expect(await lateness(500)).toBeLessThan(atMost(LATE_MS));
    await until("it says so", () => told.length > 0);
    expect(told).toMatchObject([{ code: "DB_FAILED", message: expect.stringContaining("42601") }]);
    expect(trouble).toEqual([]);
    const began = Date.now();
    await end();
    expect(Date.now() - began).toBeLessThan(atMost(2_000));
  });
});

const files = await pgBouncerFiles();
const missing = "missing" in files ? files.missing : undefined;
if (missing !== undefined) console.warn(`not tried behind a real pgbouncer: ${missing}`);

describe.skipIf(missing !== undefined)("behind a real pgbouncer", () => {
  const pooler = async (mode: "transaction" | "session"): Promise<PgBouncer> => {
    const started = await startPgBouncer("root" in files ? files.root : "", (await sharedPostgres()).url, { mode });
    closing.push(started.stop);
    return started;
  };
  const dropped = async (by: PgBouncer) =>
    [...(await by.log()).matchAll(/got packet 'A' from server when not linked/g)].length;

  test("in transaction mode a post leaves within 2.5 s of its time, and the pooler's log stays quiet", async () => {
    const by = await pooler("transaction");
    const { told, lateness, owner } = await working(by);
    await until("it says so", () => told.length > 0);
    expect(told).toEqual(["pooled"]);
    const isQuiet = async () => {
      const before = await dropped(by);
      await owner.asOwner?.((client) => client.query("NOTIFY psn_wake"));
      await Bun.sleep(100);
      return (await dropped(by)) === before;
    };
    await until("its LISTEN is taken back", isQuiet);
    const before = await dropped(by);
    const late: number[] = [];
    for (const inMs of [0, 300, 5_000]) late.push(await lateness(inMs));
    for (const ms of late) expect(ms).toBeLessThan(atMost(LATE_MS));
    console.info(`behind pgbouncer, later than its time: ${late.map(Math.round).join(", ")} ms`);
    expect(await dropped(by)).toBe(before);
  });

  test("with an address past it for LISTEN a post leaves at once", async () => {
    const by = await pooler("transaction");
    const { told, lateness } = await working({ urlFor: by.urlFor, listenUrl: (url) => url });
    const late: number[] = [];
    for (const inMs of [1_500, 0, 0, 0]) late.push(await lateness(inMs));
    expect(late.slice(1).toSorted((a, b) => a - b)[1]).toBeLessThan(atMost(500));
    expect(told).toEqual([]);
    expect(await dropped(by)).toBe(0);
  });

  test("in session mode notifications arrive", async () => {
    const { told, lateness } = await working({ urlFor: (await pooler("session")).urlFor });
    for (const inMs of [1_500, 0]) expect(await lateness(inMs)).toBeLessThan(atMost(LATE_MS));
    expect(told).toEqual([]);
  });
});
