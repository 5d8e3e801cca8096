-- Notes what is wrong with the hub; true for whoever is the first to say it, and tells the user.
CREATE OR REPLACE FUNCTION psn.note_trouble(said text) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH noted AS (
    UPDATE psn.users u SET troubles = (array_prepend(said, u.troubles))[1:20]
    WHERE u.id = (SELECT psn.current_user_id()) AND NOT said = ANY (u.troubles) RETURNING u.id
  )
  SELECT EXISTS (SELECT FROM noted)
$$;

REVOKE ALL ON FUNCTION psn.note_trouble(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.note_trouble(text) TO psn_service;
ALTER FUNCTION psn.note_trouble(text) OWNER TO psn_definer;
