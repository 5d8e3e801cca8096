import type { Database } from "@psn/core/db/database.ts";
import type { Stores } from "@psn/core/ports/world.ts";
import { accountsStore } from "./accounts.ts";
import { deliveriesStore } from "./deliveries.ts";
import { incarnationStore } from "./incarnation.ts";
import { inspectionStore } from "./inspection.ts";
import { keysStore } from "./keys.ts";
import { postsStore } from "./posts.ts";
import { recoveryStore } from "./recovery.ts";
import { upkeepStore } from "./upkeep.ts";
import { usersStore } from "./users.ts";
import { sealedStore } from "./vault.ts";

/** The ports of the use cases over one database. */
export function createStores(database: Database): Stores {
  return {
    users: usersStore(database),
    accounts: accountsStore(database),
    keys: keysStore(database),
    posts: postsStore(database),
    deliveries: deliveriesStore(database),
    incarnation: incarnationStore(database),
    inspection: inspectionStore(database),
    upkeep: upkeepStore(database),
    recovery: recoveryStore(database),
    sealed: sealedStore(database),
  };
}
