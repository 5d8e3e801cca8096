import type { Database } from "@psn/core/db/connection.ts";
import { databaseError } from "@psn/core/db/drivers/failure.ts";
import { PsnError } from "@psn/core/errors.ts";
import { type Ground, mayStop, type Seen } from "./ground.ts";
import type { Process } from "./kernel.ts";

/*
 * One process's way to the database: each transaction takes time on the way there and back, can be cut off at any
 * statement, and can lose its answer. Transactions of several processes come one after the other; what their statements
 * do to each other in between is for the tests with a real server.
 */

/** How it comes in: by a session, as a worker does, or by requests, as a task does (`core/db/drivers/neon-http.ts`). */
export type Way = "session" | "requests";

/** As neon-http sends again what is repeatable, in milliseconds. */
const AGAIN_MS = [250, 1_000, 3_000] as const;
const REQUEST_TIMEOUT_MS = 25_000;

const lost = (code: string) => Object.assign(new Error("the connection failed"), { code });
const CLAIMS = "claim_due|claim_one|settle|note|part";
const VERBS = "cancel|move|retry|resolve|recover|reconnect|disconnect|remove|edit";
const WRITES = new RegExp(`insert|update|delete|psn\\.(${CLAIMS}|${VERBS})\\(`, "i");

/** An answer that stays the same until a row changes or an instant comes. */
interface Known {
  readonly version: number;
  readonly from: number;
  readonly until: number;
  readonly rows: readonly unknown[];
}
const known = new WeakMap<Ground, Map<string, Known>>();

export interface Access extends Database {
  /** The next transaction asks only this, which somebody may have asked before. */
  asking(question: string): void;
}

export function accessOf(ground: Ground, process: Process, way: Way): Access {
  const { kernel, postgres } = ground;
  const questions = known.get(ground) ?? new Map<string, Known>();
  known.set(ground, questions);
  let count = 0;
  let question: string | undefined;

  const roundTrip = <T>(work: () => Promise<T>, asked: string | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      count += 1;
      const name = `${process.name} database ${count}`;
      const chance = ground.chance(name);
      let cut = ground.befalls("database", name) ?? "none";
      if (kernel.now() < ground.away.database) cut = "refused";
      const slow = cut === "slow";
      const there = slow ? chance.int(0, chance.pick([5_000, 40_000])) : chance.int(0, 4);
      const back = slow ? chance.int(0, chance.pick([5_000, 40_000])) : chance.int(0, 4);
      const nth = chance.int(1, 5);
      mayStop(ground, process, name);
      if (cut !== "none") kernel.note(process.name, `database: ${cut}`);
      let answered = false;
      const answer = (ms: number, give: () => void) => {
        kernel.after(ms, process, () => {
          if (answered) return;
          answered = true;
          give();
        });
      };
      const fail = (error: unknown, ms = back) => answer(ms, () => reject(databaseError(error)));
      if (cut === "refused" || cut === "cut before") {
        fail(lost(cut === "refused" ? "ECONNREFUSED" : "ECONNRESET"));
        return;
      }
      if (way === "requests") fail(lost("ETIMEDOUT"), REQUEST_TIMEOUT_MS);
      kernel.after(there, undefined, () => {
        // A session ends with its process, and with it what is not committed.
        if (!process.alive && way === "session" && chance.happens(0.5)) return;
        let statements = 0;
        let gone = false;
        let writes = false;
        postgres.beforeStatement = (text) => {
          statements += 1;
          writes ||= WRITES.test(text);
          if (cut === "cut" && statements > nth && text !== "ROLLBACK") gone = true;
          if (gone && text !== "ROLLBACK") throw lost("ECONNRESET");
        };
        postgres.afterStatement = (text) => {
          if (cut !== "answer lost" || text !== "COMMIT") return;
          gone = true;
          throw lost("ECONNRESET");
        };
        const settle = async () => {
          try {
            const result = await work();
            answer(back, () => resolve(result));
            if (asked?.startsWith("claim") && isEmpty(result)) writes = false;
            if (asked !== undefined) remember(asked, result);
          } catch (error) {
            fail(error);
          }
          if (writes) await look(ground, process.name);
        };
        void settle();
      });
    });

  function remember(asked: string, result: unknown): void {
    const rows: unknown = Array.isArray(result) ? result[0] : undefined;
    if (!Array.isArray(rows) || (asked.startsWith("claim") && !isEmpty(result))) return;
    const from = postgres.clock();
    questions.set(asked, { version: ground.watch.version, from, until: nextInstant(ground, from), rows });
  }

  /** What is certain to be answered without asking; an idle worker asks the same thing very often. */
  function recall(asked: string): unknown[] | undefined {
    const answer = questions.get(asked);
    const at = postgres.clock();
    if (!answer || answer.version !== ground.watch.version || at >= answer.until || at < answer.from) return undefined;
    if (kernel.now() < ground.away.database) return undefined;
    const [row] = answer.rows as readonly { readonly ms?: number | null }[];
    if (row?.ms == null) return [answer.rows];
    return [[{ ms: row.ms - (at - answer.from) }]];
  }

  const run: Database["run"] = async (actor, build, { repeatable = false } = {}) => {
    const asked = question;
    question = undefined;
    const remembered = asked === undefined ? undefined : recall(asked);
    if (remembered) {
      // An answer in no time at all would let a loop stand still.
      await kernel.sleep(process, 1);
      return remembered as never;
    }
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await roundTrip(() => postgres.database.run(actor, build), asked);
      } catch (error) {
        const wait = way === "requests" ? AGAIN_MS[attempt] : undefined;
        if (wait === undefined || !repeatable || !(error instanceof PsnError) || error.code !== "DB_UNREACHABLE")
          throw error;
        await kernel.sleep(process, wait);
      }
    }
  };
  return {
    driver: way === "session" ? "embedded" : "neon-http",
    run,
    ...(way === "session"
      ? {
          listen: async (onWake: () => void) => {
            const listener = { process, onWake };
            listeners(ground).add(listener);
            return { prove: async () => "heard" as const, close: async () => void listeners(ground).delete(listener) };
          },
        }
      : {}),
    close: async () => undefined,
    asking: (what) => {
      question = what;
    },
  };
}

