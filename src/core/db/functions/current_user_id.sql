-- For whom this session acts: the one function all policies call. The hub's own login says so by a setting; any other
-- login is one user's own, and the setting cannot make it somebody else. Unset or malformed: nobody, hence no rows.
CREATE OR REPLACE FUNCTION psn.current_user_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  chosen text;
BEGIN
  IF pg_catalog.pg_has_role(session_user, 'psn_service', 'MEMBER') THEN
    chosen := pg_catalog.current_setting('app.current_user_id', true);
    IF chosen ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN
      RETURN chosen::uuid;
    END IF;
    RETURN NULL;
  END IF;
  RETURN (SELECT u.id FROM psn.users u WHERE u.login = session_user);
END $$;

REVOKE ALL ON FUNCTION psn.current_user_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.current_user_id() TO psn_runtime;
ALTER FUNCTION psn.current_user_id() OWNER TO psn_definer;
