-- Forgets the secrets whose time is over, but for those that somebody is writing: these are found the next time. Returns how many.
CREATE OR REPLACE FUNCTION psn.drop_ended_secrets() RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH gone AS (
    UPDATE psn.oauth_tokens t SET secret = NULL, secret_until = NULL, updated_at = now()
    WHERE t.id = ANY (ARRAY(SELECT o.id FROM psn.oauth_tokens o WHERE o.secret_until <= now() FOR NO KEY UPDATE SKIP LOCKED)) RETURNING t.id
  )
  SELECT count(*)::integer FROM gone
$$;

REVOKE ALL ON FUNCTION psn.drop_ended_secrets() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.drop_ended_secrets() TO psn_service;
ALTER FUNCTION psn.drop_ended_secrets() OWNER TO psn_definer;
