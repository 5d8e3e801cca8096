import { PsnError } from "@psn/core/errors.ts";
import type { User } from "@psn/core/ports/accounts.ts";
import { defined } from "@psn/core/types/defined.ts";

/** The settings of hub.env that making a hub reads. */
export type HubFileName =
  | "HUB_ENCRYPTION_KEY"
  | "PSN_USER"
  | "DATABASE_URL"
  | "DATABASE_OWNER_URL"
  | "NEON_PROJECT_ID"
  | "TRIGGER_PROJECT_REF"
  | "TRIGGER_ACCESS_TOKEN"
  | "TRIGGER_SECRET_KEY"
  | "PSN_PRIVATE_ORIGINS"
  | "PSN_MADE"
  | "PSN_TIME_ZONE"
  | "S3_BUCKET"
  | "S3_ENDPOINT";

/** hub.env, as far as making a hub needs it. */
export interface HubFile {
  get(name: HubFileName): string | undefined;
  /** Null takes a setting out of the file. */
  set(values: Readonly<Record<string, string | null>>): void;
}

/** A database opened by the login that owns it, or that will. */
export interface OwnedDatabase {
  /** Applies what is missing; returns how many migrations that were. */
  migrate(): Promise<number>;
  /**
   * Makes the unprivileged login with which psn runs; returns the address by which it comes in, and the names of this
   * hub's earlier logins that could not be dropped.
   */
  makeLogin(): Promise<{ readonly url: string; readonly left: readonly string[] }>;
  close(): Promise<void>;
}

/** The database as the program will use it. */
export interface RuntimeDatabase {
  addUser(user: User): Promise<void>;
  /** Changes what is given, and answers the user as they are then. */
  changeUser(id: string, change: UserChange): Promise<User>;
  /** True when an outside login can read no row. */
  isGuarded(): Promise<boolean>;
  close(): Promise<void>;
}

/** The word in PSN_MADE for the embedded database: written before it is made, and kept. */
export const MADE_DATA = "data";

export interface Provisioning {
  readonly file: HubFile;
  /**
   * Throws where no hub can be made: FILE_UNWRITABLE, CONFIG_EXPOSED, and FOREIGN_CONTENT where `embedded` would mix
   * with other files.
   */
  readonly checkPlace: (embedded: boolean) => void;
  readonly openOwned: (url: string | undefined) => Promise<OwnedDatabase>;
  readonly openRuntime: (url: string | undefined) => Promise<RuntimeDatabase>;
  readonly newKey: () => string;
  readonly newId: () => string;
}

/** What may be changed of a user who is there. */
export type UserChange = Partial<Pick<User, "handle" | "timeZone">>;

export interface HubWish {
  /** The owner's address of a Postgres; absent for the embedded database. */
  readonly databaseUrl?: string;
  /** Of a user who is made. */
  readonly handle: string;
  readonly timeZone: string;
  /** What a user who is there already is to have. */
  readonly change?: UserChange;
}

/** One thing a hub consists of, and whether this run made it. */
export interface Step {
  readonly what: "key" | "schema" | "login" | "user";
  readonly did: "made" | "kept" | "changed";
  /** Names of earlier ones that psn could not take away. */
  readonly left?: readonly string[];
}

export interface Provisioned {
  readonly steps: readonly Step[];
  readonly user: User;
}

/**
 * Makes a hub, or what is missing of one: each step first looks whether it is done, so it may be stopped anywhere and
 * run again. Throws ALREADY_EXISTS when the hub already lives in another database.
 */
