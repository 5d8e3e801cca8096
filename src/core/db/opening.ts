import type { User } from "@psn/core/ports/accounts.ts";
import type { Sight } from "@psn/core/types/incarnation.ts";
import type { Database } from "./database.ts";
import { applied, assertAll, assertMigrated } from "./migrate.ts";
import { seeIncarnation, sightOf } from "./stores/incarnation.ts";
import { userById } from "./stores/users.ts";

/** What a hub's database says of itself when the hub is opened. */
export interface Opening {
  /** Undefined where the database knows no such user. */
  readonly user: User | undefined;
  readonly sight: Sight;
}

/**
 * Whether the database has this program's schema, who the user is and which incarnation it is, in one round trip.
 * Throws SCHEMA_OUTDATED, SCHEMA_NEWER, DB_….
 */
export async function readOpening(database: Database, userId: string): Promise<Opening> {
  try {
    const [hashes, users, sights] = await database.run(
      { userId, service: true },
      (db) => [applied(db), userById(db, userId), seeIncarnation(db)],
      { repeatable: true },
    );
    assertAll(hashes);
    return { user: users[0], sight: sightOf(sights) };
  } catch (error) {
    // A schema that is older or newer may lack what was asked for, and that is what there is to say.
    await assertMigrated(database);
    throw error;
  }
}
