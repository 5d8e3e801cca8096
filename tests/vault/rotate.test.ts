import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { type Receiver, startReceiver } from "../journeys/receiver.ts";
import { until } from "../support/until.ts";
import { startX, type XFake } from "../support/x.ts";
import { type Ground, grounds, idOf, keyIdsIn, openAll, secondUser, seeded } from "./stage.ts";

/*
 * The rotation of the hub's key under load: a worker that was started before it publishes to a receiver and to an X
 * whose tokens end and work once, while `psn vault rotate` is killed again and again.
 */

const PORTS = { embedded: 18_977, postgres: 18_978 } as const;
/** How often, by default few: `KILLS=20 bun run test tests/vault/rotate.test.ts`. */
const KILLS = Number(process.env["KILLS"] ?? 8);
const SEED = 20_261_123;
/** Within this time after its start a rotation of this hub is over; kills fall anywhere in it. */
const SPAN_MS = 5_000;

const stopping: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const stop of stopping) await stop();
});

async function connectX(ground: Ground, x: XFake, redirect: string): Promise<void> {
  await ground.run(["config", "set", "PSN_ORIGINS", `https://api.x.com=${x.origin}`]);
  await ground.run(["keys", "set", "X_CLIENT_ID", "--stdin"], x.app.id);
  await ground.run(["keys", "set", "X_CLIENT_SECRET", "--stdin"], x.app.secret ?? "");
  const connecting = ground.binary(["connect", "x", "--no-browser", "--port", new URL(redirect).port]);
  let said = "";
  connecting.child.stderr?.on("data", (text: string) => {
    said += text;
  });
  await connecting.says("code_challenge_method=S256");
  const back = new URL(redirect);
  for (const [name, value] of Object.entries(await x.consent(/https:\/\/\S+/.exec(said)?.[0] ?? "")))
    back.searchParams.set(name, value);
  await fetch(back);
  expect(await connecting.ended).toMatchObject({ code: 0 });
}

/** Publishes until it is told to stop; every post to X needs a new token. */
function load(ground: Ground, x: XFake) {
  let going = true;
  let posted = 0;
  const post = async (text: string, to: string) => {
    const { post: id } = await ground.run(["post", text, "--to", to, "--no-wait"]);
    posted += 1;
    return String(id);
  };
  const webhook = async () => {
    for (let n = 0; going; n += 1) {
      await post(`hook ${n}`, "webhook");
      await sleep(120);
    }
  };
  const refreshing = async () => {
    for (let n = 0; going; n += 1) {
      x.switches.clockAheadMs += 3 * 3_600_000;
      // Hours later by X's clock, and by the database's the last exchange is long ago.
      await ground.rows("UPDATE psn.oauth_tokens SET refresh_rest_until = NULL");
      const id = await post(`x ${n}`, "x");
      await until(
        `${id} is out`,
        async () =>
          (await ground.rows("SELECT 1 FROM psn.deliveries WHERE post_id = $1 AND state = 'published'", [id])).length >
          0,
        60_000,
      );
    }
    return 0;
  };
  const running = [webhook(), refreshing()];
  return {
    stop: async () => {
      going = false;
      await Promise.all(running);
      return posted;
    },
  };
}

const states = (ground: Ground) =>
  ground.rows("SELECT state, code, message, count(*)::integer AS n FROM psn.deliveries GROUP BY 1, 2, 3 ORDER BY 1");

describe.each(["embedded", "postgres"] as const)("rotation on %s", (name) => {
  test(`killed at ${KILLS} moments under load, it ends with nothing of any old key and nothing lost`, async () => {
    const redirect = `http://127.0.0.1:${PORTS[name]}/callback`;
    const [ground, x] = [await grounds[name](), await startX({}, { redirects: [redirect] })];
    const receiver: Receiver = startReceiver();
    stopping.push(
      () => x.stop(),
      () => receiver.stop(),
    );
    await ground.run(["connect", "webhook", receiver.url, "--secret-stdin"], `${receiver.secret}\n`);
    await connectX(ground, x, redirect);
    await secondUser(ground, 30, 150);
    const mine = (text: ReadonlyMap<string, string>) =>
      [...text.values()].filter((value) => /^(key|access_token|secret) \d/.test(value)).toSorted();
    const before = mine(await openAll(ground));
    expect(before).toHaveLength(30 * 2 + 150);

    const worker = ground.binary(["worker"]);
    await worker.says("Ctrl-C stops it");
    const work = load(ground, x);
    const random = seeded(SEED);
    const seen = new Set([idOf(ground.env("HUB_ENCRYPTION_KEY"))]);
    const killedAt: string[] = [];
    for (let n = 0; n < KILLS; n += 1) {
      const rotation = ground.binary(["vault", "rotate"]);
      await Promise.race([sleep(100 + random() * SPAN_MS), rotation.ended]);
      rotation.child.kill("SIGKILL");
      const { signal, code } = await rotation.ended;
      const keys = [ground.env("HUB_ENCRYPTION_KEY"), ground.env("HUB_ENCRYPTION_KEY_OLD")]
        .filter((key) => key !== undefined)
        .map(idOf);
      killedAt.push(signal === null ? `ended ${code}` : keys.length > 1 ? "under way" : "before or after");
      for (const key of keys) seen.add(key);
      // Whatever the moment was: nothing in the database that hub.env cannot open.
      for (const id of await keyIdsIn(ground)) expect(keys).toContain(id);
    }
    expect(killedAt).toContain("under way");
    expect(killedAt.filter((at) => /^ended [^0]/.test(at))).toEqual([]);

    expect(await ground.run(["vault", "rotate"])).toMatchObject({ finished: true });
    await until("posts are out with new tokens", () => x.posts.length > KILLS / 4, 60_000);
    const posted = await work.stop();
    await until(
      "the last post is out",
      async () => (await ground.rows("SELECT 1 FROM psn.deliveries WHERE state <> 'published'")).length === 0,
      60_000,
    ).catch(() => undefined);
    worker.child.kill("SIGTERM");
    const ran = await worker.ended;
    expect(await states(ground), ran.stderr).toEqual([{ state: "published", code: null, message: null, n: posted }]);
    expect(new Set(receiver.taken.map(({ text }) => text)).size + x.posts.length).toBe(posted);
    expect([...receiver.deliveries.values()].every((times) => times === 1)).toBe(true);

    const key = idOf(ground.env("HUB_ENCRYPTION_KEY"));
    expect(ground.env("HUB_ENCRYPTION_KEY_OLD")).toBeUndefined();
    expect(await keyIdsIn(ground)).toEqual([key]);
    expect(mine(await openAll(ground))).toEqual(before);
    expect(await ground.run(["vault", "status"])).toMatchObject({
      rotating: false,
      users: 2,
      keys: [{ id: key, role: "current" }],
    });
    // The refresh token of now still works, so none was lost on the way.
    expect(x.tokens().refresh).toBe(1);
    expect(await ground.rows("SELECT health FROM psn.accounts WHERE health <> 'ok'")).toEqual([]);
  });
});
