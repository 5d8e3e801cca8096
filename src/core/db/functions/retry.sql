CREATE OR REPLACE FUNCTION psn.retry(ids uuid[]) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', wake_at = now(), late = 'publish', attempt = 0, code = NULL,
      message = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id()) AND d.state IN ('failed', 'held', 'cancelled')
    RETURNING d.id, d.user_id, d.operation
  ),
  -- A new beginning: what was uploaded may have been dropped by the platform meanwhile.
  anew AS (
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    FROM changed c WHERE u.delivery_id = c.id AND c.operation = 'publish' AND u.state <> 'published'
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'retried', 0, 'user' FROM changed c RETURNING e.delivery_id
$$;

REVOKE ALL ON FUNCTION psn.retry(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.retry(uuid[]) TO psn_runtime;
ALTER FUNCTION psn.retry(uuid[]) OWNER TO psn_definer;
