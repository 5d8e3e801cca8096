import { PsnError } from "@psn/core/errors.ts";
import type { SealedRow } from "@psn/core/ports/hub.ts";
import type { World } from "@psn/core/ports/world.ts";

/** How many rows are read at a time. */
const PAGE = 100;
/** While somebody else is writing a row, or exchanging its token: look again after this, in milliseconds. */
const LOOK_AGAIN_MS = 200;
/**
 * What was sealed by the old key in the instant before there was a new one is in the database within this time, in
 * milliseconds: a process that seals writes at once. What takes longer, the exchange of a token, holds the row's lease,
 * and that is waited for.
 */
const STRAGGLERS_MS = 3_000;
/**
 * Longest run of a task that may have begun with the old key alone: `maxDuration` of trigger.config.ts, in
 * milliseconds.
 */
export const TASK_MS = 300_000;
/** A worker that was heard of since then is at work, in milliseconds: four times its heartbeat. */
const AT_WORK_MS = 60_000;
/**
 * How long nothing may get free, in milliseconds: three times the lease of an exchange. A user's own hand can keep a
 * row forever.
 */
const STUCK_MS = 180_000;
/** How many of what does not open are named in the message. */
const NAMED = 5;

/** Ids of keys are public. */
interface KeyIds {
  readonly keyId: string;
  readonly oldKeyId: string;
}

/** The two keys in hub.env. */
export interface Keyring {
  /** A rotation was begun and not finished. */
  underWay(): boolean;
  /**
   * Makes a key and keeps the old one beside it, in one write; where that was done before, says which they are. Throws
   * CONFIG_….
   */
  begin(): KeyIds;
  /** Drops the old key. */
  finish(oldKeyId: string): void;
}

/** Tasks that have their keys as settings of their own. */
export interface TaskKeys {
  /** Gives them both keys, if they do not have them; answers since when they have. Throws VENDOR_…. */
  ship(keyId: string): Promise<Date>;
  /** Takes the old key from them. */
  drop(): Promise<void>;
}

export interface Rotation {
  readonly world: Pick<World, "vault" | "now" | "elapsedMs" | "sleep"> & {
    readonly stores: Pick<World["stores"], "sealed" | "inspection">;
  };
  readonly keyring: Keyring;
  /** Absent where no tasks have keys. */
  readonly tasks?: TaskKeys;
  /** Ids of all users of the hub. */
  readonly users: () => Promise<readonly string[]>;
  /** Whether a worker of this name reads this machine's hub.env. */
  readonly isHere: (worker: string) => boolean;
  /** Makes the keys and hands them out; seals nothing again. */
  readonly prepareOnly: boolean;
  readonly signal: AbortSignal;
  /** Told how long it waits for tasks that know the old key alone. */
  readonly onWait: (ms: number) => void;
  /** Told how many of all values are sealed again, on the first way through and on each later one. */
  readonly onSealed?: (done: number, all: number) => void;
}

export interface Rotated extends KeyIds {
  /** It went on with what an earlier run had begun. */
  readonly resumed: boolean;
  /** The old key is gone. */
  readonly finished: boolean;
  /** Rows sealed again by this run. */
  readonly rows: number;
  /** From when on no task knows the old key alone; null where there are none. */
  readonly tasksReadyAt: Date | null;
}

/**
 * Seals everything of every user under a new key and drops the old one. May be stopped anywhere and run again: the keys
 * come before the rows, and the old key goes last. Throws WORKER_RUNNING before anything is changed where a worker on
 * another machine could not follow, and HUB_BUSY after minutes in which somebody keeps a token; VAULT_LOCKED or
 * VAULT_TAMPERED, the old key kept, for values that do not open; CONFIG_…, DB_…, VENDOR_….
 */
export async function rotateVault(rotation: Rotation): Promise<Rotated> {
  const { world, keyring, tasks, prepareOnly, signal } = rotation;
  const resumed = keyring.underWay();
  // Before anything is changed: a login that may not list all users could not finish.
  await rotation.users();
  if (!resumed && !prepareOnly) await assertAllHere(rotation);
  const ids = keyring.begin();
  const { keyId, oldKeyId } = ids;
  const since = await tasks?.ship(keyId);
  const tasksReadyAt = since ? new Date(since.getTime() + TASK_MS) : null;
  if (prepareOnly) return { keyId, oldKeyId, resumed, finished: false, rows: 0, tasksReadyAt };
  // By a clock that was set back since, it would be longer than any task runs.
  const wait = Math.min(TASK_MS, (tasksReadyAt?.getTime() ?? 0) - world.now().getTime());
  if (wait > 0) {
    rotation.onWait(wait);
    await world.sleep(wait, signal);
  }

  const begunAt = world.elapsedMs();
  let movedAt = begunAt;
  const broken = new Map<string, string>();
  let rows = 0;
  const all = rotation.onSealed ? await countOf(rotation, oldKeyId) : 0;
  const onSealed = (done: number) => rotation.onSealed?.(Math.min(done, all), all);
  for (;;) {
    const { done, left } = await sweep(rotation, { ids, broken, onSealed });
    rows += done;
    if (done > 0) movedAt = world.elapsedMs();
    if (left > 0 && world.elapsedMs() - movedAt > STUCK_MS)
      throw new PsnError(
        "HUB_BUSY",
        `another process keeps writing ${left === 1 ? "a token" : `${left} tokens`} and does not finish`,
        {
          hint: "the old key is kept; to continue: psn vault rotate",
        },
      );
    // Done is what was looked for and not found, not what was written: somebody may have sealed more by the old key
    // meanwhile.
    if (done + left === 0 && world.elapsedMs() - begunAt >= STRAGGLERS_MS) break;
    await world.sleep(LOOK_AGAIN_MS, signal);
  }
  await assertAllOpen(rotation, [keyId, oldKeyId], broken);
  await tasks?.drop();
  keyring.finish(oldKeyId);
  // This process still has the old key: a straggler that came in the meantime is not lost.
  rows += (await sweep(rotation, { ids, broken })).done;
  return { keyId, oldKeyId, resumed, finished: true, rows, tasksReadyAt };
}

