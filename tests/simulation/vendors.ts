import { PsnError } from "@psn/core/errors.ts";
import type { Bucket, Queue, WakeUp } from "@psn/core/ports/outside.ts";
import { EPOCH, type Ground } from "./ground.ts";
import type { Process } from "./kernel.ts";

/*
 * The queue, whose wake-ups come early, late, twice or never, and the bucket, which is slow, refuses and changes bytes.
 */

const MINUTE = 60_000;

export interface WakeUps {
  readonly queueFor: (process: Process) => Queue;
}

/** `onWake` is called for every run. */
export function createQueue(ground: Ground, onWake: (wakeUp: WakeUp) => void): WakeUps {
  const { kernel } = ground;
  /** By idempotency key, how to take it back. */
  const known = new Map<string, () => void>();
  const accept = (key: string, wakeUp: WakeUp, name: string): void => {
    if (known.has(key)) return;
    const chance = ground.chance(name);
    const fault = ground.befalls("queue", `${name} run`) ?? "none";
    // A run whose time has passed begins at once.
    const due = Math.max(0, wakeUp.at.getTime() - EPOCH - kernel.now());
    const early = fault === "early" && due > 15_000 ? due - chance.int(1_000, 15_000) : due;
    const ms = early + (fault === "late" ? chance.int(1_000, 5 * MINUTE) : chance.int(0, 300));
    if (fault !== "none") kernel.note("queue", `${name}: ${fault}`);
    const backs = [ms, ...(fault === "twice" ? [ms + chance.int(0, 500)] : [])].map((after) =>
      fault === "never" ? () => undefined : kernel.after(after, undefined, () => onWake(wakeUp)),
    );
    known.set(key, () => {
      for (const back of backs) back();
    });
  };
  return {
    queueFor: (process) => {
      let count = 0;
      const round = async (work: (name: string) => string): Promise<string> => {
        count += 1;
        const name = `${process.name} queue ${count}`;
        const chance = ground.chance(name);
        const fault = kernel.now() < ground.away.queue ? "no answer, before" : ground.befalls("queue", name);
        const silent = fault?.startsWith("no answer") ?? false;
        if (silent) kernel.note(process.name, `queue: ${fault}`);
        const told = { handle: "" };
        if (fault !== "no answer, before")
          kernel.after(chance.int(1, 50), undefined, () => Object.assign(told, { handle: work(name) }));
        await kernel.sleep(process, silent ? chance.int(100, 5_000) : 100);
        if (silent) throw new PsnError("VENDOR_UNREACHABLE", "Trigger.dev does not answer");
        return told.handle;
      };
      return {
        name: "Trigger.dev",
        serves: () => true,
        wake: (wakeUp, again) => {
          const { deliveryId, fence, at } = wakeUp;
          const key = [deliveryId, fence, at.getTime(), again ?? ""].join(":");
          return round((name) => {
            accept(key, wakeUp, name);
            return key;
          });
        },
        forget: async (handle) => {
          await round(() => {
            known.get(handle)?.();
            return handle;
          });
        },
      };
    },
  };
}

export function createBucket(ground: Ground): (process: Process) => Bucket {
  const { kernel } = ground;
  const objects = new Map<string, Uint8Array>();
  return (process) => {
    let count = 0;
    const round = async (what: string): Promise<string> => {
      count += 1;
      const name = `${process.name} bucket ${count}`;
      const chance = ground.chance(name);
      const fault = ground.befalls("bucket", name) ?? "none";
      kernel.note(process.name, `bucket ${what}${fault === "none" ? "" : `: ${fault}`}`);
      await kernel.sleep(process, fault === "slow" ? chance.int(5_000, 200_000) : chance.int(1, 100));
      if (fault === "refuses") throw new PsnError("VENDOR_REFUSED", "the bucket refused with 403");
      if (fault === "no answer") throw new PsnError("VENDOR_UNREACHABLE", "the bucket does not answer");
      return fault;
    };
    return {
      address: "https://bucket.example/media",
      put: async (key, { bytes }) => {
        await round("put");
        objects.set(key, bytes);
      },
      get: async (key) => {
        const fault = await round("get");
        if (fault === "another byte")
          throw new PsnError("VENDOR_REFUSED", "what answers for the bucket gives other bytes");
        return fault === "gone" ? undefined : objects.get(key);
      },
      link: (key) => `https://bucket.example/${key}`,
      remove: async (key) => {
        await round("remove");
        objects.delete(key);
      },
      list: async (folder) => {
        await round("list");
        // Nothing here is a day old: what an upload left behind is for the sweep's own tests.
        return [...objects.keys()].filter((key) => key.startsWith(folder)).map((key) => ({ key, ageMs: 0 }));
      },
      check: async () => undefined,
    };
  };
}
