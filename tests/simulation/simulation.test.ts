import { beforeAll, describe, expect, test } from "vitest";
import { isShort } from "../support/how-much.ts";
import { look } from "./database.ts";
import type { Ground } from "./ground.ts";
import { type Told, tellHistory } from "./history.ts";
import { PLATFORMS } from "./models.ts";
import { openPostgres, type Postgres } from "./postgres.ts";
import { type Outside, spawn } from "./process.ts";
import { type Scenario, scenarioOf } from "./scenario.ts";
import type { Held, Servers } from "./servers.ts";
import { shrink } from "./shrink.ts";

/*
 * Some histories of the simulator, and proof that its judge sees what it is there for. More: `bun run simulate`
 * (docs/simulation.md).
 */

/** `bun run simulate` tells thousands. */
const HISTORIES = isShort ? 10 : 40;
const MINUTES = 60_000;

let postgres: Postgres;
beforeAll(async () => {
  postgres = await openPostgres();
});

const QUIET: Scenario = {
  ...scenarioOf("quiet"),
  runs: "workers",
  workers: [{ machine: 1 }],
  machines: [0, 0, 0, 0],
  accounts: [{ platform: "chosen" }],
  posts: [
    {
      name: "p1",
      at: 1_000,
      inMs: 0,
      accounts: [0],
      parts: 2,
      media: false,
      late: "ask",
      follows: false,
      keyed: false,
    },
  ],
  happenings: [],
  rates: { request: 0, database: 0, queue: 0, bucket: 0, death: 0, pause: 0 },
};

test(
  "nothing breaks, whatever goes wrong",
  async () => {
    const broken: string[] = [];
    for (let seed = 1; seed <= HISTORIES; seed += 1)
      for (const one of (await tellHistory(postgres, scenarioOf(String(seed)))).broken)
        broken.push(`seed ${seed}: ${one}`);
    expect(broken).toEqual([]);
  },
  20 * MINUTES,
);

test(
  "the same seed is the same history, whatever was told before",
  async () => {
    const tell = async (seed: number): Promise<Told> => tellHistory(postgres, scenarioOf(String(seed)));
    for (const seed of [5, 6]) {
      const first = await tell(seed);
      for (let other = 20; other < 24; other += 1) await tell(other);
      const again = await tell(seed);
      expect(again.lines).toEqual(first.lines);
      expect(again.hash).toBe(first.hash);
    }
  },
  20 * MINUTES,
);

test.skipIf(isShort)("another process tells the same history", { timeout: 10 * MINUTES }, async () => {
  const script = new URL("../../scripts/simulate.ts", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, script, "--seed", "6", "--count", "1", "--trace"], {
    stdout: "pipe",
    stderr: "ignore",
  });
  const printed = await new Response(child.stdout).text();
  const { lines } = await tellHistory(postgres, scenarioOf("6"));
  expect(printed.startsWith(lines.join("\n"))).toBe(true);
});

test("a quiet history has every post out once", async () => {
  let held: readonly Held[] = [];
  const told = await tellHistory(postgres, QUIET, (_ground, { posts }) => {
    held = [...posts];
  });
  expect(told.broken).toEqual([]);
  expect(held.map(({ text }) => text)).toEqual(["p1.1", "p1.2"]);
});

