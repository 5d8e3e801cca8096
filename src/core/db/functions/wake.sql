-- A sleeping worker is told that something is due, at commit; LISTEN psn_wake.
CREATE OR REPLACE FUNCTION psn.wake() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  PERFORM pg_notify('psn_wake', '');
  RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION psn.wake() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.wake() TO psn_runtime;
