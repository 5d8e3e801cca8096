-- As before. What somebody has locked stays as it is: nothing is claimed while the database has parted, and `psn recover` asks for all.
CREATE OR REPLACE FUNCTION psn.part(why text, code text, message text, first uuid) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  held integer;
BEGIN
  INSERT INTO psn.incarnation (id, identity) VALUES (first, psn.database_identity()) ON CONFLICT DO NOTHING;
  UPDATE psn.incarnation i SET parted_at = coalesce(i.parted_at, now()), reason = coalesce(i.reason, why);
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'held', code = part.code, message = part.message, fence = d.fence + 1, lease_until = NULL, worker = NULL,
      updated_at = now()
    WHERE d.id = ANY (ARRAY(SELECT o.id FROM psn.deliveries o WHERE o.state IN ('scheduled', 'claimed') AND o.fence < 9007199254740991
      FOR NO KEY UPDATE SKIP LOCKED)) RETURNING d.id, d.user_id, d.attempt
  ), noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, code, note, actor)
    SELECT c.id, c.user_id, 'held', c.attempt, part.code, part.message, 'psn' FROM changed c
  )
  SELECT count(*)::integer INTO held FROM changed;
  RETURN held;
END $$;

REVOKE ALL ON FUNCTION psn.part(text, text, text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.part(text, text, text, uuid) TO psn_service;
ALTER FUNCTION psn.part(text, text, text, uuid) OWNER TO psn_definer;
