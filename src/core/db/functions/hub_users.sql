-- Whose folders of the bucket this hub keeps in order; none where the hub is a copy.
CREATE OR REPLACE FUNCTION psn.hub_users() RETURNS TABLE (user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT u.id FROM psn.users u WHERE NOT psn.has_parted() ORDER BY u.id
$$;

REVOKE ALL ON FUNCTION psn.hub_users() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.hub_users() TO psn_service;
ALTER FUNCTION psn.hub_users() OWNER TO psn_definer;
