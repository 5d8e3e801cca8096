import { type Chance, chanceOf } from "./chance.ts";
import type { Kernel, Process } from "./kernel.ts";
import type { Postgres } from "./postgres.ts";
import type { Rates, Scenario, Ways } from "./scenario.ts";

/*
 * What the parts of one history share.
 */

/** True time at a history's beginning: 2027-01-15 08:00 UTC. */
export const EPOCH = 1_800_000_000_000;

export interface Ground {
  readonly kernel: Kernel;
  readonly postgres: Postgres;
  readonly scenario: Scenario;
  readonly watch: Watch;
  /** Until when these are away, in true time. */
  readonly away: { database: number; platforms: number; queue: number };
  /** Nothing goes wrong any more. */
  calm: boolean;
  /** Decides by a name. */
  chance(name: string): Chance;
  /** The way in which what has this name goes wrong, where it does; those that did are remembered. */
  befalls<Kind extends keyof Rates>(kind: Kind, name: string): Ways[Kind][number] | undefined;
  readonly befallen: Set<string>;
  /** The account's number in the scenario, by its id. */
  readonly accountIds: string[];
  readonly userId: string;
}

/** One request that can create something, as the network sees it. */
export interface Sent {
  readonly key: string;
  /** When the unit was first about to be sent, as the request says. */
  readonly instant: string;
  readonly account: number;
  readonly by: string;
  readonly startedAt: number;
  readonly sender: Process;
  /** What the database said at that instant. */
  readonly found: Found | undefined;
  handledAt?: number;
  gaveUpAt?: number;
  /** When its sender knew what became of it, or gave up. */
  endedAt?: number;
  /** Until when it may still be carried out. */
  until?: number;
}

/** A unit and its delivery, by the database. */
export interface Found {
  readonly delivery: string;
  readonly position: number;
  readonly unitState: string;
  readonly state: string;
  readonly fence: number;
}

/** A delivery as it was after a transaction. */
export interface Seen {
  readonly id: string;
  readonly account: string;
  readonly post: string;
  readonly state: string;
  readonly fence: number;
  readonly worker: string | null;
  readonly units: string;
  /** By the database's clock, in epoch milliseconds. */
  readonly wakeAt: number;
  readonly leaseUntil: number | null;
  readonly pausedUntil: number | null;
  readonly health: string;
}

export interface Step {
  readonly at: number;
  readonly by: string;
  readonly from: Seen | undefined;
  readonly to: Seen;
}

/** What a platform asked for: no request of this account in between, in true time. */
export interface Pause {
  readonly account: number;
  readonly from: number;
  readonly until: number;
  /** When its answer arrived, for which unit, and at whom. */
  told?: { readonly at: number; readonly by: string; readonly key: string };
}

export interface Removal {
  readonly post: string;
  until: number;
}

/** Everything that is judged. */
export interface Watch {
  readonly sent: Sent[];
  readonly steps: Step[];
  /** By delivery. */
  readonly latest: Map<string, Seen>;
  /** Grows with every change of a row. */
  version: number;
  /** Invariants that broke while it ran. */
  readonly broken: string[];
  /** Posts whose command said that they are stored, by the post's id. */
  readonly confirmed: Map<string, string>;
  /** Deliveries by the instant at which a command said that they are cancelled. */
  readonly cancelled: Map<string, number>;
  readonly pauses: Pause[];
  /** Deliveries that a person has asked to be taken back. */
  readonly removalAsked: Set<string>;
  /** Requests that remove a post, by its id, and until when each may still be carried out. */
  readonly removals: Removal[];
  /** The database's clock was stepped. */
  clockStepped: boolean;
}

/** Of a kind of fault, how many befall at most: wake-ups that come twice and ask for another one would have no end. */
const MOST: Rates = { request: 60, database: 80, queue: 25, bucket: 30, death: 20, pause: 8 };

export function createGround(kernel: Kernel, postgres: Postgres, scenario: Scenario): Ground {
  const spared = new Set(scenario.spared);
  const befallen = new Set<string>();
  const chance = (name: string) => chanceOf(`${scenario.seed}/${name}`);
  const counts: Record<keyof Rates, number> = { request: 0, database: 0, queue: 0, bucket: 0, death: 0, pause: 0 };
  const ground: Ground = {
    kernel,
    postgres,
    scenario,
    watch: {
      sent: [],
      steps: [],
      latest: new Map(),
      version: 0,
      broken: [],
      confirmed: new Map(),
      cancelled: new Map(),
      pauses: [],
      removalAsked: new Set(),
      removals: [],
      clockStepped: false,
    },
    away: { database: 0, platforms: 0, queue: 0 },
    calm: false,
    chance,
    befalls: (kind, name) => {
      const { happens, int } = chance(`fault ${name}`);
      if (ground.calm || counts[kind] >= MOST[kind] || spared.has(name) || !happens(scenario.rates[kind]))
        return undefined;
      counts[kind] += 1;
      befallen.add(name);
      const ways = scenario.ways[kind];
      return ways[int(0, ways.length - 1)];
    },
    befallen,
    accountIds: [],
    userId: "00000000-0000-7000-8000-000000000001",
  };
  return ground;
}

/** A process may stop while it waits for what has this name: it goes on long after. */
export function mayStop(ground: Ground, process: Process, name: string): void {
  const way = ground.befalls("pause", `pause at ${name}`);
  if (way === undefined) return;
  const { kernel } = ground;
  const chance = ground.chance(`length of pause at ${name}`);
  const ms = chance.pick([chance.int(1_000, 50_000), chance.int(50_000, 240_000)]);
  kernel.note(process.name, `${way}s for ${ms} ms`);
  process.stoppedUntil = Math.max(process.stoppedUntil, kernel.now() + ms);
  if (way === "sleep") process.asleepMs += ms;
}

/** A process's wall clock, in epoch milliseconds. */
export const wallOf = ({ kernel }: Ground, { machine }: Process): number => EPOCH + kernel.now() + machine.aheadMs;