type Plant = (ground: Ground, servers: Servers, outside: Outside) => Promise<void> | void;
const sql = (text: string) => async (ground: Ground) => {
  await ground.postgres.query(`${text} returning 1 as one`);
};
const PLANTED: readonly (readonly [what: string, broken: RegExp, plant: Plant])[] = [
  [
    "a post that is out twice",
    /^doubled/,
    (_ground, { posts }) => void posts.push({ ...(posts[0] as Held), id: "twin" }),
  ],
  ["a post that is not out", /^lost: psn says/, (_ground, { posts }) => void posts.pop()],
  [
    "an answer under another post",
    /^wrong parent/,
    (_ground, { posts }) => void posts.splice(1, 1, { ...(posts[1] as Held), parent: null }),
  ],
  ["a ref that is another's", /^wrong ref/, sql("update psn.delivery_units set ref_id = 'other' where position = 0")],
  ["a delivery that is left open", /left open for ever/, sql("update psn.deliveries set state = 'sending'")],
  ["a delivery that is held for nothing", /is held, and/, sql("update psn.deliveries set state = 'held'")],
  [
    "published without its last part",
    /a unit that is not out/,
    sql("update psn.delivery_units set state = 'waiting' where position = 1"),
  ],
  [
    "failed, and public",
    /^dishonest/,
    async (ground) => {
      await sql("update psn.deliveries set state = 'failed'")(ground);
      await sql("update psn.delivery_units set state = 'waiting' where position = 1")(ground);
    },
  ],
  [
    "cancelled, and public",
    /^dishonest/,
    async (ground) => {
      await sql("update psn.deliveries set state = 'cancelled'")(ground);
      await sql("update psn.delivery_units set state = 'sending' where position = 1")(ground);
    },
  ],
  [
    "called gone, and public",
    /^dishonest: psn says that unit 2/,
    sql("update psn.delivery_units set state = 'removed' where position = 1"),
  ],
  [
    "a removal that nobody asked for",
    /nobody asked for it/,
    async (ground, { posts }, outside) => {
      const { process, world } = spawn(ground, outside, "test", { name: "test", aheadMs: 0 }, "session");
      const { remove } = PLATFORMS.get("chosen") ?? {};
      const profile = { subject: "0", handle: "0", url: "https://chosen.example/0", home: "https://chosen.example" };
      const session = { fetch: world.fetch, now: world.now, signal: new AbortController().signal, profile };
      const id = posts[0]?.id ?? "";
      ground.kernel.after(1, process, () => {
        void remove?.({ id, url: id }, { ...session, credentials: { access: "0/1", scopes: [] } });
      });
      await ground.kernel.runUntil(ground.kernel.now() + 60_000);
    },
  ],
  ["no line of history", /^history/, sql("delete from psn.delivery_events")],
  [
    "a post that was confirmed and is gone",
    /is stored, and it is not there/,
    ({ watch }) => void watch.confirmed.set("gone", "p9"),
  ],
  [
    "a fence that falls",
    /^the fence of/,
    async (ground) => {
      await sql("update psn.deliveries set fence = 0")(ground);
      await look(ground, "test");
    },
  ],
  [
    "a claim without a new fence",
    /^the fence of .* stays/,
    async (ground) => {
      await sql("update psn.deliveries set worker = 'another'")(ground);
      await look(ground, "test");
    },
  ],
  [
    "a request that psn did not announce",
    /while the database says/,
    async (ground, _servers, outside) => {
      const { process, world } = spawn(ground, outside, "test", { name: "test", aheadMs: 0 }, "session");
      const [unit] = await ground.postgres.query<{ readonly id: string }>(
        "select id::text from psn.delivery_units where position = 0",
      );
      const { publish } = PLATFORMS.get("chosen") ?? {};
      const session = { fetch: world.fetch, now: world.now, signal: new AbortController().signal };
      const credentials = { access: "0/1", scopes: [] };
      const profile = { subject: "0", handle: "0", url: "https://chosen.example/0", home: "https://chosen.example" };
      const sent = { body: {}, text: "p1.1", length: 4, media: [], prepare: false };
      ground.kernel.after(1, process, () => {
        void publish?.(
          { unit: sent, key: unit?.id ?? "", at: world.now(), prepared: null, media: [] },
          { ...session, credentials, profile },
        );
      });
      await ground.kernel.runUntil(ground.kernel.now() + 60_000);
    },
  ],
  [
    "a pause that is not kept",
    /^pause/,
    ({ watch }) => {
      const claimed = watch.steps.find(({ from, to }) => to.fence > (from?.fence ?? 0) && to.state === "sending");
      const sent = watch.sent[0];
      if (!claimed || !sent) throw new Error("nothing was sent");
      const paused = {
        ...claimed,
        at: claimed.at - 1,
        to: { ...claimed.to, fence: 0, pausedUntil: Number.MAX_SAFE_INTEGER },
      };
      watch.steps.unshift(paused);
      watch.pauses.push({ account: sent.account, from: claimed.at - 2, until: sent.startedAt + 1_000 });
    },
  ],
  [
    "sent when only a person may decide",
    /^unasked/,
    ({ watch }) => {
      const [sent] = watch.sent;
      if (sent?.found) Object.assign(sent, { found: { ...sent.found, state: "unconfirmed" } });
    },
  ],
  [
    "settled while the request is under way",
    /^too soon/,
    ({ watch }) => {
      const [sent] = watch.sent;
      const claimed = watch.steps.find(({ to }) => to.state === "sending");
      if (!sent || !claimed) throw new Error("nothing was sent");
      sent.endedAt = sent.startedAt + 40_000;
      watch.steps.push({
        at: sent.startedAt + 20_000,
        by: "other",
        from: claimed.to,
        to: { ...claimed.to, worker: "other" },
      });
    },
  ],
];

test("a thread that is deleted is gone, the last part first, and the judge has nothing to say", async () => {
  const told = await tellHistory(postgres, { ...QUIET, happenings: [{ at: 30_000, what: "delete", post: 0 }] });
  expect(told.broken).toEqual([]);
  expect(told.lines.filter((line) => /DELETE .*→ 200/.test(line))).toHaveLength(2);
  expect(told.lines.some((line) => line.includes("→ removed (removed removed)"))).toBe(true);
});

describe("the judge notices", () => {
  test.each(PLANTED)("%s", async (_what, broken, plant) => {
    const told = await tellHistory(postgres, QUIET, plant);
    expect(told.broken.some((one) => broken.test(one))).toBe(true);
  });
});

test("what fails shrinks to what it needs", { timeout: 10 * MINUTES }, async () => {
  const loud: Scenario = {
    ...QUIET,
    accounts: [{ platform: "chosen" }, { platform: "keyed" }],
    posts: [
      {
        name: "p1",
        at: 1_000,
        inMs: 0,
        accounts: [0, 1],
        parts: 2,
        media: false,
        late: "ask",
        follows: false,
        keyed: true,
      },
      {
        name: "p2",
        at: 2_000,
        inMs: 0,
        accounts: [1],
        parts: 1,
        media: true,
        late: "ask",
        follows: false,
        keyed: false,
      },
    ],
    happenings: [{ at: 30_000, what: "power cut" }],
    rates: { ...QUIET.rates, request: 0.5 },
  };
  // It breaks whenever anything is public.
  const plant: Plant = (_ground, { posts }) => void (posts[0] && posts.push({ ...posts[0], id: "twin" }));
  const { scenario, broken } = await shrink(postgres, await tellHistory(postgres, loud, plant), 60, plant);
  expect(broken.some((one) => one.startsWith("doubled"))).toBe(true);
  expect(scenario.happenings).toEqual([]);
  expect(scenario.rates.request).toBe(0);
  expect(scenario.posts.flatMap(({ accounts }) => accounts)).toHaveLength(1);
});
