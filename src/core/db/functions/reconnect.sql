-- An account's deliveries go on. What is held keeps the instant of its last try, from which it may be too late. A hold
-- that another reason than the account has, such as too late, or another hub, waits for its user's word.
CREATE OR REPLACE FUNCTION psn.reconnect(account uuid) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', attempt = least(d.attempt, 1), code = NULL,
      wake_at = CASE d.state WHEN 'held' THEN least(d.wake_at, greatest(d.due_at, now()))
        ELSE greatest(d.due_at, now()) END,
      message = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.account_id = account AND d.user_id = (SELECT psn.current_user_id()) AND (
      (d.state = 'held' AND d.held_reason IN ('reconnect', 'copied', 'bucket'))
      OR (d.state = 'scheduled' AND d.attempt > 0 AND d.wake_at > now()))
    RETURNING d.id, d.user_id, d.attempt
  ), asked AS (
    -- Nobody waits for the answer of these: the lease only says when to ask again.
    UPDATE psn.deliveries d SET lease_until = now(), updated_at = now()
    WHERE d.account_id = account AND d.user_id = (SELECT psn.current_user_id()) AND d.state = 'sending'
      AND d.worker IS NULL AND d.lease_until > now()
    RETURNING d.id, d.user_id, d.attempt
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'reconnected', c.attempt, 'user'
  FROM (SELECT * FROM changed UNION ALL SELECT * FROM asked) c RETURNING e.delivery_id
$$;

REVOKE ALL ON FUNCTION psn.reconnect(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.reconnect(uuid) TO psn_runtime;
ALTER FUNCTION psn.reconnect(uuid) OWNER TO psn_definer;
