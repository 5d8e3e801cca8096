import { connectAccount } from "@psn/app/connect-account.ts";
import { schedulePost } from "@psn/app/schedule-post.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { makeServiceLogin } from "@psn/core/db/logins.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { startNeonGateway } from "../tests/support/neon-gateway.ts";
import { startPostgres } from "../tests/support/postgres.ts";
import { startTriggerApi } from "../tests/support/trigger-api/index.ts";
import type { TriggerWorker } from "../tests/support/trigger-worker.ts";
import { type Figure, median, quantile } from "./report.ts";

/** Posts that are due in the same second. */
const COUNT = 20;
/** Runs of an account that Trigger.dev has at work at once: the webhook's limit. */
const AT_ONCE = 4;
const ROUNDS = 3;

/**
 * Twenty posts of one account in one second, each with its wake-up, in Trigger.dev's own worker process: with runs that
 * go on to what else is due of the account, against twenty accounts with one post each, where every post waits for a
 * process of its own.
 */
export async function burst(worker: TriggerWorker): Promise<readonly Figure[]> {
  const server = await startPostgres({ fast: false });
  const gateway = await startNeonGateway(server.url);
  const api = await startTriggerApi();
  const received = new Map<string, number>();
  const receiver = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      await request.text();
      const id = request.headers.get("webhook-id");
      if (id !== null && received.has(id)) throw new Error("a post came twice");
      if (id !== null) received.set(id, performance.now());
      return new Response(null, { status: 204 });
    },
  });
  try {
    const url = await server.createDatabase();
    const owner = openPg(url);
    await migrate(owner);
    const password = "be".repeat(16);
    await makeServiceLogin(owner, "psn_bench", password);
    const login = new URL(url);
    Object.assign(login, { username: "psn_bench", password });
    api.deploy({
      project: api.addProject("bench"),
      tasks: [{ id: "publish-delivery" }, { id: "settle-unknown", queue: "settle" }],
    });
    const env = {
      DATABASE_URL: gateway.urlFor(login.href),
      NEON_PROXY: new URL(gateway.httpEndpoint).origin,
      HUB_ENCRYPTION_KEY: "0".repeat(64),
      TRIGGER_API_URL: api.origin,
      TRIGGER_SECRET_KEY: api.projects[0]?.environments.prod.secretKey ?? "",
      PSN_PRIVATE_ORIGINS: receiver.url.origin,
    };
    const { world } = openWorld(env);
    const userId = world.newId();
    await world.stores.users.add({ id: userId, handle: "bench", timeZone: "UTC" });
    const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    for (let n = 0; n < COUNT; n += 1)
      await connectAccount(world, {
        userId,
        platformId: "webhook",
        consent: { form: { url: new URL(`/${n}`, receiver.url).href, secret } },
        signal: new AbortController().signal,
      });
    const accounts = await world.stores.accounts.list(userId);

    /** How late each post was received, in milliseconds, sorted. */
    const late = async (accountOf: (n: number) => Account | undefined): Promise<number[]> => {
      const due = { at: new Date(), wallTime: null, timeZone: null };
      const ids: string[] = [];
      for (let n = 0; n < COUNT; n += 1) {
        const account = accountOf(n);
        if (!account) throw new Error("there is no such account");
        const draft = {
          parts: [{ text: `post ${n}`, media: [] }] as const,
          overrides: {},
          split: false,
          numbered: false,
        };
        const { postId } = await schedulePost(world, { userId, draft, accounts: [account], due, idempotencyKey: null });
        ids.push(...(await world.stores.posts.ofPost(userId, postId)).map(({ id }) => id));
      }
      received.clear();
      const began = performance.now();
      const waiting = [...ids];
      const place = async () => {
        for (let id = waiting.shift(); id !== undefined; id = waiting.shift())
          await worker.run("publish-delivery", { deliveryId: id, userId }, { env });
      };
      await Promise.all(Array.from({ length: AT_ONCE }, place));
      if (received.size !== COUNT) throw new Error(`${received.size} of ${COUNT} posts came`);
      return [...received.values()].map((at) => at - began).toSorted((a, b) => a - b);
    };

    const pairs: { together: number[]; alone: number[] }[] = [];
    for (let round = 0; round < ROUNDS; round += 1)
      pairs.push({ together: await late(() => accounts[0]), alone: await late((n) => accounts[n]) });
    await owner.close();
    const figure = (name: string, q: number, aim: number): Figure => {
      const ratio = median(pairs.map(({ together, alone }) => quantile(together, q) / quantile(alone, q)));
      const [ms, before] = [
        median(pairs.map(({ together }) => quantile(together, q))),
        median(pairs.map(({ alone }) => quantile(alone, q))),
      ];
      return {
        name: `${COUNT} posts of an account in one second, ${name} received`,
        value: `${ms.toFixed(0)} ms (${before.toFixed(0)} ms)`,
        ratio,
        against: "a process for each post",
        aim: `≤ ${aim}x`,
        met: ratio <= aim,
      };
    };
    return [figure("half of them", 0.5, 0.6), figure("all", 1, 0.5)];
  } finally {
    receiver.stop(true);
    await Promise.all([api.stop(), gateway.stop()]);
    await server.stop();
  }
}
