-- A user of the hub; only the hub's own login may make one.
CREATE OR REPLACE FUNCTION psn.add_user(id uuid, handle text, time_zone text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO psn.users (id, handle, time_zone) VALUES (add_user.id, add_user.handle, add_user.time_zone) ON CONFLICT DO NOTHING;
  RETURN FOUND;
END $$;

REVOKE ALL ON FUNCTION psn.add_user(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.add_user(uuid, text, text) TO psn_service;
ALTER FUNCTION psn.add_user(uuid, text, text) OWNER TO psn_definer;
