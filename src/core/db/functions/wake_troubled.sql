-- What psn's own trouble has used up counts for nothing against a platform, and what is too late is published by nobody unasked.
--
-- As before, and what somebody is writing goes on by itself, only later: one user's lock must not keep the others waiting.
CREATE OR REPLACE FUNCTION psn.wake_troubled(codes text[]) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH woken AS (
    UPDATE psn.deliveries d SET wake_at = now()
    WHERE d.id = ANY (ARRAY(SELECT o.id FROM psn.deliveries o
      WHERE o.state = 'scheduled' AND o.code = ANY (codes) AND o.wake_at > now() AND o.due_at <= now() AND NOT psn.has_parted()
      FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING d.id
  )
  SELECT count(*)::integer FROM woken
$$;

REVOKE ALL ON FUNCTION psn.wake_troubled(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.wake_troubled(text[]) TO psn_service;
ALTER FUNCTION psn.wake_troubled(text[]) OWNER TO psn_definer;