export async function provisionHub(provisioning: Provisioning, wish: HubWish): Promise<Provisioned> {
  const { file, newKey, newId } = provisioning;
  const steps: Step[] = [];
  const step = (what: Step["what"], made: boolean) => steps.push({ what, did: made ? "made" : "kept" });

  const began = file.get("HUB_ENCRYPTION_KEY") !== undefined;
  const url = file.get("DATABASE_URL");
  const ownerUrl = file.get("DATABASE_OWNER_URL");
  assertSameDatabase(file, wish.databaseUrl);
  const embedded = (wish.databaseUrl ?? ownerUrl ?? url) === undefined;
  provisioning.checkPlace(embedded);
  // Written before anything is made, so that a second run goes on where the first was stopped.
  // A second run may also bring a better address, when the first one's was refused.
  const moved = wish.databaseUrl !== undefined && wish.databaseUrl !== ownerUrl;
  const made = (file.get("PSN_MADE") ?? "").split(" ").filter((word) => word !== "");
  const isNoted = !embedded || made.includes(MADE_DATA);
  if (!began || moved || !isNoted) {
    file.set({
      ...defined({
        HUB_ENCRYPTION_KEY: began ? undefined : newKey(),
        PSN_PRIVATE_ORIGINS: began ? undefined : "none",
        PSN_MADE: isNoted ? undefined : [...made, MADE_DATA].join(" "),
        DATABASE_OWNER_URL: wish.databaseUrl,
      }),
    });
  }
  step("key", !began);

  const owned = await provisioning.openOwned(wish.databaseUrl ?? ownerUrl ?? url);
  try {
    step("schema", (await owned.migrate()) > 0);
    const needsLogin = (wish.databaseUrl ?? ownerUrl) !== undefined && url === undefined;
    if (needsLogin) {
      const login = await owned.makeLogin();
      file.set({ DATABASE_URL: login.url });
      steps.push({ what: "login", did: "made", ...defined({ left: login.left.length > 0 ? login.left : undefined }) });
    } else if (url !== undefined) step("login", false);
  } finally {
    await owned.close();
  }

  const runtime = await provisioning.openRuntime(file.get("DATABASE_URL"));
  try {
    const known = file.get("PSN_USER");
    const id = known ?? newId();
    await runtime.addUser({ id, handle: wish.handle, timeZone: wish.timeZone });
    // Only now there is a row that an outside login could read.
    if (!(await runtime.isGuarded()))
      throw new PsnError("CHECK_FAILED", "the database allows its login to read other users' rows", {
        hint: "psn doctor",
      });
    if (known === undefined) file.set({ PSN_USER: id });
    const { user, changed } =
      known === undefined
        ? { user: { id, handle: wish.handle, timeZone: file.get("PSN_TIME_ZONE") ?? wish.timeZone }, changed: false }
        : await changedUser(runtime, { file, id, change: wish.change ?? {} });
    steps.push({ what: "user", did: known === undefined ? "made" : changed ? "changed" : "kept" });
    return { steps, user };
  } finally {
    await runtime.close();
  }
}

/**
 * The user as this hub shows times to them: a zone in hub.env stands above the one in the database, and both become the
 * new one.
 */
async function changedUser(
  runtime: RuntimeDatabase,
  { file, id, change }: { readonly file: HubFile; readonly id: string; readonly change: UserChange },
): Promise<{ readonly user: User; readonly changed: boolean }> {
  const before = await runtime.changeUser(id, {});
  const { handle = before.handle, timeZone = before.timeZone } = change;
  const above = file.get("PSN_TIME_ZONE");
  const differs = handle !== before.handle || timeZone !== before.timeZone;
  if (differs) await runtime.changeUser(id, { handle, timeZone });
  const setsFile = change.timeZone !== undefined && above !== undefined && above !== change.timeZone;
  if (setsFile) file.set({ PSN_TIME_ZONE: change.timeZone });
  return { user: { id, handle, timeZone: file.get("PSN_TIME_ZONE") ?? timeZone }, changed: differs || setsFile };
}

/** A hub cannot be given another database than the one it has. Throws ALREADY_EXISTS. */
export function assertSameDatabase(file: HubFile, ownerUrl: string | undefined): void {
  if (ownerUrl === undefined || ownerUrl === file.get("DATABASE_OWNER_URL")) return;
  if (file.get("DATABASE_URL") === undefined && file.get("PSN_USER") === undefined) return;
  throw new PsnError("ALREADY_EXISTS", "this hub already has a database, which cannot be replaced", {
    hint: "psn init in another folder",
  });
}
