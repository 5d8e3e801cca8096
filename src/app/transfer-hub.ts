import { PsnError } from "@psn/core/errors.ts";
import type { HubRow, HubRows, HubTable } from "@psn/core/ports/hub.ts";
import type { Vault } from "@psn/core/ports/outside.ts";
import type { BroughtSettings, MovedSettings } from "@psn/core/types/index.ts";
import { type Exported, type Head, landed, linesOf, readLines } from "./archive-lines.ts";
import { type Provisioning, provisionHub } from "./provision-hub.ts";

/*
 * A hub goes into an archive, and comes out of one.
 */

/** The hub of a folder, or the place where one is to be. */
export interface TransferGround {
  /** What goes along of hub.env and keys.env. Throws CONFIG_…. */
  readonly settings: () => Pick<Head, "settings" | "keys">;
  /** Ids of all users. Throws DB_OWNER_REQUIRED where hub.env has no login that may know them, DB_…. */
  readonly users: () => Promise<readonly string[]>;
  /** Throws VAULT_LOCKED. */
  readonly vault: () => Pick<Vault, "open" | "seal">;
  /** Over one session of the database. Throws DB_…, SCHEMA_…. */
  readonly withRows: <T>(work: (rows: HubRows) => Promise<T>) => Promise<T>;
  readonly archive: Archive;
  /** The path of a file that is named by its path, or by one that counts from the folder. */
  readonly path: (file: string) => string;
  /** There is a hub in the folder. */
  readonly exists: () => boolean;
  readonly provisioning: () => Provisioning;
  /** Number of migrations that this psn knows. */
  readonly schema: number;
  readonly isTable: (name: string) => name is HubTable;
  /** What an archive would set here, and what this hub says already. */
  readonly compare: (brought: BroughtSettings) => MovedSettings;
  /**
   * Writes what came with an archive, where hub.env and keys.env do not say otherwise already; `took` false writes the
   * user alone. `undo` gets the ways back.
   */
  readonly writeSettings: (head: Head, took: boolean, undo: (() => void)[]) => void;
}

/** What can take its hub elsewhere, or bring one here. */
export interface TransferScope {
  readonly transfer: () => Promise<TransferGround>;
}

/** Sealed files of lines. */
export interface Archive {
  /** Throws INPUT_INVALID for a passphrase that is too short. */
  checkPassphrase(passphrase: string): void;
  /** The file gets its name when `whole` has ended well. Throws ALREADY_EXISTS, FILE_UNWRITABLE, DB_FULL. */
  write<T>(
    file: string,
    passphrase: string,
    whole: (write: (lines: AsyncIterable<string>) => Promise<void>) => Promise<T>,
  ): Promise<T>;
  /** Throws PASSPHRASE_WRONG, ARCHIVE_INVALID, FILE_UNREADABLE. */
  read(file: string, passphrase: string): AsyncGenerator<string>;
}

/**
 * How a transfer is stopped: rows are handed on until the signal is aborted, and `noReturn` is called right before
 * anything stays, and may throw.
 */
interface Stoppable {
  readonly signal?: AbortSignal;
  readonly noReturn?: () => void;
  /** Told of each row, and how many there are. */
  readonly onRow?: (done: number, all: number) => void;
}

/** Tells of each row as it is handed on. */
async function* counted<T>(rows: AsyncIterable<T>, all: number, onRow: Stoppable["onRow"]): AsyncGenerator<T> {
  let done = 0;
  for await (const row of rows) {
    onRow?.(++done, all);
    yield row;
  }
}

/** Ends with the signal's reason in place of the next row. */
async function* until<T>(signal: AbortSignal | undefined, rows: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const row of rows) {
    signal?.throwIfAborted();
    yield row;
  }
}

export interface ExportWish extends Stoppable {
  readonly file: string;
  readonly passphrase: string;
  /** This hub publishes none of it any more. */
  readonly moving: boolean;
  readonly user: { readonly id: string; readonly handle: string; readonly timeZone: string };
  readonly now: () => Date;
}

/**
 * Writes everything a hub is into one archive. Throws INPUT_INVALID, ALREADY_EXISTS, HUB_BUSY, FILE_UNWRITABLE,
 * CONFIG_…, DB_….
 */
