import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Receiver, startReceiver } from "../journeys/receiver.ts";
import { failed, psn, scratch } from "../support/cli.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";
import { until } from "../support/until.ts";
import { grounds } from "./stage.ts";

/* What two hubs, two servers or two machines must not be taken for: one. */

const PASSPHRASE = "five random words are good";
const closing: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0)) await one.stop();
});

test.each([[["--move"]], [[]]])(
  "what waits for a reconnect is published by one hub at most (export %j)",
  async (more) => {
    const receiver: Receiver = startReceiver();
    closing.push(receiver);
    const old = await grounds.embedded();
    const connect = ["connect", "webhook", receiver.url, "--secret-stdin"];
    await old.run(connect, `${receiver.secret}\n`);
    receiver.refuse(410);
    await old.psn(["post", "hello", "--to", "webhook"]);
    expect(await old.rows("SELECT state FROM psn.deliveries")).toEqual([{ state: "held" }]);
    receiver.refuse(undefined);
    const file = join(await scratch("export"), "hub.age");
    await old.run(["export", file, "--passphrase-stdin", ...more], PASSPHRASE);
    const folder = await scratch("copy");
    expect(
      await psn(["import", file, "--passphrase-stdin", "--yes"], { cwd: folder, stdin: PASSPHRASE }),
    ).toMatchObject({ code: 0 });
    // Nobody has said --start; the account is connected again in both.
    expect(await psn(connect, { cwd: folder, stdin: `${receiver.secret}\n` })).toMatchObject({ code: 0 });
    await old.run(connect, `${receiver.secret}\n`);
    const stop = new AbortController();
    const workers = [old.folder, folder].map((cwd) => psn(["worker"], { cwd, signal: stop.signal }));
    await until("one is out", () => receiver.taken.length > 0, 3_000).catch(() => undefined);
    await Bun.sleep(1_500);
    stop.abort();
    await Promise.all(workers);
    expect([...receiver.deliveries.values()]).toEqual(more.length > 0 ? [] : [1]);
  },
);

test("a hub that was moved away leaves its accounts alone, until it is started again", async () => {
  const old = await grounds.embedded();
  await old.run(["connect", "feed", join(old.folder, "public"), "--title", "Notes"]);
  await old.run(["post", "to come", "--to", "feed", "--in", "1d"]);
  const file = join(await scratch("export"), "hub.age");
  await old.run(["export", file, "--passphrase-stdin", "--move"], PASSPHRASE);
  const healths = () => old.rows("SELECT health, health_reason AS reason FROM psn.accounts");
  expect(await healths()).toEqual([{ health: "needs-reconnect", reason: "moved to another hub" }]);
  const folder = await scratch("moved");
  expect(
    await psn(["import", file, "--passphrase-stdin", "--start", "--yes"], { cwd: folder, stdin: PASSPHRASE }),
  ).toMatchObject({
    code: 0,
  });
  expect((await psn(["accounts", "--json"], { cwd: folder })).stdout).toContain('"health": "ok"');
  await old.run(["import", "--start", "--yes"]);
  expect(await healths()).toEqual([{ health: "ok", reason: null }]);
});

describe("accounts of two Mastodon servers that give the same id", () => {
  const two = async () => {
    const [ground, home, work] = [await grounds.embedded(), await startMastodon(), await startMastodon()];
    closing.push(home, work);
    const connect = (server: MastodonFake) =>
      ground.psn(["connect", "mastodon", server.origin, "--token-stdin"], `${server.token}\n`);
    expect(await connect(home)).toMatchObject({ code: 0 });
    return { ground, home, work, connect };
  };

  test("are two accounts", async () => {
    const { ground, home, work, connect } = await two();
    await ground.run(["post", "private words for home", "--to", "mastodon", "--in", "1h"]);
    const second = await connect(work);
    expect([second.code, second.stdout]).toEqual([0, expect.not.stringContaining("reconnected")]);
    expect(await ground.rows("SELECT home FROM psn.accounts ORDER BY created_at")).toEqual([
      { home: home.origin },
      { home: work.origin },
    ]);
  });

  test("and the one that waits is not taken for the other", async () => {
    const { ground, work, connect } = await two();
    await ground.rows("UPDATE psn.accounts SET health = 'needs-reconnect'");
    expect(await connect(work)).toMatchObject({ code: 2 });
  });
});

test("a worker on a machine whose name begins like this one's is elsewhere", async () => {
  const ground = await grounds.embedded();
  await ground.stores.deliveries.beat(`${hostname()}-2-4711`, "0.0.0");
  failed(await ground.psn(["vault", "rotate"]), "WORKER_RUNNING");
});
