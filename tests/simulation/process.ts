import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Bucket, Queue } from "@psn/core/ports/outside.ts";
import type { World } from "@psn/core/ports/world.ts";
import { accessOf, type Way } from "./database.ts";
import { type Ground, wallOf } from "./ground.ts";
import type { Machine, Process } from "./kernel.ts";
import { PLATFORMS } from "./models.ts";
import { fetchOf } from "./network.ts";
import type { Servers } from "./servers.ts";

/*
 * A process of psn: the real use cases over the real stores, with everything outside of them simulated. It dies between
 * any two of its events, and what it waited for then never comes.
 */

export interface Outside {
  readonly servers: Servers;
  readonly queueFor: (process: Process) => Queue | undefined;
  readonly bucketFor: (process: Process) => Bucket | undefined;
}

export interface Living {
  readonly process: Process;
  readonly world: World;
}

/** A process that dies of itself now and then. */
export function spawn(ground: Ground, outside: Outside, name: string, machine: Machine, way: Way): Living {
  const { kernel } = ground;
  const chance = ground.chance(`process ${name}`);
  const mortal = ground.befalls("death", `death of ${name}`) !== undefined;
  const process: Process = {
    name,
    machine,
    alive: true,
    stoppedUntil: 0,
    asleepMs: 0,
    eventsLeft: mortal ? chance.int(1, chance.pick([15, 60, 150])) : Number.POSITIVE_INFINITY,
  };
  const access = accessOf(ground, process, way);
  const stores = createStores(access);
  const { deliveries } = stores;
  const began = chance.int(0, 1_000_000);
  const world: World = {
    stores: {
      ...stores,
      deliveries: {
        ...deliveries,
        claim: (request) => {
          const { concurrency, only, busy } = request;
          access.asking(`claim ${JSON.stringify({ concurrency, only, busy })}`);
          return deliveries.claim(request);
        },
        nextWake: (concurrency, only) => {
          access.asking(`wake ${JSON.stringify({ concurrency, only })}`);
          return deliveries.nextWake(concurrency, only);
        },
        // Signs of life change nothing that is judged.
        beat: async () => new Date(ground.postgres.clock()),
        gone: async () => undefined,
      },
    },
    vault: {
      seal: ({ rowId }, plaintext) => `${rowId}:${plaintext}`,
      open: ({ rowId }, sealed) => {
        if (!sealed.startsWith(`${rowId}:`)) throw new PsnError("VAULT_TAMPERED", "moved");
        return sealed.slice(rowId.length + 1);
      },
    },
    platforms: {
      ids: [...PLATFORMS.keys()],
      load: async (id) => {
        const found = PLATFORMS.get(id);
        if (!found) throw new PsnError("INPUT_INVALID", `no platform is called ${id}`);
        return found;
      },
    },
    apps: { find: async () => undefined },
    ...optional("queue", outside.queueFor(process)),
    ...optional("bucket", outside.bucketFor(process)),
    fetch: fetchOf(ground, outside.servers, process),
    now: () => new Date(wallOf(ground, process)),
    elapsedMs: () => began + kernel.now() - process.asleepMs,
    random: chance.next,
    newId: () => uuidOf(wallOf(ground, process), chance.next),
    sleep: (ms, signal) => kernel.sleep(process, ms, signal),
  };
  return { process, world };
}

const optional = <Name extends string, Value>(name: Name, value: Value | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { [name in Name]?: Value };

const hex = (value: number, digits: number) => Math.floor(value).toString(16).padStart(digits, "0").slice(-digits);

/** UUIDv7 (RFC 9562 §5.7). */
function uuidOf(ms: number, next: () => number): string {
  const time = hex(ms, 12);
  const some = () => next() * 65_536;
  return (
    `${time.slice(0, 8)}-${time.slice(8)}-7${hex(some(), 3)}-${hex(0x8000 + next() * 0x4000, 4)}` +
    `-${hex(some(), 4)}${hex(some(), 4)}${hex(some(), 4)}`
  );
}