export async function exportHub(ground: TransferGround, wish: ExportWish): Promise<Exported> {
  const { file, passphrase, moving, user, now, signal, noReturn, onRow } = wish;
  ground.archive.checkPassphrase(passphrase);
  const settings = ground.settings();
  const users = await ground.users();
  const vault = ground.vault();
  const told = { rows: 0, lost: [] as string[] };
  return ground.withRows(async (rows) => {
    const { id, handle, timeZone } = user;
    const head = {
      schema: rows.schema,
      at: now().toISOString(),
      moved: moving,
      user: id,
      handle,
      timeZone,
      ...settings,
    };
    const expected = onRow ? await rows.count(users) : 0;
    // The file gets its name after the old hub has stopped: before that it must not be of use to anybody.
    await ground.archive.write(file, passphrase, (write) =>
      rows.read(users, moving, async (all) => {
        await write(linesOf(head, { rows: counted(until(signal, all), expected, onRow), vault, told }));
        noReturn?.();
      }),
    );
    return told;
  });
}

export interface ImportWish extends Stoppable {
  readonly file: string;
  readonly passphrase: string;
  readonly start: boolean;
  /** Asked where the file is a copy of a hub that may still publish. Throws to leave everything as it is. */
  readonly confirmCopy: () => Promise<void>;
  /**
   * Asked for what the file would set, where it would set anything. False leaves it out; throws to leave everything as
   * it is.
   */
  readonly takeSettings: (settings: MovedSettings) => Promise<boolean>;
  readonly now: () => Date;
}

export interface Imported {
  readonly rows: number;
  /** Deliveries that go out from here now. */
  readonly started: number;
  readonly head: Head;
  /** There was no hub before. */
  readonly made: boolean;
  readonly settings: MovedSettings;
  /** Whether `settings.take` was taken. */
  readonly took: boolean;
}

/**
 * Brings a hub from its archive into an empty one, which is made where there is none. All or nothing. Throws as
 * `exportHub`.
 */
export async function importHub(ground: TransferGround, wish: ImportWish): Promise<Imported> {
  const { file, passphrase, start, now, signal, noReturn, onRow } = wish;
  const open = async (schema: number) => readLines(ground.archive.read(file, passphrase), ground.isTable, schema);
  // Once through, so that a file that is damaged at its end changes nothing.
  const { head, rows: all } = await open(ground.schema);
  const sealed: string[] = [];
  let expected = 0;
  for await (const { table, json } of until(signal, all)) {
    expected += 1;
    if (table === "api_keys") sealed.push(keyNameOf(json));
  }
  const settings = ground.compare({ settings: head.settings ?? {}, keys: head.keys ?? {}, sealed });
  const took = settings.take.length > 0 && (await wish.takeSettings(settings));
  if (start && !head.moved) await wish.confirmCopy();

  const made = !ground.exists();
  if (made)
    await provisionHub(
      { ...ground.provisioning(), newId: () => head.user },
      { handle: head.handle, timeZone: head.timeZone },
    );
  const users = await ground.users();
  const vault = ground.vault();
  return ground.withRows(async (rows) => {
    if (!(await rows.isEmpty(users)))
      throw new PsnError("ALREADY_EXISTS", "this hub already has accounts or posts; psn import needs a new hub", {
        hint: "psn import FILE --hub NEW-FOLDER",
      });
    const undo: (() => void)[] = [];
    const again = await open(rows.schema);
    const landing = settings.take.length > 0 && !took ? withoutKeys(again.rows) : again.rows;
    const count = await rows
      .write(landed(counted(until(signal, landing), expected, onRow), { vault, now: now() }), async () => {
        noReturn?.();
        ground.writeSettings(head, took, undo);
      })
      .catch((error: unknown) => {
        for (const back of undo) back();
        throw error;
      });
    const started = start ? await rows.start(await ground.users()) : 0;
    return { rows: count, started, head, made, settings, took };
  });
}

/** The rows without the keys of apps. */
async function* withoutKeys(rows: AsyncIterable<HubRow>): AsyncGenerator<HubRow> {
  for await (const row of rows) if (row.table !== "api_keys") yield row;
}

function keyNameOf(json: string): string {
  const row: unknown = JSON.parse(json);
  return String(typeof row === "object" && row !== null ? Reflect.get(row, "name") : "");
}

/** Lets what an import or a move left held go out from this hub; answers how many deliveries that were. */
export async function startHeld(ground: TransferGround, noReturn?: () => void): Promise<number> {
  const users = await ground.users();
  return ground.withRows((rows) => {
    noReturn?.();
    return rows.start(users);
  });
}