/** A worker that reads another hub.env would meet values it cannot open. */
async function assertAllHere({ world, tasks, isHere }: Rotation): Promise<void> {
  const workers = await world.stores.inspection.workers();
  const away = workers.filter(
    ({ name, beatMsAgo }) => beatMsAgo < AT_WORK_MS && !isHere(name) && !(tasks && name.startsWith("trigger.dev")),
  );
  const [first] = away;
  if (first === undefined) return;
  throw new PsnError(
    "WORKER_RUNNING",
    `the worker ${first.name} is on another machine, and its hub.env would not have the new key`,
    {
      hint:
        "psn vault rotate --prepare, copy HUB_ENCRYPTION_KEY and HUB_ENCRYPTION_KEY_OLD to that hub.env, then: psn " +
        "vault rotate",
    },
  );
}

interface Sweep {
  readonly ids: KeyIds;
  /** Rows that do not open, with their table. */
  readonly broken: Map<string, string>;
  /** Told how many values of this sweep are sealed again. */
  readonly onSealed?: (done: number) => void;
}

async function countOf({ world, users }: Rotation, keyId: string): Promise<number> {
  let all = 0;
  for (const userId of await users()) all += (await world.stores.sealed.count(userId))[keyId] ?? 0;
  return all;
}

/** Once over all rows of the old key. `left` are those that somebody else is writing just now. */
async function sweep(
  { world, users, signal }: Rotation,
  { ids, broken, onSealed }: Sweep,
): Promise<{ readonly done: number; readonly left: number }> {
  const { sealed } = world.stores;
  let [done, left, sealedAgain] = [0, 0, 0];
  for (const userId of await users()) {
    let after: SealedRow | undefined;
    for (;;) {
      const page = await sealed.ofKey(userId, { keyId: ids.oldKeyId, most: PAGE, after });
      for (const row of page) {
        signal.throwIfAborted();
        const values = row.leased ? undefined : again(world, { userId, row, ids, broken });
        if (values && (await sealed.reseal(userId, row, values))) {
          done += 1;
          sealedAgain += Object.values(row.values).filter(
            (value) => value !== null && keyIdOf(value) === ids.oldKeyId,
          ).length;
          onSealed?.(sealedAgain);
        } else if (!broken.has(row.id)) left += 1; // Somebody is writing it.
      }
      after = page.at(-1);
      if (page.length < PAGE) break;
    }
  }
  return { done, left };
}

/** As the store counts them: behind the first dot of a sealed value. */
const keyIdOf = (sealed: string) => sealed.split(".")[1];

/** The row's values, those of the old key under the new one; undefined when one does not open. */
function again(
  { vault }: Pick<World, "vault">,
  {
    userId,
    row: { table, id, values, version, audience },
    ids: { keyId, oldKeyId },
    broken,
  }: { readonly userId: string; readonly row: SealedRow; readonly ids: KeyIds; readonly broken: Map<string, string> },
): SealedRow["values"] | undefined {
  try {
    const entries = Object.entries(values).map(([column, value]) => {
      if (value === null || keyIdOf(value) !== oldKeyId) return [column, value] as const;
      const place = { table, column, rowId: id, userId, version, audience };
      const sealed = vault.seal(place, vault.open(place, value));
      // Somebody has changed hub.env by hand, or nobody can read it.
      if (keyIdOf(sealed) !== keyId)
        throw new PsnError("VAULT_LOCKED", `hub.env no longer has the key ${keyId}`, {
          hint: "psn vault rotate",
        });
      return [column, sealed] as const;
    });
    broken.delete(id);
    return Object.fromEntries(entries);
  } catch (error) {
    if (!(error instanceof PsnError) || error.code !== "VAULT_TAMPERED") throw error;
    broken.set(id, table);
    return undefined;
  }
}

/** The old key must not go while something is left that might need it. */
async function assertAllOpen(
  { world, users }: Rotation,
  keyIds: readonly string[],
  broken: ReadonlyMap<string, string>,
): Promise<void> {
  const strange = new Map<string, string>();
  for (const userId of await users())
    for (const { id, table } of await world.stores.sealed.ofOthers(userId, keyIds, PAGE)) strange.set(id, table);
  const all = new Map([...strange, ...broken]);
  if (all.size === 0) return;
  const named = [...all].slice(0, NAMED).map(([id, table]) => `${table} ${id}`);
  const more = all.size > NAMED ? ` and ${all.size - NAMED} more` : "";
  const why = strange.size > 0 ? "were sealed by a key this hub does not have" : "were changed or moved";
  throw new PsnError(
    strange.size > 0 ? "VAULT_LOCKED" : "VAULT_TAMPERED",
    `${named.join(", ")}${more} ${why}; the old key is kept`,
    {
      hint:
        "psn accounts and psn keys list show which they are: connect or set them again, or delete them, then: psn " +
        "vault rotate",
      details: { rows: all.size },
    },
  );
}
