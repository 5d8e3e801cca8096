import { PsnError } from "@psn/core/errors.ts";
import type { HubFile } from "./provision-hub.ts";
import type { Neon, TriggerDev } from "./vendor-ports.ts";

/** One thing that goes, or that somebody else must take away. */
export interface Removal {
  readonly what: "trigger variables" | "trigger project" | "neon project" | "schema" | "embedded database" | "settings";
  /** Which one. */
  readonly name: string;
  /** `left` is for a person: what psn may not or cannot take away. */
  readonly how: "removed" | "stopped" | "left";
  /** What to do about what is left. */
  readonly note: string | null;
}

export interface Ground {
  readonly file: HubFile;
  /** Undefined where there is no token or key for it. */
  readonly trigger: TriggerDev | undefined;
  readonly neon: Neon | undefined;
  /** Names of the variables psn sets for its tasks. */
  readonly variables: readonly string[];
  /** Takes psn's schema and its login out of a database that stays. */
  readonly dropSchema: () => Promise<void>;
  /** The embedded database's folder; undefined where the hub has none. */
  readonly dataFolder: string | undefined;
  readonly removeData: () => Promise<void>;
}

/** What `psn destroy` would do, without asking anybody. */
export function planDestruction({ file, variables, dataFolder }: Pick<Ground, "file" | "variables" | "dataFolder">): readonly Removal[] {
  const made = (file.get("PSN_MADE") ?? "").split(" ");
  const isMade = (what: string) => made.some((word) => word.startsWith(`${what}:`));
  const removals: Removal[] = [];
  const ref = file.get("TRIGGER_PROJECT_REF");
  if (ref !== undefined) {
    removals.push({ what: "trigger variables", name: `${variables.length} variables of production in ${ref}`, how: "removed", note: null });
    if (isMade("trigger-project"))
      removals.push({
        what: "trigger project",
        name: ref,
        how: "removed",
        note: null,
      });
    else
      removals.push({
        what: "trigger project",
        name: ref,
        how: "left",
        note: "it was there before psn; take psn's tasks away by deploying your own",
      });
  }
  const neonId = file.get("NEON_PROJECT_ID");
  const database = file.get("DATABASE_URL");
  if (neonId !== undefined && isMade("neon-project")) removals.push({ what: "neon project", name: neonId, how: "removed", note: null });
  else if (database !== undefined || file.get("DATABASE_OWNER_URL") !== undefined)
    removals.push({ what: "schema", name: "psn, with everything in it, and the login that psn made", how: "removed", note: null });
  else if (dataFolder !== undefined) removals.push({ what: "embedded database", name: dataFolder, how: "removed", note: null });
  removals.push({ what: "settings", name: "hub.env, all but the key", how: "removed", note: null });
  return removals;
}

const GONE = null;

/**
 * Undoes what psn made, and never what it adopted; it may be stopped anywhere and run again. Throws INPUT_REQUIRED before
 * anything is done where a key is missing, VENDOR_…, DB_….
 */
export async function destroyHub(ground: Ground, onRemoved: (removal: Removal) => void): Promise<readonly Removal[]> {
  const { file, trigger, neon, variables } = ground;
  const removals = planDestruction(ground);
  const has = (what: Removal["what"]) => removals.some((removal) => removal.what === what);
  if (has("neon project") && !neon)
    throw new PsnError("INPUT_REQUIRED", "Neon's API key is needed to delete the project psn made", { hint: "pass --neon-api-key-stdin" });
  if (has("trigger variables") && !trigger)
    throw new PsnError("INPUT_REQUIRED", "hub.env has no TRIGGER_ACCESS_TOKEN any more", { hint: "psn config set TRIGGER_ACCESS_TOKEN" });
  const done: Removal[] = [];
  for (const planned of removals) {
    let removal = planned;
    const ref = file.get("TRIGGER_PROJECT_REF") ?? "";
    switch (removal.what) {
      case "trigger variables":
        await trigger?.removeVariables(ref, variables);
        break;
      case "trigger project":
        if (removal.how === "removed" && (await trigger?.remove(ref)) === "paused")
          removal = {
            ...removal,
            how: "stopped",
            note: "this server cannot delete a project: production is paused; delete it in the dashboard",
          };
        file.set({ TRIGGER_PROJECT_REF: GONE, TRIGGER_SECRET_KEY: GONE, TRIGGER_ACCESS_TOKEN: GONE });
        break;
      case "neon project":
        await neon?.remove(removal.name);
        file.set({ NEON_PROJECT_ID: GONE, DATABASE_URL: GONE, DATABASE_OWNER_URL: GONE });
        break;
      case "schema":
        await ground.dropSchema();
        file.set({ NEON_PROJECT_ID: GONE, DATABASE_URL: GONE, DATABASE_OWNER_URL: GONE });
        break;
      case "embedded database":
        await ground.removeData();
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
