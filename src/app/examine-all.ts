import { toPsnError } from "@psn/core/errors.ts";
import type { Parting } from "@psn/core/types/index.ts";
import { FOUND } from "@psn/domain/incarnation.ts";
import { type Check, type ExamineOptions, examineHub, fail, ok } from "./doctor.ts";
import { examineVendors, type VendorGround } from "./doctor-vendors.ts";
import type { Scope } from "./scope.ts";

/** A hub that could be opened. */
export interface OpenedHub extends Scope, Pick<ExamineOptions, "watchdogMinutes" | "hears"> {
  /** As it is called in hub.env: `embedded`, `pg`. */
  readonly driver: string;
  readonly parted: Parting | undefined;
}

/** A hub's folder, whose hub may be in any state. */
export interface DoctorGround {
  /** The runtime and the files of settings. */
  readonly settings: () => Promise<readonly Check[]>;
  /** Throws HUB_MISSING, CONFIG_…, DB_…, SCHEMA_…, VAULT_LOCKED. */
  readonly open: () => Promise<OpenedHub>;
  /** What is wrong with the database of a hub that does not open; nothing where that cannot be asked. */
  readonly database: () => Promise<readonly Check[]>;
  readonly vendors: () => Promise<VendorGround>;
}

export interface DoctorScope {
  readonly doctor: DoctorGround;
}

/** A hub or a database that cannot be asked anything. */
const UNASKED: readonly string[] = ["HUB_MISSING", "DB_UNREACHABLE", "DB_TLS", "DB_BUSY"];

/**
 * Everything that the hub, its machine, its platforms and its vendors can be asked. `network` false asks the first two.
 */
export async function examineAll(
  { settings, open, database, vendors }: DoctorGround,
  { network, signal }: Pick<ExamineOptions, "network" | "signal">,
): Promise<readonly Check[]> {
  const ground = await settings();
  try {
    const { world, user, driver, parted, watchdogMinutes, hears } = await open();
    const opened = parted
      ? fail("hub", `can be opened, but psn publishes nothing from it: ${FOUND[parted]}`, "psn recover")
      : ok("hub", `can be opened; ${driver} database`);
    const hub = await examineHub(world, user, { network, signal, watchdogMinutes, hears });
    return [...ground, opened, ...hub, ...(network ? await examineVendors(await vendors()) : [])];
  } catch (error) {
    const { message, hint, code } = toPsnError(error);
    // It may not open because somebody has changed the database.
    const guards = UNASKED.includes(code) ? [] : await database();
    return [...ground, fail("hub", `${message} (${code})`, hint ?? null), ...guards];
  }
}
