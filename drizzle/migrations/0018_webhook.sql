-- A secret that ends by itself: the one which a webhook signed with before, while two sign. And an account that is connected again has its
-- waiting deliveries tried at once, however long their next pause was to be.
ALTER TABLE "psn"."oauth_tokens" DROP CONSTRAINT "oauth_tokens_instants";--> statement-breakpoint
ALTER TABLE "psn"."oauth_tokens" ADD COLUMN "secret_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "psn"."oauth_tokens" ADD CONSTRAINT "oauth_tokens_instants" CHECK (least(expires_at, secret_until, refresh_lease_until, refresh_rest_until, refreshed_at, created_at, updated_at) >= to_timestamp(0) and greatest(expires_at, secret_until, refresh_lease_until, refresh_rest_until, refreshed_at, created_at, updated_at) < to_timestamp(253402300800));--> statement-breakpoint
GRANT UPDATE (secret_until) ON psn.oauth_tokens TO psn_runtime;
--> statement-breakpoint
GRANT SELECT (id, secret_until), UPDATE (secret, secret_until, updated_at) ON psn.oauth_tokens TO psn_definer;
--> statement-breakpoint
-- Forgets the secrets whose time is over, but for those that somebody is writing: these are found the next time. Returns how many.
CREATE FUNCTION psn.drop_ended_secrets() RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH gone AS (
    UPDATE psn.oauth_tokens t SET secret = NULL, secret_until = NULL, updated_at = now()
    WHERE t.id = ANY (ARRAY(SELECT o.id FROM psn.oauth_tokens o WHERE o.secret_until <= now() FOR NO KEY UPDATE SKIP LOCKED)) RETURNING t.id
  )
  SELECT count(*)::integer FROM gone
$$;
--> statement-breakpoint
-- As before, and what has been tried is tried again now, from the beginning of its schedule: what is held, what waits for its next try, and
-- what is asked about again because its answer is missing. A pause that the platform has asked for is the account's, and stays.
CREATE OR REPLACE FUNCTION psn.reconnect(account uuid) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', wake_at = greatest(d.due_at, now()), attempt = least(d.attempt, 1), code = NULL,
      message = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.account_id = account AND d.user_id = (SELECT psn.current_user_id()) AND (
      (d.state = 'held' AND coalesce((SELECT e.event FROM psn.delivery_events e WHERE e.delivery_id = d.id ORDER BY e.sequence DESC LIMIT 1), '')
        NOT IN ('imported', 'moved away'))
      OR (d.state = 'scheduled' AND d.attempt > 0 AND d.wake_at > now()))
    RETURNING d.id, d.user_id, d.attempt
  ), asked AS (
    -- Nobody waits for the answer of these: the lease only says when to ask again.
    UPDATE psn.deliveries d SET lease_until = now(), updated_at = now()
    WHERE d.account_id = account AND d.user_id = (SELECT psn.current_user_id()) AND d.state = 'sending' AND d.worker IS NULL
      AND d.lease_until > now()
    RETURNING d.id, d.user_id, d.attempt
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'reconnected', c.attempt, 'user' FROM (SELECT * FROM changed UNION ALL SELECT * FROM asked) c RETURNING e.delivery_id
$$;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.drop_ended_secrets() FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.drop_ended_secrets() TO psn_service;
--> statement-breakpoint
ALTER FUNCTION psn.drop_ended_secrets() OWNER TO psn_definer;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
