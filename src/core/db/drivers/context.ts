import type { Actor } from "@psn/core/db/database.ts";
import { PsnError } from "@psn/core/errors.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * An answered commit is on the server's disk, whatever server, database or login say; where they ask for more, that
 * stays. Ordered by strength the values are off, local, remote_write, on, remote_apply (Postgres 18,
 * "synchronous_commit").
 */
const DURABLE =
  "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN " +
  "'remote_apply' ELSE 'on' END, true)";

/**
 * How long a statement may wait for what another session has locked, in milliseconds: longer than any transaction of
 * psn's own takes. A login can keep a lock for as long as it likes, and a session that waits for it holds a connection
 * that others need.
 */
const LOCK_MS = 2_000;

/**
 * The statements that put a transaction under row-level security, make its commit durable, and let it give way to a
 * lock after `lockMs`. The role is taken even where the login is already unprivileged, because an owner or the embedded
 * database's superuser would bypass every policy.
 */
export function contextStatements(actor: Actor, lockMs = LOCK_MS): readonly [string, string] {
  if (actor === "service") return ["SET LOCAL ROLE psn_service", contextOf("", lockMs)];
  if (!UUID.test(actor.userId)) throw new PsnError("BUG", "a user id that is not a UUID");
  const role = actor.service ? "psn_service" : "psn_runtime";
  return [`SET LOCAL ROLE ${role}`, contextOf(actor.userId, lockMs)];
}

const contextOf = (userId: string, lockMs: number): string =>
  `SELECT set_config('app.current_user_id', '${userId}', true), ` +
  `set_config('lock_timeout', '${lockMs}', true), ${DURABLE}`;
