import { PsnError } from "@psn/core/errors.ts";
import type { Actor } from "../database.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * An answered commit is on the server's disk, whatever server, database or login say; where they ask for more, that stays. Ordered
 * by strength the values are off, local, remote_write, on, remote_apply (Postgres 18, "synchronous_commit").
 */
const DURABLE =
  "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)";

/**
 * The statements that put a transaction under row-level security, and make its commit durable. The role is taken even where the
 * login is already unprivileged, because an owner or the embedded database's superuser would bypass every policy.
 */
export function contextStatements(actor: Actor): readonly [string, string] {
  if (actor === "service") return ["SET LOCAL ROLE psn_service", contextOf("")];
  if (!UUID.test(actor.userId)) throw new PsnError("BUG", "a user id that is not a UUID");
  const role = actor.service ? "psn_service" : "psn_runtime";
  return [`SET LOCAL ROLE ${role}`, contextOf(actor.userId)];
}

const contextOf = (userId: string): string => `SELECT set_config('app.current_user_id', '${userId}', true), ${DURABLE}`;
