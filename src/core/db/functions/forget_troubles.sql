-- Forgets what nothing waits for any more, so that it is told again when it comes back. Returns of how many users.
CREATE OR REPLACE FUNCTION psn.forget_troubles() RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH kept AS (
    SELECT u.id, ARRAY(SELECT t.said FROM unnest(u.troubles) WITH ORDINALITY AS t (said, nth) WHERE EXISTS (SELECT FROM psn.deliveries d
      WHERE d.user_id = u.id AND d.state NOT IN ('published', 'failed', 'unconfirmed', 'cancelled', 'held')
        AND d.code = split_part(t.said, ':', 1)) ORDER BY t.nth) AS troubles
    FROM psn.users u WHERE u.troubles <> '{}' FOR NO KEY UPDATE SKIP LOCKED
  ), forgotten AS (
    UPDATE psn.users u SET troubles = k.troubles FROM kept k WHERE u.id = k.id AND u.troubles <> k.troubles RETURNING u.id
  )
  SELECT count(*)::integer FROM forgotten
$$;

REVOKE ALL ON FUNCTION psn.forget_troubles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.forget_troubles() TO psn_service;
ALTER FUNCTION psn.forget_troubles() OWNER TO psn_definer;
