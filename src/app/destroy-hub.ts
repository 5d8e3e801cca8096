import { PsnError } from "@psn/core/errors.ts";
import type { Neon, TriggerDev } from "@psn/core/ports/vendors.ts";
import type { Emptied } from "./empty-bucket.ts";
import { objectPrefix } from "./keep-media.ts";
import { type HubFile, MADE_DATA } from "./provision-hub.ts";

/** One thing that went, or that somebody else must take away. */
export interface Removal {
  readonly what:
    | "trigger variables"
    | "trigger project"
    | "trigger token"
    | "bucket"
    | "neon project"
    | "schema"
    | "embedded database"
    | "notes"
    | "settings";
  /** Which one. */
  readonly name: string;
  /** `left` is for a person: what psn may not or cannot take away. */
  readonly how: "removed" | "stopped" | "left";
  /** What to do about what is left. */
  readonly note: string | null;
}

/** One thing that would go, or would be left. */
export interface PlannedRemoval extends Omit<Removal, "how"> {
  readonly how: "remove" | "leave";
}

export interface Ground {
  readonly file: HubFile;
  /** Undefined where there is no token or key for it. */
  readonly trigger: TriggerDev | undefined;
  /**
   * The access token of Trigger.dev that psn has: enough of it to find it in the dashboard, and the page there that
   * revokes it.
   */
  readonly token: { readonly name: string; readonly page: string } | undefined;
  readonly neon: Neon | undefined;
  /** Names of the variables psn sets for its tasks. */
  readonly variables: readonly string[];
  /**
   * Removes what this hub has put into its bucket. Answers how many files that were, and how many of its users another
   * hub has put there, or this one under an older key; or why all were left. Throws nothing.
   */
  readonly emptyBucket: () => Promise<Emptied>;
  /** Takes psn's schema and its login out of a database that stays. */
  readonly dropSchema: () => Promise<void>;
  /** Where an embedded database of this hub would be. */
  readonly dataFolder: string;
  /** There is a database in it that a psn has made, or the beginning of one. */
  readonly hasData: boolean;
  /** Names of what is left in it: what psn did not make. Throws DB_BUSY, DB_FULL, FILE_UNWRITABLE. */
  readonly removeData: () => Promise<readonly string[]>;
  /** Takes away what psn notes beside hub.env and in the home folder: incarnations, locks. */
  readonly removeNotes: () => void;
}

type Sight = Pick<Ground, "file" | "variables" | "token" | "dataFolder" | "hasData">;

