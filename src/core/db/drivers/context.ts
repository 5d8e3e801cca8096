import { PsnError } from "@psn/core/errors.ts";
import type { Actor } from "../database.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The statements that put a transaction under row-level security. The role is taken even where the login is already
 * unprivileged, because an owner or the embedded database's superuser would bypass every policy.
 */
export function contextStatements(actor: Actor): readonly [string, string] {
  if (actor === "service") return ["SET LOCAL ROLE psn_service", "SELECT set_config('app.current_user_id', '', true)"];
  if (!UUID.test(actor.userId)) throw new PsnError("BUG", "a user id that is not a UUID");
  const role = actor.service ? "psn_service" : "psn_runtime";
  return [`SET LOCAL ROLE ${role}`, `SELECT set_config('app.current_user_id', '${actor.userId}', true)`];
}