const isEmpty = (result: unknown) => Array.isArray(result) && Array.isArray(result[0]) && result[0].length === 0;

interface Listener {
  readonly process: Process;
  readonly onWake: () => void;
}
const allListeners = new WeakMap<Ground, Set<Listener>>();
function listeners(ground: Ground): Set<Listener> {
  const some = allListeners.get(ground) ?? new Set<Listener>();
  allListeners.set(ground, some);
  return some;
}

/** Lets notifications reach whoever listens, some of them never. */
export function deliverNotifications(ground: Ground): void {
  let count = 0;
  ground.postgres.onWake = () => {
    count += 1;
    for (const { process, onWake } of listeners(ground)) {
      const name = `notification ${count} to ${process.name}`;
      if (ground.befalls("database", name)) continue;
      ground.kernel.after(ground.chance(name).int(1, 20), process, onWake);
    }
  };
}

const SNAPSHOT = `select d.id::text, d.account_id::text as account, d.post_id::text as post,
  d.state, d.fence::integer, d.worker,
  (select string_agg(u.state, ' ' order by u.position) from psn.delivery_units u where u.delivery_id = d.id) as units,
  floor(extract(epoch from d.wake_at) * 1000)::double precision as "wakeAt",
  floor(extract(epoch from d.lease_until) * 1000)::double precision as "leaseUntil",
  floor(extract(epoch from a.paused_until) * 1000)::double precision as "pausedUntil", a.health
  from psn.deliveries d join psn.accounts a on a.id = d.account_id order by d.id`;

/** Takes down what a transaction has changed. */
export async function look(ground: Ground, by: string): Promise<void> {
  const { watch, postgres, kernel } = ground;
  for (const to of await postgres.query<Seen>(SNAPSHOT)) {
    const from = watch.latest.get(to.id);
    if (from && same(from, to)) continue;
    watch.version += 1;
    watch.latest.set(to.id, to);
    watch.steps.push({ at: kernel.now(), by, from, to });
    kernel.note(
      by,
      `${labelOf(ground, to.id)}: ${from ? `${from.state} → ` : ""}${to.state} (${to.units}), fence ${to.fence}`,
    );
    if (from && to.worker !== null && to.worker !== from.worker && to.fence === from.fence)
      watch.broken.push(`the fence of ${labelOf(ground, to.id)} stays ${to.fence} while ${to.worker} takes it over`);
    if (from && to.fence < from.fence)
      watch.broken.push(`the fence of ${labelOf(ground, to.id)} went from ${from.fence} to ${to.fence}`);
  }
}

const same = (a: Seen, b: Seen): boolean =>
  a.state === b.state &&
  a.fence === b.fence &&
  a.worker === b.worker &&
  a.units === b.units &&
  a.wakeAt === b.wakeAt &&
  a.leaseUntil === b.leaseUntil &&
  a.pausedUntil === b.pausedUntil &&
  a.health === b.health;

/** When something that is known now becomes due, by the database's clock; infinite when nothing does. */
function nextInstant({ watch }: Ground, from: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { wakeAt, leaseUntil, pausedUntil } of watch.latest.values())
    for (const at of [wakeAt, leaseUntil, pausedUntil]) if (at !== null && at >= from && at < next) next = at;
  return next;
}

const labels = new WeakMap<Ground, Map<string, string>>();
/** What a history calls a delivery: `d1`, `d2`, in the order in which they were seen. */
export function labelOf(ground: Ground, id: string): string {
  const some = labels.get(ground) ?? new Map<string, string>();
  labels.set(ground, some);
  const label = some.get(id) ?? `d${some.size + 1}`;
  some.set(id, label);
  return label;
}