/** What `psn destroy` would do, without asking anybody. */
export function planDestruction({ file, variables, token, dataFolder, hasData }: Sight): readonly PlannedRemoval[] {
  const made = (file.get("PSN_MADE") ?? "").split(" ");
  const nameOf = (what: string) => made.find((word) => word.startsWith(`${what}:`))?.slice(what.length + 1);
  const isMade = (what: string) => nameOf(what) !== undefined;
  const removals: PlannedRemoval[] = [];
  const ref = file.get("TRIGGER_PROJECT_REF");
  // A project's variables go with it.
  if (ref !== undefined && isMade("trigger-project"))
    removals.push({ what: "trigger project", name: ref, how: "remove", note: null });
  else if (ref !== undefined) {
    removals.push({ what: "trigger variables", name: variablesOf(variables, ref), how: "remove", note: null });
    const note = "the project existed before psn; to remove psn's tasks, deploy your own";
    removals.push({ what: "trigger project", name: ref, how: "leave", note });
  }
  const bucket = file.get("S3_BUCKET");
  const user = file.get("PSN_USER");
  // Before the database, which knows the users.
  if (bucket !== undefined && user !== undefined)
    removals.push({
      what: "bucket",
      name: `the files of this hub's users in ${bucket} at ${file.get("S3_ENDPOINT") ?? "no endpoint"}`,
      how: "remove",
      note: `under ${objectPrefix(user)}; the bucket itself stays`,
    });
  // A run that was stopped after it had made a project and before it knew the project's id.
  const leftAtTrigger = ref === undefined ? nameOf("trigger-project") : undefined;
  if (leftAtTrigger !== undefined)
    removals.push({ what: "trigger project", name: leftAtTrigger, how: "remove", note: "if it was made" });
  // Its API revokes no token.
  if (token !== undefined && (ref ?? leftAtTrigger) !== undefined)
    removals.push({
      what: "trigger token",
      name: token.name,
      how: "leave",
      note: `it stays valid; revoke it at ${token.page}`,
    });
  const neonId = file.get("NEON_PROJECT_ID");
  const leftAtNeon = neonId === undefined ? nameOf("neon-project") : undefined;
  if (leftAtNeon !== undefined)
    removals.push({ what: "neon project", name: leftAtNeon, how: "remove", note: "if it was made" });
  const database = file.get("DATABASE_URL");
  if (neonId !== undefined && isMade("neon-project"))
    removals.push({ what: "neon project", name: neonId, how: "remove", note: null });
  else if (database !== undefined || file.get("DATABASE_OWNER_URL") !== undefined)
    removals.push({
      what: "schema",
      name: "psn, with everything in it, and the login that psn made",
      how: "remove",
      note: null,
    });
  // A folder is known to be psn's where the hub lived in it, or where psn wrote down that it was about to. A hub that
  // was elsewhere, or whose database was never made, has none: what lies there is somebody's.
  else if (hasData && (file.get("PSN_USER") !== undefined || made.includes(MADE_DATA)))
    removals.push({ what: "embedded database", name: dataFolder, how: "remove", note: null });
  removals.push({ what: "notes", name: "incarnation and locks in config/", how: "remove", note: null });
  removals.push({ what: "settings", name: "hub.env, all but the key", how: "remove", note: null });
  return removals;
}

const variablesOf = (variables: readonly string[], ref: string) =>
  `${variables.length} variables of production in ${ref}`;

const GONE = null;

/**
 * Undoes what psn made, and never what it adopted; it may be stopped anywhere and run again. Throws INPUT_REQUIRED
 * before anything is done where a key is missing, VENDOR_…, DB_….
 */
export async function destroyHub(ground: Ground, onRemoved: (removal: Removal) => void): Promise<readonly Removal[]> {
  const { file, trigger, neon, variables } = ground;
  const removals = planDestruction(ground);
  const has = (what: Removal["what"]) => removals.some((removal) => removal.what === what && removal.how === "remove");
  if (has("neon project") && !neon)
    throw new PsnError("INPUT_REQUIRED", "Neon's API key is required to delete the project that psn created", {
      hint: "pass --neon-api-key-stdin",
    });
  if ((has("trigger variables") || has("trigger project")) && !trigger)
    throw new PsnError("INPUT_REQUIRED", "TRIGGER_ACCESS_TOKEN is missing in hub.env", {
      hint: "psn config set TRIGGER_ACCESS_TOKEN",
    });
  const done: Removal[] = [];
  for (const planned of removals) {
    let removal: Removal = { ...planned, how: planned.how === "remove" ? "removed" : "left" };
    const ref = file.get("TRIGGER_PROJECT_REF");
    switch (removal.what) {
      case "trigger variables":
        if (ref !== undefined && trigger) await removeVariables(trigger, ref, variables);
        break;
      case "trigger project":
        if (removal.how === "removed" && trigger)
          removal = await removeTrigger(trigger, { known: ref, removal, variables });
        file.set({ TRIGGER_PROJECT_REF: GONE, TRIGGER_SECRET_KEY: GONE, TRIGGER_ACCESS_TOKEN: GONE });
        break;
      case "bucket": {
        const done = await ground.emptyBucket();
        if ("left" in done) removal = { ...removal, how: "left", note: `${done.left}: remove what is ${removal.note}` };
        else {
          const more =
            done.others === 0 ? "" : `; ${done.others} stay, of another hub with the same users or of an older key`;
          removal = { ...removal, note: `${done.removed === 1 ? "1 file" : `${done.removed} files`}${more}` };
        }
        break;
      }
      case "neon project":
        if (neon) await removeNeon(neon, file.get("NEON_PROJECT_ID"), removal.name);
        file.set({ NEON_PROJECT_ID: GONE, DATABASE_URL: GONE, DATABASE_OWNER_URL: GONE, DATABASE_LISTEN_URL: GONE });
        break;
      case "schema":
        await ground.dropSchema();
        file.set({ NEON_PROJECT_ID: GONE, DATABASE_URL: GONE, DATABASE_OWNER_URL: GONE, DATABASE_LISTEN_URL: GONE });
        break;
      case "embedded database":
        removal = withLeft(removal, await ground.removeData());
        break;
      case "notes":
        ground.removeNotes();
        break;
      case "settings":
        file.set({ PSN_USER: GONE, PSN_MADE: GONE });
        break;
    }
    done.push(removal);
    onRemoved(removal);
  }
  return done;
}

