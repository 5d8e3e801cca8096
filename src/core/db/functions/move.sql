-- Another time: the instant, and with it the wall time that was meant, if any, and its zone.
CREATE OR REPLACE FUNCTION psn.move(ids uuid[], due timestamptz, wall_time text, time_zone text, note text)
RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', due_at = due, wall_time = move.wall_time,
      time_zone = move.time_zone, wake_at = due, code = NULL, message = NULL, fence = d.fence + 1, lease_until = NULL,
      updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id()) AND d.operation = 'publish'
      AND (d.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(d.id, d.state))
    RETURNING d.id, d.user_id, d.attempt
  ),
  -- What was uploaded may have been dropped by the platform until then.
  anew AS (
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    FROM changed c WHERE u.delivery_id = c.id AND u.state <> 'published'
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, note, actor)
  SELECT c.id, c.user_id, 'moved', c.attempt, move.note, 'user' FROM changed c RETURNING e.delivery_id
$$;

REVOKE ALL ON FUNCTION psn.move(uuid[], timestamp with time zone, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.move(uuid[], timestamp with time zone, text, text, text) TO psn_runtime;
ALTER FUNCTION psn.move(uuid[], timestamp with time zone, text, text, text) OWNER TO psn_definer;
