-- Fails unless exactly these many migrations are applied: a program must not claim in a schema that is not its own. It rides
-- before a claim, since a task has no round trip to spare for asking. PSN01: older than the program; PSN02: newer.
CREATE OR REPLACE FUNCTION psn.assert_schema(expected integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
  applied integer := (SELECT count(*) FROM psn.migrations);
BEGIN
  IF applied < expected THEN RAISE EXCEPTION 'older schema' USING ERRCODE = 'PSN01'; END IF;
  IF applied > expected THEN RAISE EXCEPTION 'newer schema' USING ERRCODE = 'PSN02'; END IF;
  RETURN true;
END $$;

REVOKE ALL ON FUNCTION psn.assert_schema(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.assert_schema(integer) TO psn_runtime;
