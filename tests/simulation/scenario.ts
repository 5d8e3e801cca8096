import { chanceOf } from "./chance.ts";
import { MODELS, type ModelId } from "./models.ts";

/*
 * What a history begins with: data alone, so that parts of it can be left out while a fault still shows.
 */

export interface Scenario {
  readonly seed: string;
  /** Who publishes: workers that stay, tasks that a queue wakes, or both. */
  readonly runs: "workers" | "tasks" | "both";
  readonly workers: readonly { readonly machine: number }[];
  /** How far each machine's wall clock is ahead, in milliseconds; the first is the database's. */
  readonly machines: readonly number[];
  readonly accounts: readonly { readonly platform: ModelId }[];
  readonly posts: readonly ScenarioPost[];
  readonly happenings: readonly Happening[];
  /** How often each kind of thing goes wrong, in [0, 1), and in which ways it can. */
  readonly rates: Rates;
  readonly ways: Ways;
  /** Faults by name that do not befall. */
  readonly spared: readonly string[];
}

export interface Rates {
  readonly request: number;
  readonly database: number;
  readonly queue: number;
  readonly bucket: number;
  /** That a process dies of itself. */
  readonly death: number;
  /** That a process stops where it waits for something, or its whole machine does. */
  readonly pause: number;
}

/** In which ways something can go wrong; one that is named twice is as likely again. */
export const WAYS = {
  request: [
    "refused connection",
    "lost",
    "silence",
    "500 before",
    "500 after",
    "answer lost",
    "carried out, then silence",
    "late",
    "slow",
    "garbage before",
    "garbage after",
    "429",
    "refusal",
    "answer lost, then refused",
    "redirect",
  ],
  database: ["refused", "cut before", "cut", "answer lost", "slow"],
  queue: ["no answer, before", "no answer, after", "early", "late", "never", "twice"],
  bucket: ["slow", "refuses", "gone", "another byte", "no answer"],
  death: ["dies"],
  pause: ["stop", "sleep"],
} as const satisfies Record<keyof Rates, readonly [string, ...string[]]>;
export type Ways = { readonly [Kind in keyof Rates]: readonly (typeof WAYS)[Kind][number][] };

export interface ScenarioPost {
  readonly name: string;
  /** When the command runs, and how long after that the post is due, in milliseconds. */
  readonly at: number;
  readonly inMs: number;
  readonly accounts: readonly number[];
  readonly parts: number;
  readonly media: boolean;
  readonly late: "publish" | "ask" | "drop";
  /** The command stays and publishes by itself. */
  readonly follows: boolean;
  /** The command is given a key and is run again until it says that it is done. */
  readonly keyed: boolean;
}

export type Happening = { readonly at: number } & (
  | { readonly what: "cancel" | "edit" | "move" | "retry" | "resolve" | "delete"; readonly post: number }
  | { readonly what: "disconnect" | "connect" | "expire" | "revoke"; readonly account: number }
  | { readonly what: "stop" | "sleep"; readonly worker: number; readonly forMs: number }
  | { readonly what: "step"; readonly machine: number; readonly byMs: number }
  | { readonly what: "database away" | "platforms away" | "queue away"; readonly forMs: number }
  | { readonly what: "power cut" }
);

const MINUTE = 60_000;
/** So long goes wrong what can go wrong; then all is calm. */
export const TROUBLE_MS = 6 * MINUTE;

/** The scenario of a seed: every third is narrow. */
export function scenarioOf(seed: string): Scenario {
  const wide = wideScenarioOf(seed);
  const { happens, pick } = chanceOf(`${seed}/narrow`);
  return happens(0.3) ? narrowed(wide, pick(NARROW)) : wide;
}

/** The last one is the rarest elsewhere: few platforms are sent a request again without a look. */
const NARROW = [
  "late",
  "slow",
  "answer lost",
  "500 after",
  "429",
  "answer lost, then refused",
  "answer lost, then refused",
] as const;

/**
 * Two workers and true clocks, and requests go wrong very often, in one way: what needs the same thing twice is met
 * soon.
 */
function narrowed(wide: Scenario, way: Ways["request"][number]): Scenario {
  return {
    ...wide,
    runs: "workers",
    workers: [{ machine: 1 }, { machine: 2 }],
    machines: [0, 0, 0, 0],
    posts: wide.posts.map((post) => ({ ...post, inMs: 0 })),
    happenings: wide.happenings.filter(({ what }, index) => index === 0 || what === "delete"),
    rates: { request: 0.8, database: 0, queue: 0, bucket: 0, death: 0, pause: 0 },
    ways: { ...wide.ways, request: [way] },
  };
}

