-- What tasks that live for one delivery need: claim and look in one round trip, and a look ahead for the watchdog.
GRANT SELECT ON psn.delivery_events TO psn_definer;
--> statement-breakpoint
-- Whose tokens are about to expire, and never the tokens.
GRANT SELECT (account_id, user_id, refresh_token, expires_at, refreshed_at) ON psn.oauth_tokens TO psn_definer;
--> statement-breakpoint
GRANT SELECT (id, user_id, post_id, content, object_key) ON psn.media TO psn_definer;
--> statement-breakpoint
-- Fails unless exactly these many migrations are applied: a program must not claim in a schema that is not its own. It rides
-- before a claim, since a task has no round trip to spare for asking. PSN01: older than the program; PSN02: newer.
CREATE FUNCTION psn.assert_schema(expected integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
  applied integer := (SELECT count(*) FROM psn.migrations);
BEGIN
  IF applied < expected THEN RAISE EXCEPTION 'older schema' USING ERRCODE = 'PSN01'; END IF;
  IF applied > expected THEN RAISE EXCEPTION 'newer schema' USING ERRCODE = 'PSN02'; END IF;
  RETURN true;
END $$;
--> statement-breakpoint
-- Claims this delivery as `claim_due` does. Asked again by the same worker, whose first answer was lost on the way, it answers
-- the same claim: `worker` must be a name that no other attempt ever has, and nothing may have been sent under the claim yet.
CREATE FUNCTION psn.claim_one(worker text, lease integer, concurrency jsonb, delivery uuid)
RETURNS TABLE (delivery_id uuid, user_id uuid, fence bigint, purpose text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  RETURN QUERY SELECT c.delivery_id, c.user_id, c.fence, c.purpose
    FROM psn.claim_due(claim_one.worker, 1, lease, concurrency, ARRAY[delivery]) c;
  IF FOUND THEN RETURN; END IF;
  RETURN QUERY SELECT d.id, d.user_id, d.fence,
      CASE (SELECT e.event FROM psn.delivery_events e WHERE e.delivery_id = d.id AND e.actor = claim_one.worker ORDER BY e.sequence DESC LIMIT 1)
        WHEN 'settling' THEN 'settle' WHEN 'polling' THEN 'poll' ELSE 'publish' END
    FROM psn.deliveries d
    WHERE d.id = delivery AND d.worker = claim_one.worker AND d.state IN ('claimed', 'sending', 'pending') AND d.lease_until > now();
END $$;
--> statement-breakpoint
-- What somebody must wake up for within `ahead` milliseconds, soonest first: ids, the fence and the state as they are now, and
-- when, in milliseconds since 1970.
CREATE FUNCTION psn.wake_ups(concurrency jsonb, ahead double precision, most integer)
RETURNS TABLE (delivery_id uuid, user_id uuid, account_id uuid, platform text, fence bigint, state text, at_ms double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT w.id, w.user_id, a.id, a.platform, w.fence, w.state, extract(epoch FROM greatest(w.at, a.paused_until)) * 1000
  FROM psn.accounts a CROSS JOIN LATERAL (
    SELECT d.id, d.user_id, d.fence, d.state, d.wake_at AS at FROM psn.deliveries d
      WHERE d.account_id = a.id AND d.state = 'scheduled' AND d.wake_at <= now() + ahead * interval '1 millisecond'
    UNION ALL
    SELECT d.id, d.user_id, d.fence, d.state, d.wake_at FROM psn.deliveries d
      WHERE d.account_id = a.id AND d.state = 'pending' AND d.wake_at <= now() + ahead * interval '1 millisecond'
    UNION ALL
    SELECT d.id, d.user_id, d.fence, d.state, d.lease_until FROM psn.deliveries d
      WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now() + ahead * interval '1 millisecond'
  ) w
  WHERE concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now() + ahead * interval '1 millisecond')
  ORDER BY greatest(w.at, a.paused_until) LIMIT most
$$;
--> statement-breakpoint
-- Accounts whose tokens should be exchanged before somebody needs them: those of a long life that ends within `ahead`
-- milliseconds, and those that nobody has exchanged for `idle` milliseconds, since an unused refresh token dies too.
CREATE FUNCTION psn.stale_tokens(platforms text[], ahead double precision, idle double precision)
RETURNS TABLE (account_id uuid, user_id uuid, platform text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT a.id, a.user_id, a.platform FROM psn.oauth_tokens t JOIN psn.accounts a ON a.id = t.account_id
  WHERE a.health = 'ok' AND a.platform = ANY (platforms) AND t.refresh_token IS NOT NULL AND t.refreshed_at IS NOT NULL
    AND (t.refreshed_at <= now() - idle * interval '1 millisecond'
      OR (t.expires_at <= now() + ahead * interval '1 millisecond' AND t.expires_at - t.refreshed_at > ahead * interval '1 millisecond'))
$$;
--> statement-breakpoint
-- Media that nobody can need any more: every delivery of their post was published or cancelled `age` milliseconds ago.
CREATE FUNCTION psn.spent_media(age double precision, most integer)
RETURNS TABLE (media_id uuid, user_id uuid, object_key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT m.id, m.user_id, m.object_key FROM psn.media m
  WHERE (m.content IS NOT NULL OR m.object_key IS NOT NULL)
    AND EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id)
    AND NOT EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id
      AND NOT (d.state IN ('published', 'cancelled') AND d.updated_at <= now() - age * interval '1 millisecond'))
  LIMIT most
$$;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.claim_one(text, integer, jsonb, uuid) OWNER TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.wake_ups(jsonb, double precision, integer) OWNER TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.stale_tokens(text[], double precision, double precision) OWNER TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.spent_media(double precision, integer) OWNER TO psn_definer;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.assert_schema(integer), psn.claim_one(text, integer, jsonb, uuid), psn.wake_ups(jsonb, double precision, integer),
  psn.stale_tokens(text[], double precision, double precision), psn.spent_media(double precision, integer) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.assert_schema(integer) TO psn_runtime;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.claim_one(text, integer, jsonb, uuid), psn.wake_ups(jsonb, double precision, integer),
  psn.stale_tokens(text[], double precision, double precision), psn.spent_media(double precision, integer) TO psn_service;
--> statement-breakpoint
-- The functions that claim call each other as psn_definer.
GRANT EXECUTE ON FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[]) TO psn_definer;
