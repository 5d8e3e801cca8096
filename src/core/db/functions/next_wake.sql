-- An account that has nothing to publish wakes nobody when its pause is over: greatest() leaves out what is null.
CREATE OR REPLACE FUNCTION psn.next_wake(concurrency jsonb, chosen uuid[]) RETURNS double precision
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
DECLARE
  at timestamptz;
BEGIN
  IF psn.has_parted() THEN RETURN NULL; END IF;
  IF chosen IS NULL THEN
    SELECT min(greatest(w.at, a.paused_until)) INTO at
    FROM psn.accounts a CROSS JOIN LATERAL (
      SELECT least(
        (SELECT d.wake_at FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'scheduled' ORDER BY d.wake_at LIMIT 1),
        (SELECT d.wake_at FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'pending' ORDER BY d.wake_at LIMIT 1),
        (SELECT d.lease_until FROM psn.deliveries d WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') ORDER BY d.lease_until LIMIT 1)
      ) AS at
    ) w WHERE w.at IS NOT NULL AND concurrency ? a.platform AND a.health = 'ok';
  ELSE
    SELECT min(greatest(CASE WHEN d.state IN ('scheduled', 'pending') THEN d.wake_at ELSE d.lease_until END, a.paused_until)) INTO at
    FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
    WHERE d.id = ANY (chosen) AND d.state IN ('scheduled', 'pending', 'claimed', 'sending') AND concurrency ? a.platform AND a.health = 'ok';
  END IF;
  RETURN extract(epoch FROM at - clock_timestamp()) * 1000;
END $$;

REVOKE ALL ON FUNCTION psn.next_wake(jsonb, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.next_wake(jsonb, uuid[]) TO psn_service;
ALTER FUNCTION psn.next_wake(jsonb, uuid[]) OWNER TO psn_definer;