function wideScenarioOf(seed: string): Scenario {
  const chance = chanceOf(`${seed}/scenario`);
  const { int, happens, pick } = chance;
  const runs = pick<Scenario["runs"]>(["workers", "workers", "tasks", "both"]);
  const workers = Array.from({ length: runs === "tasks" ? 0 : int(1, 3) }, (_, n) => ({
    machine: happens(0.7) ? n + 1 : 1,
  }));
  const ahead = () =>
    happens(0.6) ? 0 : pick([int(-2_000, 2_000), int(-MINUTE, MINUTE), int(-10 * MINUTE, 10 * MINUTE)]);
  const machines = [ahead(), ahead(), ahead(), ahead()];
  const ids = Object.keys(MODELS) as [ModelId, ...ModelId[]];
  const accounts = Array.from({ length: int(1, 3) }, () => ({ platform: pick(ids) }));
  const posts = Array.from({ length: int(1, 3) }, (_, n): ScenarioPost => {
    const some = accounts.map((_account, index) => index).filter(() => happens(0.6));
    return {
      name: `p${n + 1}`,
      at: int(0, 2 * MINUTE),
      inMs: happens(0.5) ? 0 : int(0, 2 * MINUTE),
      accounts: some.length > 0 ? some : [0],
      parts: happens(0.7) ? 1 : int(2, 3),
      media: happens(0.3),
      late: pick(["ask", "publish", "drop"]),
      follows: happens(0.1),
      keyed: happens(0.3),
    };
  });
  const post = () => int(0, posts.length - 1);
  const account = () => int(0, accounts.length - 1);
  const happening = (): Happening => {
    const at = int(0, TROUBLE_MS - MINUTE);
    switch (int(0, workers.length > 0 ? 13 : 10)) {
      case 0:
        return { at, what: "cancel", post: post() };
      case 1:
        return { at, what: "edit", post: post() };
      case 2:
        return { at, what: "move", post: post() };
      case 3:
        return { at, what: pick(["retry", "resolve"]), post: post() };
      case 4:
        return { at, what: "disconnect", account: account() };
      case 5:
        return { at, what: "connect", account: account() };
      case 6:
        return { at, what: "expire", account: account() };
      case 7:
        return { at, what: happens(0.3) ? "revoke" : "expire", account: account() };
      case 8:
        return { at, what: pick(["database away", "platforms away", "queue away"]), forMs: int(1_000, 3 * MINUTE) };
      case 9: {
        const byMs = pick([int(-MINUTE, MINUTE), int(-10 * MINUTE, 10 * MINUTE), 24 * 60 * MINUTE, -24 * 60 * MINUTE]);
        return { at, what: "step", machine: int(0, 3), byMs };
      }
      case 10:
        return { at, what: "power cut" };
      default:
        return {
          at,
          what: pick(["stop", "sleep"]),
          worker: int(0, workers.length - 1),
          forMs: pick([int(1_000, 50_000), int(50_000, 4 * MINUTE)]),
        };
    }
  };
  const happenings = Array.from({ length: happens(0.2) ? 0 : int(0, 6) }, happening);
  // By a chance of its own, so that the rest of a history stays as it was before psn could delete.
  const deleting = chanceOf(`${seed}/deletions`);
  const deletions = Array.from(
    { length: deleting.happens(0.4) ? deleting.int(1, 2) : 0 },
    (): Happening => ({
      at: deleting.int(0, TROUBLE_MS - MINUTE),
      what: "delete",
      post: deleting.int(0, posts.length - 1),
    }),
  );
  // Few ways at a time, each of them often: then they meet.
  const some = <T>(all: readonly [T, ...T[]]): readonly T[] => Array.from({ length: int(1, 3) }, () => pick(all));
  const rates = {
    request: pick([0, 0.2, 0.5, 0.8]),
    database: pick([0, 0, 0.05, 0.2]),
    queue: pick([0, 0.1, 0.4]),
    bucket: pick([0, 0.3, 0.6]),
    death: pick([0, 0, 0.3, 0.7]),
    pause: pick([0, 0, 0.05, 0.2]),
  };
  const ways: Ways = {
    request: some(WAYS.request),
    database: some(WAYS.database),
    queue: some(WAYS.queue),
    bucket: some(WAYS.bucket),
    death: WAYS.death,
    pause: WAYS.pause,
  };
  return {
    seed,
    runs,
    workers,
    machines,
    accounts,
    posts,
    happenings: [...happenings, ...deletions],
    rates,
    ways,
    spared: [],
  };
}
