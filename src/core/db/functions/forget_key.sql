CREATE OR REPLACE FUNCTION psn.forget_key(name text) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH gone AS (DELETE FROM psn.api_keys k WHERE k.name = forget_key.name AND k.user_id = (SELECT psn.current_user_id()) RETURNING k.id)
  SELECT EXISTS (SELECT FROM gone)
$$;

REVOKE ALL ON FUNCTION psn.forget_key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.forget_key(text) TO psn_runtime;
ALTER FUNCTION psn.forget_key(text) OWNER TO psn_definer;
