import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { afterEach, expect, test } from "vitest";
import { all, type Hub, hubIn, posted, stop } from "../journeys/hub.ts";
import { type Receiver, startReceiver } from "../journeys/receiver.ts";
import { closedHub, type Running } from "../support/cli.ts";
import { type Image, newImage, whyNoCut } from "../support/ext4-image.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";
import { until } from "../support/until.ts";

/*
 * The disk of a hub on the embedded database is cut off while psn posts and publishes. The receivers are elsewhere and
 * remember: one is a Mastodon that ignores idempotency keys, so that it shows a second attempt; the other is a webhook
 * that counts ids.
 */

/** How often, by default few: `POWER_CUTS=20 bun run test tests/db/power-cut.test.ts`. */
const CUTS = Number(process.env["POWER_CUTS"] ?? 4);
/** Enough for a database and its log, in MB. */
const SIZE = 384;
/** How long after its beginning a round is cut at the latest, in milliseconds. */
const ROUND_MS = 3_000;

const why = await whyNoCut();
if (why !== undefined) console.warn(`skipped: cutting the disk of a hub: ${why}`);

let image: Image | undefined;
let mastodon: MastodonFake | undefined;
let receiver: Receiver | undefined;
const running = new Set<Running>();

/** Ends every psn, since an open file keeps the image mounted. */
async function killAll(): Promise<void> {
  for (const { child } of running) child.kill("SIGKILL");
  await Promise.all([...running].map(({ ended }) => ended));
  running.clear();
}
afterEach(async () => {
  await killAll();
  await image?.remove();
  await mastodon?.stop();
  await receiver?.stop();
});

const start = (hub: Hub, ...argv: readonly string[]): Running => {
  const one = hub.start(argv);
  running.add(one);
  void one.ended.then(() => running.delete(one));
  return one;
};

/** Whether it is one of those that are scheduled for another day. */
const isLater = (text: string): boolean => Number(text.split(" ").at(-1)) % 3 === 2;

type Rows = readonly Readonly<Record<string, unknown>>[];
/** Opens the database in this process. */
async function rowsOf(hub: Hub, ...statements: readonly string[]): Promise<Rows> {
  const database = await openEmbedded(join(hub.folder, "data"));
  try {
    let rows: Rows = [];
    for (const statement of statements)
      rows = (await database.asOwner?.((client) => client.query(statement)))?.rows ?? [];
    return rows;
  } finally {
    await database.close();
  }
}

/**
 * What waits for an instant is due now, and what may be out was sent an hour ago, so that nobody has to wait for it to
 * show.
 */
const PASS_TIME = [
  "UPDATE psn.deliveries SET lease_until = now() - interval '1 millisecond' WHERE lease_until > now()",
  "UPDATE psn.deliveries SET wake_at = now() WHERE wake_at > now() AND due_at <= now()",
  "UPDATE psn.delivery_units SET sent_at = sent_at - interval '1 hour' WHERE state = 'sending'",
];

test.skipIf(why !== undefined)(
  `${CUTS} power cuts lose no confirmed post and bring none out twice`,
  async () => {
    image = await newImage(SIZE);
    mastodon = await startMastodon({ idempotency: "ignored", requests: Number.MAX_SAFE_INTEGER });
    receiver = startReceiver();
    const folder = join(image.folder, "hub");
    spawnSync("cp", ["-R", await closedHub(), folder]);
    const hub = hubIn(folder);
    expect(await hub.psn(["connect", "mastodon", mastodon.origin, "--token-stdin"], mastodon.token)).toMatchObject({
      code: 0,
    });
    expect(await hub.psn(["connect", "webhook", receiver.url, "--secret-stdin"], receiver.secret)).toMatchObject({
      code: 0,
    });
    spawnSync("sync", ["-f", image.folder]);

    /** What psn has confirmed, by the id of the post. */
    const confirmed = new Map<string, string>();
    for (let round = 0; round < CUTS; round += 1) {
      let cut = false;
      // Every third round without a worker, so that psn post holds the database and publishes by itself.
      if (round % 3 !== 2) await start(hub, "worker").says("publishes what is due");
      const posting = (async () => {
        for (let n = 0; !cut; n += 1) {
          const text = `round ${round} post ${n}`;
          const when = isLater(text) ? ["--at", "in 2 hours"] : round % 3 === 2 ? ["--wait"] : ["--no-wait"];
          const { code, stdout } = await start(hub, "post", text, "--to", "all", ...when, "--json").ended;
          if (code !== 0 && !cut) throw new Error(`psn post ended with ${code}: ${stdout}`);
          if (code === 0) confirmed.set(posted(JSON.parse(stdout)).post, text);
        }
      })();
      const [sent, known] = [mastodon.statuses.length, confirmed.size];
      // Half of the rounds in the moment in which a server has a post and psn does not yet know; else at any moment.
      if (round % 2 === 0) {
        mastodon.faults.push("late-after");
        await until("a post is out", () => (mastodon?.statuses.length ?? 0) > sent + (round % 4 === 0 ? 0 : 1), 60_000);
      } else {
        await until("a post is confirmed", () => confirmed.size > known, 60_000);
        await sleep((round / CUTS) * ROUND_MS);
      }
      image.cut();
      cut = true;
      await killAll();
      await posting;
      image.again();
      const kept = new Set((await rowsOf(hub, "SELECT id::text AS id FROM psn.posts")).map(({ id }) => id));
      expect([...confirmed].filter(([id]) => !kept.has(id))).toEqual([]);
    }

    await rowsOf(hub, ...PASS_TIME);
    const worker = start(hub, "worker");
    const left = async () =>
      (await all(hub)).flatMap(({ text, state, account, reason }) =>
        state === "published" || isLater(text) ? [] : [{ text, state, at: account.platform, reason }],
      );
    await expect.poll(left, { timeout: 120_000, interval: 500 }).toEqual([]);
    await stop(worker);

    const texts = mastodon.statuses.map(({ text }) => text);
    expect(texts.filter((text, at) => texts.indexOf(text) !== at)).toEqual([]);
    const taken = receiver.taken.map(({ text }) => text);
    expect(taken.filter((text, at) => taken.indexOf(text) !== at)).toEqual([]);
    // What was confirmed as due is out at both, once.
    const due = [...confirmed.values()].filter((text) => !isLater(text));
    expect(due.filter((text) => !texts.includes(text) || !taken.includes(text))).toEqual([]);
    console.log(
      `${CUTS} cuts: ${confirmed.size} posts confirmed, ${texts.length} at Mastodon, ${taken.length} at the webhook`,
    );
  },
  60_000 + CUTS * 60_000,
);
