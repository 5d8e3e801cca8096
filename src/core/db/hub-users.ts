import { PsnError } from "@psn/core/errors.ts";
import type { Database } from "./database.ts";

/**
 * Ids of all users of the hub, in order. Row-level security shows a login of the program only the user it acts for, so
 * this asks as psn_definer, which the owner of the schema may become. Throws DB_OWNER_REQUIRED for another login, DB_….
 */
export async function hubUsers(owner: Database): Promise<readonly string[]> {
  if (!owner.asOwner) throw new PsnError("BUG", "the users of a hub are listed over a session; not over HTTP");
  return owner
    .asOwner(async (client) => {
      await client.query("BEGIN; SET LOCAL ROLE psn_definer");
      const { rows } = await client.query("SELECT id FROM psn.users ORDER BY id");
      await client.query("COMMIT");
      return rows.map((row) => String(row["id"]));
    })
    .catch((error: unknown) => {
      if (!(error instanceof PsnError) || error.code !== "DB_REFUSED" || error.details["code"] !== "42501") throw error;
      throw new PsnError("DB_OWNER_REQUIRED", "hub.env has no login that is allowed to list all users of the hub", {
        cause: error,
        hint: "psn config set DATABASE_OWNER_URL",
      });
    });
}

/** How many posts of all users have a delivery that is still to go out. Throws as `hubUsers`. */
export async function waitingPosts(owner: Database): Promise<number> {
  if (!owner.asOwner) throw new PsnError("BUG", "the posts of all users are counted over a session; not over HTTP");
  return owner.asOwner(async (client) => {
    await client.query("BEGIN; SET LOCAL ROLE psn_definer");
    const { rows } = await client.query(
      "SELECT count(DISTINCT post_id)::integer AS posts FROM psn.deliveries " +
        "WHERE state IN ('scheduled', 'claimed', 'sending', 'pending', 'held')",
    );
    await client.query("COMMIT");
    return Number(rows[0]?.["posts"]);
  });
}
