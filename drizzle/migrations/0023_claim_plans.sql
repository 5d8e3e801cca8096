-- Made by `bun run functions` from src/core/db/functions.
-- Claims up to `most` deliveries that are due. Of several users none takes all: each has one place before any has two,
-- and what a worker is at already (`busy`) counts. Nothing is waited for: an account, a delivery or a unit that
-- somebody else has locked is left for the next look. Who claims for an account locks its row, so that the count of
-- what is in flight there is true; its user can lock it too, and stops that account alone.
CREATE OR REPLACE FUNCTION psn.claim_due(
  worker text, most integer, lease integer, concurrency jsonb, chosen uuid[], busy uuid[])
RETURNS TABLE (delivery_id uuid, user_id uuid, fence bigint, purpose text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  mine uuid[];
  users integer;
  ids uuid[];
BEGIN
  IF psn.has_parted() THEN RETURN; END IF;
  IF chosen IS NULL THEN
    SELECT array_agg(due.id), count(DISTINCT due.user_id) INTO mine, users FROM (
      SELECT a.id, a.user_id FROM psn.accounts a
      WHERE concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND (EXISTS (SELECT FROM psn.deliveries d
            WHERE d.account_id = a.id AND d.state = 'scheduled' AND d.wake_at <= now())
          OR EXISTS (SELECT FROM psn.deliveries d
            WHERE d.account_id = a.id AND d.state = 'pending' AND d.wake_at <= now())
          OR EXISTS (SELECT FROM psn.deliveries d
            WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      FOR NO KEY UPDATE SKIP LOCKED
    ) due;
    IF mine IS NULL THEN RETURN; END IF;
    -- Account by account, so that the backlog of one never hides what another has due.
    SELECT array_agg(taken.id) INTO ids FROM (
      SELECT d.id FROM (
        SELECT c.id, c.since, CASE WHEN users > 1
          THEN coalesce(at_work.n, 0) + row_number() OVER (PARTITION BY room.user_id ORDER BY c.since)
          ELSE 0 END AS place
        FROM (
          SELECT a.id, a.user_id, least(greatest((concurrency ->> a.platform)::integer - (
            SELECT count(*) FROM psn.deliveries f
            WHERE f.account_id = a.id AND f.state IN ('claimed', 'sending') AND f.worker IS NOT NULL
              AND (f.lease_until > now() OR f.id = ANY (busy))), 0), most) AS n
          FROM psn.accounts a WHERE a.id = ANY (mine)
        ) room LEFT JOIN (
          SELECT b.user_id, count(*) AS n FROM psn.deliveries b WHERE users > 1 AND b.id = ANY (busy) GROUP BY b.user_id
        ) at_work ON at_work.user_id = room.user_id CROSS JOIN LATERAL (
          (SELECT d.id, d.wake_at AS since FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state = 'scheduled' AND d.wake_at <= now() AND d.id <> ALL (busy)
            ORDER BY d.wake_at LIMIT room.n)
          UNION ALL
          (SELECT d.id, d.lease_until FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now()
              AND d.id <> ALL (busy)
            ORDER BY d.lease_until LIMIT room.n)
          UNION ALL
          (SELECT d.id, d.wake_at FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state = 'pending' AND d.wake_at <= now() AND d.id <> ALL (busy)
            ORDER BY d.wake_at LIMIT room.n)
          ORDER BY since LIMIT room.n
        ) c
      ) fair JOIN psn.deliveries d ON d.id = fair.id
      ORDER BY fair.place, fair.since LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
    ) taken;
  ELSE
    SELECT array_agg(taken.id) INTO ids FROM (
      SELECT d.id FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
      WHERE d.id = ANY (chosen) AND d.id <> ALL (busy) AND concurrency ? a.platform AND a.health = 'ok'
        AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now())
          OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      ORDER BY d.wake_at LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
    ) taken;
  END IF;

  RETURN QUERY
  WITH due AS MATERIALIZED (
    SELECT d.id, d.state, d.operation, d.fence,
      coalesce((SELECT t.expires_at > now() + interval '30 seconds' OR (t.refresh_token IS NULL AND t.secret IS NULL)
        FROM psn.oauth_tokens t WHERE t.account_id = d.account_id), true) AS fresh
    FROM psn.deliveries d WHERE d.id = ANY (ids) AND d.fence < 9007199254740991
  ),
  next AS MATERIALIZED (
    SELECT DISTINCT ON (u.delivery_id) u.delivery_id, u.id,
      due.fresh AND (due.operation = 'remove' OR u.prepared IS NOT NULL
        OR NOT (u.needs_prepare OR cardinality(u.media) > 0)) AS ready
    FROM psn.delivery_units u JOIN due ON due.id = u.delivery_id
    WHERE due.state IN ('scheduled', 'claimed')
      AND CASE due.operation WHEN 'remove' THEN u.state IN ('published', 'sending')
        ELSE u.state NOT IN ('published', 'removed') END
    -- A thread is published from its first unit on, and removed from its last one.
    ORDER BY u.delivery_id, CASE due.operation WHEN 'remove' THEN -u.position ELSE u.position END
  ),
  open AS MATERIALIZED (
    SELECT u.id FROM psn.delivery_units u WHERE u.id = ANY (ARRAY(SELECT next.id FROM next WHERE next.ready))
    FOR NO KEY UPDATE SKIP LOCKED
  ),
  taken AS (
    UPDATE psn.deliveries d SET
      state = CASE WHEN d.state IN ('scheduled', 'claimed')
        THEN CASE WHEN next.ready THEN 'sending' ELSE 'claimed' END ELSE d.state END,
      attempt = least(d.attempt + CASE WHEN d.state IN ('scheduled', 'claimed') THEN 1 ELSE 0 END, 1000000),
      fence = d.fence + 1, lease_until = now() + lease * interval '1 millisecond',
      -- A poll leaves the row pending; its next look is set by the settle, and until then by the lease.
      wake_at = CASE WHEN d.state = 'pending' THEN now() + lease * interval '1 millisecond' ELSE d.wake_at END,
      worker = claim_due.worker, updated_at = now()
    FROM due LEFT JOIN next ON next.delivery_id = due.id
    -- Between the look and this write somebody else may have claimed, moved or cancelled it: each of them raises the
    -- fence.
    WHERE d.id = due.id AND d.state = due.state AND d.fence = due.fence
      AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now())
        OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      AND (next.ready IS NOT TRUE OR next.id = ANY (ARRAY(SELECT open.id FROM open)))
    RETURNING d.id, d.user_id, d.fence, d.state, d.operation, d.attempt, due.state AS was
  ),
  opened AS (
    UPDATE psn.delivery_units u SET state = 'sending',
      sent_at = CASE taken.operation WHEN 'remove' THEN u.sent_at ELSE coalesce(u.sent_at, now()) END,
      asked_at = CASE taken.operation WHEN 'remove' THEN coalesce(u.asked_at, now()) END
    FROM next JOIN taken ON taken.id = next.delivery_id
    WHERE u.id = next.id AND next.ready AND taken.was IN ('scheduled', 'claimed')
  ),
  noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, actor)
    SELECT t.id, t.user_id, CASE t.was WHEN 'sending' THEN 'settling' WHEN 'pending' THEN 'polling' ELSE t.state END,
      t.attempt, claim_due.worker
    FROM taken t
  )
  SELECT t.id, t.user_id, t.fence,
    CASE t.was WHEN 'sending' THEN 'settle' WHEN 'pending' THEN 'poll' ELSE 'publish' END FROM taken t;
END $$;
