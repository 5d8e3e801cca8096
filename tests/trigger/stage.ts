import { type Woke, wakeDelivery } from "@psn/app/wake-delivery.ts";
import { wakeUp } from "@psn/app/wake-up.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { makeServiceLogin } from "@psn/core/db/logins.ts";
import { toPsnError } from "@psn/core/errors.ts";
import type { Queue } from "@psn/core/ports/outside.ts";
import type { World } from "@psn/core/ports/world.ts";
import { triggerQueue } from "@psn/queue/trigger.ts";
import { openWorld, remotePlatforms } from "@psn/wiring/tasks.ts";
import { z } from "zod";
import { PLATFORMS, type Stage, stageOn } from "../engine/stage.ts";
import {
  migrated,
  newName,
  newPassword,
  sharedGateway,
  type TestDatabase,
  testDatabases,
  urlAs,
} from "../support/databases.ts";
import type { NeonGateway } from "../support/neon-gateway.ts";
import { freshDatabase } from "../support/shared-postgres.ts";
import { type Execute, startTriggerApi, type TriggerApi } from "../support/trigger-api/index.ts";
import { newKey, type WorldOptions } from "../support/world.ts";

/*
 * A hub as the tasks see it: its database on Neon, over HTTP alone, and a queue at Trigger.dev. Platforms and the clock
 * are in the test's hands.
 */

/** What Trigger.dev was asked to run. */
export interface Asked {
  readonly task: string;
  readonly queue: string;
  readonly concurrencyKey: string | undefined;
  readonly payload: unknown;
  readonly key: string;
  /** Null: at once. */
  readonly at: Date | null;
  readonly status: string;
}

export interface TaskStage extends Stage {
  readonly gateway: NeonGateway;
  readonly api: TriggerApi;
  readonly queue: Queue;
  /** Codes of what went wrong beside a delivery. */
  readonly trouble: string[];
  /** As a task does, under a worker's name of its own. */
  wake(deliveryId: string): Promise<Woke>;
  /** As `psn post` does after the rows are written. */
  tell(deliveryId: string): Promise<void>;
  /** Every run there is, in the order in which it was asked for. */
  asked(): Asked[];
  /** Those that have neither begun nor been taken back. */
  waiting(): Asked[];
  close(): Promise<void>;
}

const neonHttp = testDatabases.find(({ driver }) => driver === "neon-http");

export async function openNeonDatabase(): Promise<TestDatabase> {
  if (!neonHttp) throw new Error("no such driver");
  return neonHttp.open();
}

/** Without `shorten` every wait takes at most 50 ms; without `execute` a run wakes its delivery. */
export async function openTaskStage(options: Partial<WorldOptions> = {}, execute?: Execute): Promise<TaskStage> {
  const db = await openNeonDatabase();
  const gateway = await sharedGateway();
  const stage = await stageOn(db, options);
  const waking: Execute = async ({ payload }) => ({ ok: true, output: await wake(Payload.parse(payload).deliveryId) });
  const { api, secretKey } = await startDeployed(execute ?? waking);
  const { world: bare, userId } = stage;
  const platforms = PLATFORMS.map(({ id }) => id);
  const queue = triggerQueue({
    url: api.origin,
    secretKey,
    platforms,
    fetch: (input, init) => fetch(input, init),
    now: bare.now,
  });
  const world = { ...bare, queue };
  const trouble: string[] = [];
  const onTrouble = (error: unknown) => void trouble.push(toPsnError(error).code);
  const wake = (deliveryId: string) => wakeDelivery({ world, deliveryId, userId, worker: world.newId(), onTrouble });
  return {
    ...stage,
    world,
    gateway,
    api,
    queue,
    trouble,
    wake,
    tell: async (deliveryId) => {
      const found = await world.stores.posts.detail(userId, [deliveryId]);
      const { missed } = await wakeUp(world, userId, found);
      if (missed) throw missed;
    },
    asked: () => api.runs.map(askedOf),
    waiting: () =>
      api.runs.filter(({ status }) => ["DELAYED", "QUEUED", "PENDING_VERSION"].includes(status)).map(askedOf),
    close: () => api.stop(),
  };
}

export interface TaskHub {
  /** What a deployment's tasks have in their environment. */
  readonly env: Readonly<Record<string, string>>;
  /** As the tasks open it. */
  readonly world: World;
  readonly userId: string;
  readonly db: Pick<TestDatabase, "owner">;
  readonly gateway: NeonGateway;
  readonly api: TriggerApi;
  close(): Promise<void>;
}

/**
 * A hub that is opened from the environment alone, with the platforms that psn has; it may send to `allowed`, an
 * address of this machine.
 */
export async function openTaskHub(allowed: string): Promise<TaskHub> {
  const url = await freshDatabase(migrated);
  const gateway = await sharedGateway();
  const owner = openPg(url);
  const [name, password] = [newName(), newPassword()];
  await makeServiceLogin(owner, name, password);
  const { api, secretKey } = await startDeployed();
  const env = {
    DATABASE_URL: gateway.urlFor(urlAs(url, name, password)),
    NEON_PROXY: new URL(gateway.httpEndpoint).origin,
    HUB_ENCRYPTION_KEY: newKey(),
    TRIGGER_API_URL: api.origin,
    TRIGGER_SECRET_KEY: secretKey,
    PSN_PRIVATE_ORIGINS: new URL(allowed).origin,
  };
  const { world } = openWorld(env);
  const userId = world.newId();
  await world.stores.users.add({ id: userId, handle: "ada", timeZone: "UTC" });
  return {
    env,
    world,
    userId,
    db: { owner },
    gateway,
    api,
    close: async () => {
      await api.stop();
      await owner.close();
    },
  };
}

/** A project whose tasks are deployed; what is due there waits until the test lets it run. */
async function startDeployed(execute?: Execute) {
  const api = await startTriggerApi(execute ? { execute } : {});
  const project = api.addProject("psn");
  const names = [...PLATFORMS.map(({ id }) => id), ...Object.keys(remotePlatforms)];
  const queues = names.map((id) => ({ id: `declares-${id}`, queue: `publish-${id}` }));
  api.deploy({ tasks: [{ id: "publish-delivery" }, { id: "settle-unknown", queue: "settle" }, ...queues] });
  return { api, secretKey: project.environments.prod.secretKey };
}

const Payload = z.object({ deliveryId: z.uuid(), userId: z.uuid() });
const Options = z.object({ idempotencyKey: z.string(), delay: z.iso.datetime().optional() });

function askedOf({ task, queue, concurrencyKey, payload, options, status }: TriggerApi["runs"][number]): Asked {
  const { idempotencyKey: key, delay } = Options.parse(options);
  return { task, queue, concurrencyKey, payload, key, at: delay === undefined ? null : new Date(delay), status };
}
