-- The verbs of a user. Raising the fence takes a delivery from whoever has claimed it; `claimed` means that nothing was
-- sent. A removal that has not been asked for is given up: what it would have removed stays out.
CREATE OR REPLACE FUNCTION psn.cancel(ids uuid[]) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = CASE d.operation WHEN 'remove' THEN 'published' ELSE 'cancelled' END,
      operation = 'publish', fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())
      AND (d.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(d.id, d.state))
    RETURNING d.id, d.user_id, d.attempt
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'cancelled', c.attempt, 'user' FROM changed c RETURNING e.delivery_id
$$;

REVOKE ALL ON FUNCTION psn.cancel(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.cancel(uuid[]) TO psn_runtime;
ALTER FUNCTION psn.cancel(uuid[]) OWNER TO psn_definer;