function withLeft(removal: Removal, left: readonly string[]): Removal {
  return left.length === 0
    ? removal
    : { ...removal, note: `the folder stays: it contains ${left.join(", ")}, which psn did not create` };
}

/**
 * By its id, or by the name that was written down before it was made. Throws FOREIGN_CONTENT when nobody can tell which
 * is psn's.
 */
async function removeNeon(neon: Neon, id: string | undefined, name: string): Promise<void> {
  if (id !== undefined) return neon.remove(id);
  const organizations = await neon.organizations();
  const places = organizations.length === 0 ? [undefined] : organizations.map((organization) => organization.id);
  const found = (await Promise.all(places.map((place) => neon.byName(name, place))))
    .flat()
    .map((project) => project.id);
  const [only] = one("Neon", name, found);
  if (only !== undefined) await neon.remove(only);
}

/** What became of the project. Where it stays, nothing of the hub stays in it. */
async function removeTrigger(
  trigger: TriggerDev,
  {
    known,
    removal,
    variables,
  }: { readonly known: string | undefined; readonly removal: Removal; readonly variables: readonly string[] },
): Promise<Removal> {
  const ref = known ?? (await madeTrigger(trigger, removal.name));
  const became = ref === undefined ? "removed" : await trigger.remove(ref);
  if (ref === undefined || became === "removed") return removal;
  await removeVariables(trigger, ref, variables);
  const without = `this server cannot delete a project; ${variablesOf(variables, ref)} are removed`;
  return became === "paused"
    ? { ...removal, how: "stopped", note: `${without} and production is paused; delete it in the dashboard` }
    : {
        ...removal,
        how: "left",
        note: `${without}; its schedules still run but do nothing; delete it in the dashboard`,
      };
}

/** A project that is gone has none; of the names only those that are there are asked for. */
async function removeVariables(trigger: TriggerDev, ref: string, variables: readonly string[]): Promise<void> {
  if ((await trigger.byRef(ref)) === undefined) return;
  const there = await trigger.variables(ref);
  await trigger.removeVariables(
    ref,
    variables.filter((name) => there.has(name)),
  );
}

/** By the name that was written down before it was made. Throws FOREIGN_CONTENT when nobody can tell which is psn's. */
async function madeTrigger(trigger: TriggerDev, name: string): Promise<string | undefined> {
  const organizations = await trigger.organizations();
  const found = (await Promise.all(organizations.map(({ id }) => trigger.byName(name, id))))
    .flat()
    .map((project) => project.ref);
  return one("Trigger.dev", name, found)[0];
}

function one(where: string, name: string, found: readonly string[]): readonly string[] {
  if (found.length < 2) return found;
  throw new PsnError(
    "FOREIGN_CONTENT",
    `${found.length} projects on ${where} are named ${name}, and psn may have created one of them: ${found.join(", ")}`,
    {
      hint: "delete psn's project in the dashboard, remove its entry from PSN_MADE, then: psn destroy",
    },
  );
}
