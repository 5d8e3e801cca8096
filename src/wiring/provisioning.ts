import { createHash, randomBytes } from "node:crypto";
import { accessSync, constants, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { MADE_DATA, type Provisioning } from "@psn/app/provision-hub.ts";
import { openDatabase } from "@psn/core/db/connection.ts";
import { strangersIn } from "@psn/core/db/drivers/data-folder.ts";
import { dropOtherLogins, makeServiceLogin, privilegesOf } from "@psn/core/db/logins.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import { dataDir, type Environment, findHub, type HubEnv, loadHubEnv } from "@psn/core/utils/env.ts";
import { exposedFolder, quoted } from "@psn/core/utils/ownership.ts";
import { unwritable } from "@psn/core/utils/private-file.ts";
import { keyId } from "@psn/core/vault.ts";
import { databaseOptions, resealingOf } from "./database.ts";
import { hubFile } from "./hub-env.ts";
import { outside } from "./parts.ts";

/** How the names of all logins begin that psn makes for this hub. */
export function loginsOf(env: HubEnv): string {
  const key = keyId(keyFromHex(env.get("HUB_ENCRYPTION_KEY") ?? ""));
  return `psn_${createHash("sha256").update(key).digest("hex").slice(0, 12)}`;
}

/** What `psn init` needs to create a hub in this folder. */
export function provisioning(folder: string, environment?: Environment): Provisioning {
  const load = () => loadHubEnv(folder, environment);
  const exists = () => findHub(folder, {}) === folder;
  const open = (url: string | undefined) =>
    openDatabase({
      ...(exists() ? databaseOptions(load(), "session") : { dataFolder: folder, use: "session" as const }),
      url,
    });
  return {
    file: hubFile(folder, environment),
    checkPlace: (embedded) => checkPlace(folder, embedded, environment),
    openOwned: async (url) => {
      const database = await open(url);
      return {
        migrate: () => migrate(database, undefined, resealingOf(load)),
        makeLogin: async () => {
          const hub = loginsOf(load());
          // A name of its own for each login: a Neon proxy knows for some minutes the password that a name had, or that
          // there was none.
          const name = `${hub}_${randomBytes(3).toString("hex")}`;
          const password = randomBytes(24).toString("hex");
          await makeServiceLogin(database, name, password);
          const runtime = new URL(url ?? "");
          runtime.username = name;
          runtime.password = password;
          return { url: runtime.href, left: await dropOtherLogins(database, hub, name) };
        },
        close: () => database.close(),
      };
    },
    openRuntime: async (url) => {
      const database = await open(url);
      const stores = createStores(database);
      return {
        addUser: (user) => stores.users.add(user),
        changeUser: async (id, change) => {
          const user = await (Object.keys(change).length > 0 ? stores.users.change(id, change) : stores.users.get(id));
          if (!user)
            throw new PsnError("HUB_UNFINISHED", "the database has no user with the id in PSN_USER of hub.env", {
              hint: "psn init",
            });
          return user;
        },
        isGuarded: async () => {
          const different = (await stores.inspection.differences()).some(({ severe }) => severe);
          const privileges = database.driver === "embedded" ? [] : await privilegesOf(database);
          return !different && (await stores.inspection.strangerSees()) === 0 && privileges.length === 0;
        },
        close: () => database.close(),
      };
    },
    newKey: generateKey,
    newId: outside.newId,
  };
}

/**
 * Whether a hub can be made, or gone on with, in this folder. `embedded`: with a database of its own in data/.
 *
 * @throws PsnError FILE_UNWRITABLE where the folder cannot be written to; CONFIG_EXPOSED where it is another user's or
 * others may write to it; FOREIGN_CONTENT where data/ holds what is not psn's.
 */
function checkPlace(folder: string, embedded: boolean, environment?: Environment): void {
  const problem = exposedFolder(folder);
  if (problem !== undefined) throw problem;
  let there = folder;
  while (!existsSync(there) && there !== dirname(there)) there = dirname(there);
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable("FILE_UNWRITABLE", {
      path: there,
      error,
      hint: "create the hub in a folder that you can write to: psn init ~/hub",
    });
  }
  const env = loadHubEnv(findHub(folder, {}) === folder ? folder : undefined, environment);
  if (!embedded || env.get("PSN_USER") !== undefined || env.get("PSN_MADE")?.split(" ").includes(MADE_DATA)) return;
  const data = dataDir({ ...env, hubDir: folder });
  const [stranger] = strangersIn(data);
  if (stranger === undefined) return;
  throw new PsnError(
    "FOREIGN_CONTENT",
    `${data} holds ${stranger}, which is not psn's, and the hub's database would lie in it`,
    {
      hint: `create the hub in a separate folder: psn init ${quoted(join(folder, "psn"))}`,
    },
  );
}
