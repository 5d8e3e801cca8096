-- As before, of several users none takes all.
CREATE OR REPLACE FUNCTION psn.wake_ups(concurrency jsonb, ahead double precision, most integer)
RETURNS TABLE (delivery_id uuid, user_id uuid, account_id uuid, platform text, fence bigint, state text, at_ms double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
  SELECT f.id, f.user_id, f.account_id, f.platform, f.fence, f.state, extract(epoch FROM f.at) * 1000 FROM (
    SELECT w.id, w.user_id, a.id AS account_id, a.platform, w.fence, w.state, greatest(w.at, a.paused_until) AS at,
      row_number() OVER (PARTITION BY w.user_id ORDER BY greatest(w.at, a.paused_until)) AS place
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
    WHERE NOT (SELECT psn.has_parted()) AND concurrency ? a.platform AND a.health = 'ok'
      AND (a.paused_until IS NULL OR a.paused_until <= now() + ahead * interval '1 millisecond')
    ORDER BY place, at LIMIT most
  ) f ORDER BY f.at
$$;

REVOKE ALL ON FUNCTION psn.wake_ups(jsonb, double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.wake_ups(jsonb, double precision, integer) TO psn_service;
ALTER FUNCTION psn.wake_ups(jsonb, double precision, integer) OWNER TO psn_definer;
