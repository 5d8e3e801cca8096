CREATE OR REPLACE FUNCTION psn.note(ids uuid[], event text, note text, actor text) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, note, actor)
  SELECT d.id, d.user_id, note.event, d.attempt, note.note, note.actor FROM psn.deliveries d
  WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id()) RETURNING e.delivery_id
$$;

REVOKE ALL ON FUNCTION psn.note(uuid[], text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.note(uuid[], text, text, text) TO psn_runtime;
ALTER FUNCTION psn.note(uuid[], text, text, text) OWNER TO psn_definer;
