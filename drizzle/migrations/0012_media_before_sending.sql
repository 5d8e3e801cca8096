-- Nothing slow lies between `sending` and the bytes. A unit whose media must be opened first, and one whose account's token is about
-- to end (30 seconds: the token must outlast the request), is claimed as `claimed`; `sending` is written when all is at hand.
-- `busy`: what this very process is acting on. It is never claimed by it again, whatever the clock says of its lease.
-- A psn that sends right after the claim must not run against this: the function it calls is gone.
DROP FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[]);
--> statement-breakpoint
CREATE FUNCTION psn.claim_due(worker text, most integer, lease integer, concurrency jsonb, chosen uuid[], busy uuid[])
RETURNS TABLE (delivery_id uuid, user_id uuid, fence bigint, purpose text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
DECLARE
  mine uuid[];
  ids uuid[];
BEGIN
  IF chosen IS NULL THEN
    -- One claim at a time for an account: the count of what is in flight must be true. Who comes second looks again later.
    SELECT array_agg(a.id) INTO mine FROM psn.accounts a
    WHERE concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
      AND (EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'scheduled' AND d.wake_at <= now())
        OR EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'pending' AND d.wake_at <= now())
        OR EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      AND pg_try_advisory_xact_lock(1886612992, hashtext(a.id::text));
    IF mine IS NULL THEN RETURN; END IF;
    -- Account by account, so that the backlog of one never hides what another has due.
    SELECT array_agg(due.id) INTO ids FROM (
      SELECT c.id FROM (
        SELECT a.id, greatest((concurrency ->> a.platform)::integer - (SELECT count(*) FROM psn.deliveries f
          WHERE f.account_id = a.id AND f.state IN ('claimed', 'sending') AND f.worker IS NOT NULL
            AND (f.lease_until > now() OR f.id = ANY (busy))), 0) AS n
        FROM psn.accounts a WHERE a.id = ANY (mine)
      ) room CROSS JOIN LATERAL (
        (SELECT d.id, d.wake_at AS since FROM psn.deliveries d
          WHERE d.account_id = room.id AND d.state = 'scheduled' AND d.wake_at <= now() AND d.id <> ALL (busy) ORDER BY d.wake_at LIMIT room.n)
        UNION ALL
        (SELECT d.id, d.lease_until FROM psn.deliveries d
          WHERE d.account_id = room.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now() AND d.id <> ALL (busy) ORDER BY d.lease_until LIMIT room.n)
        UNION ALL
        (SELECT d.id, d.wake_at FROM psn.deliveries d
          WHERE d.account_id = room.id AND d.state = 'pending' AND d.wake_at <= now() AND d.id <> ALL (busy) ORDER BY d.wake_at LIMIT room.n)
        ORDER BY since LIMIT room.n
      ) c ORDER BY c.since LIMIT most
    ) due;
  ELSE
    SELECT array_agg(due.id) INTO ids FROM (
      SELECT d.id FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
      WHERE d.id = ANY (chosen) AND d.id <> ALL (busy) AND concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      ORDER BY d.wake_at LIMIT most
    ) due;
  END IF;

  RETURN QUERY
  WITH due AS MATERIALIZED (
    SELECT d.id, d.state, d.fence,
      coalesce((SELECT t.expires_at > now() + interval '30 seconds' OR (t.refresh_token IS NULL AND t.secret IS NULL)
        FROM psn.oauth_tokens t WHERE t.account_id = d.account_id), true) AS fresh
    FROM psn.deliveries d WHERE d.id = ANY (ids)
  ),
  next AS (
    SELECT DISTINCT ON (u.delivery_id) u.delivery_id, u.id,
      due.fresh AND (u.prepared IS NOT NULL OR NOT (u.needs_prepare OR cardinality(u.media) > 0)) AS ready
    FROM psn.delivery_units u JOIN due ON due.id = u.delivery_id
    WHERE u.state <> 'published' AND due.state IN ('scheduled', 'claimed') ORDER BY u.delivery_id, u.position
  ),
  taken AS (
    UPDATE psn.deliveries d SET
      state = CASE WHEN d.state IN ('scheduled', 'claimed') THEN CASE WHEN next.ready THEN 'sending' ELSE 'claimed' END ELSE d.state END,
      attempt = d.attempt + CASE WHEN d.state IN ('scheduled', 'claimed') THEN 1 ELSE 0 END,
      fence = d.fence + 1, lease_until = now() + lease * interval '1 millisecond',
      -- A poll leaves the row pending; its next look is set by the settle, and until then by the lease.
      wake_at = CASE WHEN d.state = 'pending' THEN now() + lease * interval '1 millisecond' ELSE d.wake_at END,
      worker = claim_due.worker, updated_at = now()
    FROM due LEFT JOIN next ON next.delivery_id = due.id
    -- Between the look and this write somebody else may have claimed, moved or cancelled it: each of them raises the fence.
    WHERE d.id = due.id AND d.state = due.state AND d.fence = due.fence
      AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
    RETURNING d.id, d.user_id, d.fence, d.state, d.attempt, due.state AS was
  ),
  opened AS (
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now())
    FROM next JOIN taken ON taken.id = next.delivery_id
    WHERE u.id = next.id AND next.ready AND taken.was IN ('scheduled', 'claimed')
  ),
  noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, actor)
    SELECT t.id, t.user_id, CASE t.was WHEN 'sending' THEN 'settling' WHEN 'pending' THEN 'polling' ELSE t.state END, t.attempt, claim_due.worker
    FROM taken t
  )
  SELECT t.id, t.user_id, t.fence, CASE t.was WHEN 'sending' THEN 'settle' WHEN 'pending' THEN 'poll' ELSE 'publish' END FROM taken t;
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION psn.claim_one(worker text, lease integer, concurrency jsonb, delivery uuid)
RETURNS TABLE (delivery_id uuid, user_id uuid, fence bigint, purpose text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  RETURN QUERY SELECT c.delivery_id, c.user_id, c.fence, c.purpose
    FROM psn.claim_due(claim_one.worker, 1, lease, concurrency, ARRAY[delivery], '{}') c;
  IF FOUND THEN RETURN; END IF;
  RETURN QUERY SELECT d.id, d.user_id, d.fence,
      CASE (SELECT e.event FROM psn.delivery_events e WHERE e.delivery_id = d.id AND e.actor = claim_one.worker ORDER BY e.sequence DESC LIMIT 1)
        WHEN 'settling' THEN 'settle' WHEN 'polling' THEN 'poll' ELSE 'publish' END
    FROM psn.deliveries d
    WHERE d.id = delivery AND d.worker = claim_one.worker AND d.state IN ('claimed', 'sending', 'pending') AND d.lease_until > now();
END $$;
--> statement-breakpoint
-- No pause and no lease is longer than 31 days: a number that a platform sent must not fail the write.
CREATE OR REPLACE FUNCTION psn.settle(changes jsonb) RETURNS TABLE (delivery_id uuid)
LANGUAGE plpgsql VOLATILE SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
BEGIN
  RETURN QUERY
  WITH c AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(changes) AS r(id uuid, fence bigint, state text, "wakeInMs" double precision, "leaseMs" double precision,
      code text, message text, event text, note text, actor text, unit jsonb, next jsonb, account jsonb)
  ),
  d AS (
    UPDATE psn.deliveries d SET
      state = c.state, updated_at = now(),
      -- A renewal says nothing new.
      code = CASE WHEN c.event IS NULL AND c.unit IS NULL THEN d.code ELSE c.code END,
      message = CASE WHEN c.event IS NULL AND c.unit IS NULL THEN d.message ELSE c.message END,
      wake_at = CASE WHEN c."wakeInMs" IS NULL THEN d.wake_at ELSE now() + least(greatest(c."wakeInMs", 0), 2678400000) * interval '1 millisecond' END,
      lease_until = now() + least(greatest(c."leaseMs", 0), 2678400000) * interval '1 millisecond',
      -- An answer that is missing is waited for by nobody: the lease only says when to ask again.
      worker = CASE WHEN c.state = 'sending' AND c.code IS NOT NULL THEN NULL ELSE d.worker END,
      published_at = CASE WHEN c.state = 'published' THEN now() ELSE d.published_at END
    FROM c WHERE d.id = c.id AND d.fence = c.fence
      -- The account may have been disconnected while the answer was on its way.
      AND (d.state IN ('claimed', 'sending', 'pending') OR (d.state = 'unconfirmed' AND c.state IN ('published', 'failed')))
      -- What may have been sent never counts as unsent again, but for the next unit of a thread.
      AND NOT (d.state = 'sending' AND c.state = 'claimed' AND coalesce(c.unit ->> 'state', '') <> 'published')
      -- An earlier try of a write may arrive late, under the same claim: what it speaks of is over by then.
      AND NOT EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = d.id AND u.state = 'published'
        AND (u.position = (c.next ->> 'position')::smallint OR (u.position = (c.unit ->> 'position')::smallint
          AND (c.unit ->> 'state' <> 'published' OR (d.state = 'sending' AND c.state = 'claimed')))))
    RETURNING d.id, d.user_id, d.account_id, d.attempt, c.unit, c.next, c.account, c.event, c.note, c.code, c.actor
  ),
  this_unit AS (
    UPDATE psn.delivery_units u SET
      state = d.unit ->> 'state',
      prepared = CASE WHEN d.unit ? 'prepared' THEN nullif(d.unit -> 'prepared', 'null') ELSE u.prepared END,
      handle = CASE WHEN d.unit ? 'handle' THEN nullif(d.unit -> 'handle', 'null') ELSE u.handle END,
      sent_at = CASE WHEN d.unit ->> 'state' = 'waiting' THEN NULL WHEN d.unit ->> 'state' = 'sending' THEN coalesce(u.sent_at, now()) ELSE u.sent_at END,
      ref_id = coalesce(d.unit -> 'ref' ->> 'id', u.ref_id), ref_url = coalesce(d.unit -> 'ref' ->> 'url', u.ref_url),
      ref_revision = coalesce(d.unit -> 'ref' ->> 'revision', u.ref_revision),
      published_at = CASE WHEN d.unit ->> 'state' = 'published' THEN now() ELSE u.published_at END
    FROM d WHERE u.delivery_id = d.id AND u.position = (d.unit ->> 'position')::smallint
  ),
  next_unit AS (
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now())
    FROM d WHERE u.delivery_id = d.id AND u.position = (d.next ->> 'position')::smallint
  ),
  account AS (
    UPDATE psn.accounts a SET
      -- An account that was disconnected meanwhile stays so.
      health = CASE a.health WHEN 'ok' THEN coalesce(d.account ->> 'health', a.health) ELSE a.health END,
      health_reason = CASE a.health WHEN 'ok' THEN coalesce(d.account ->> 'reason', a.health_reason) ELSE a.health_reason END,
      paused_until = CASE WHEN d.account ? 'pausedForMs'
        THEN greatest(a.paused_until, now() + least(greatest((d.account ->> 'pausedForMs')::double precision, 0), 2678400000) * interval '1 millisecond') ELSE a.paused_until END,
      updated_at = now()
    FROM d WHERE a.id = d.account_id AND d.account <> 'null'
  ),
  noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, unit, code, note, actor)
    SELECT d.id, d.user_id, d.event, d.attempt, (d.unit ->> 'position')::smallint, d.code, d.note, d.actor FROM d WHERE d.event IS NOT NULL
  )
  SELECT d.id FROM d;
END $$;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[], uuid[]) OWNER TO psn_definer;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[], uuid[]) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[], uuid[]) TO psn_service, psn_definer;
