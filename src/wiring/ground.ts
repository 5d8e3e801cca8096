import type { Ground } from "@psn/app/destroy-hub.ts";
import { type Emptied, emptyBucket } from "@psn/app/empty-bucket.ts";
import { checkIncarnation } from "@psn/app/keep-incarnation.ts";
import { openDatabase } from "@psn/core/db/connection.ts";
import { holdsDatabase, removeDataFolder } from "@psn/core/db/drivers/data-folder.ts";
import { TRANSFERRED_NOTE } from "@psn/core/db/hub-copy.ts";
import { waitingPosts } from "@psn/core/db/hub-users.ts";
import { dropHub, dropOtherLogins } from "@psn/core/db/logins.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError, toPsnError } from "@psn/core/errors.ts";
import { dataDir, type Environment, type HubEnv, loadHubEnv } from "@psn/core/utils/env.ts";
import { incarnationFiles, removeNotes } from "@psn/core/utils/incarnation-files.ts";
import { dashboardOf } from "@psn/provision/trigger.ts";
import { databaseOptions } from "./database.ts";
import { hubFile } from "./hub-env.ts";
import { bucketOf, keysOf, objectMarksOf, outside } from "./parts.ts";
import { loginsOf } from "./provisioning.ts";
import { openNeon, openTrigger, VARIABLES } from "./vendors.ts";

/** What `psn destroy` needs. Opens nothing. */
export function groundOf(folder: string, neonKey: string | undefined, environment?: Environment): Ground {
  const env = loadHubEnv(folder, environment);
  const token = env.get("TRIGGER_ACCESS_TOKEN");
  const url = env.get("DATABASE_URL");
  return {
    file: hubFile(folder, environment),
    trigger: token === undefined ? undefined : openTrigger(env, token),
    // As the dashboard lists it, which shows the ends of a token.
    token:
      token === undefined
        ? undefined
        : {
            name: `tr_pat_…${token.slice(-4)}`,
            page: `${dashboardOf(env.get("TRIGGER_API_URL") ?? "")}/account/tokens`,
          },
    neon: neonKey === undefined ? undefined : openNeon(env, neonKey),
    variables: VARIABLES,
    emptyBucket: () =>
      emptyOwnBucket(folder, env, environment).catch((error: unknown) => ({ left: toPsnError(error).message })),
    dropSchema: async () => {
      const owner = env.get("DATABASE_OWNER_URL");
      if (owner === undefined)
        throw new PsnError(
          "DB_OWNER_REQUIRED",
          "hub.env has no DATABASE_OWNER_URL, and only the owner can drop the schema",
          {
            hint: "psn config set DATABASE_OWNER_URL",
          },
        );
      const database = await openDatabase({ ...databaseOptions(env, "session"), url: owner });
      try {
        // A run that was stopped may have made one whose address was not saved.
        const login = url === undefined ? undefined : new URL(url).username;
        if (env.get("HUB_ENCRYPTION_KEY") !== undefined) await dropOtherLogins(database, loginsOf(env), login);
        await dropHub(database, login);
      } finally {
        await database.close();
      }
    },
    dataFolder: dataDir(env),
    hasData: holdsDatabase(dataDir(env)),
    removeNotes: () => removeNotes(folder, environment),
    removeData: async () => removeDataFolder(dataDir(env)),
  };
}

async function emptyOwnBucket(folder: string, env: HubEnv, environment: Environment | undefined): Promise<Emptied> {
  const { bucket } = bucketOf(env);
  if (!bucket) return { removed: 0, others: 0 };
  const database = await openDatabase(databaseOptions(env, "session"));
  try {
    const { accounts, incarnation, upkeep } = createStores(database);
    const notes = incarnationFiles({
      hub: folder,
      data: database.driver === "embedded" ? dataDir(env) : undefined,
      environment,
    });
    const { objectMark = "", formerMarks = [] } = objectMarksOf(env, keysOf(env));
    return await emptyBucket({
      bucket,
      marks: [objectMark, ...formerMarks],
      isCopy: async () => (await checkIncarnation({ incarnation, notes, newId: outside.newId })) !== undefined,
      users: () => upkeep.users(),
      accounts,
      movedReason: TRANSFERRED_NOTE,
    });
  } finally {
    await database.close();
  }
}

/**
 * How many posts, of all users, still wait in the database of this hub; 0 where there is none. A database that cannot
 * be asked must not keep anybody from removing the hub: then it is an error in place of a number.
 */
export async function countWaiting(folder: string, environment?: Environment): Promise<number | PsnError> {
  const env = loadHubEnv(folder, environment);
  const url = env.get("DATABASE_OWNER_URL") ?? env.get("DATABASE_URL");
  const data = dataDir(env);
  if (env.get("PSN_USER") === undefined || (url === undefined && !holdsDatabase(data))) return 0;
  try {
    const database = await openDatabase({ ...databaseOptions(env, "session"), url });
    try {
      return await waitingPosts(database);
    } finally {
      await database.close();
    }
  } catch (error) {
    return toPsnError(error);
  }
}
