-- It is mended: forgets it, and lets what waited for it go on at once. Returns how many that are.
CREATE OR REPLACE FUNCTION psn.mend_trouble(said text, because text) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH forgotten AS (
    UPDATE psn.users u SET troubles = array_remove(u.troubles, said)
    WHERE u.id = (SELECT psn.current_user_id()) AND said = ANY (u.troubles)
  ), woken AS (
    UPDATE psn.deliveries d SET wake_at = now()
    WHERE d.user_id = (SELECT psn.current_user_id()) AND d.state = 'scheduled' AND d.code = because AND d.wake_at > now() AND d.due_at <= now()
    RETURNING d.id
  )
  SELECT count(*)::integer FROM woken
$$;

REVOKE ALL ON FUNCTION psn.mend_trouble(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.mend_trouble(text, text) TO psn_service;
ALTER FUNCTION psn.mend_trouble(text, text) OWNER TO psn_definer;
