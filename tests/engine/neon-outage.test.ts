import { runWorker } from "@psn/app/run-worker.ts";
import { expect, it } from "vitest";
import { sharedGateway, testDatabases } from "../support/databases.ts";
import { until } from "../support/until.ts";
import { stageOn } from "./stage.ts";

/*
 * Neon's proxy lets the socket open and refuses the login then. A worker must get over any number of that: each try
 * must give its connection back to the pool, which has eight.
 */

it("workers on neon-ws publish again after an outage in which nine LISTENs failed, and end on one signal", async () => {
  const db = await testDatabases.find(({ driver }) => driver === "neon-ws")?.open();
  if (!db) throw new Error("no such driver");
  const stage = await stageOn(db);
  const gateway = await sharedGateway();
  const account = await stage.connect("chosen");
  const [before = ""] = await stage.post(account);
  const stop = new AbortController();
  const trouble: string[] = [];
  const onTrouble = ({ code }: { code: string }) => trouble.push(code);
  // They share one pool, so that their failures add up.
  const workers = ["a", "b", "c", "d", "e"].map((name) =>
    runWorker({ world: stage.world, name, version: "0", stop: stop.signal, onTrouble }),
  );
  await until("the first post is out", async () => (await stage.detail(before)).state === "published");

  const [during = ""] = await stage.post(account, { texts: ["later"], inMs: 1_500 });
  gateway.faults.refuse("Couldn't connect to compute node", 1_000);
  gateway.faults.cutSockets();
  await until("each failed at a claim, and nine LISTENs failed", () => trouble.length >= 14, 40_000);
  expect(new Set(trouble)).toEqual(new Set(["DB_UNREACHABLE"]));

  gateway.faults.clear();
  await until("the second post is out", async () => (await stage.detail(during)).state === "published", 40_000);
  expect(stage.remote.posts).toHaveLength(2);
  const ended = Promise.all(workers);
  stop.abort();
  await ended;
  await db.close();
});
