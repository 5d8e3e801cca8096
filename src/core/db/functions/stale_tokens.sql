-- Accounts whose tokens should be exchanged before somebody needs them: those of a long life that ends within `ahead`
-- milliseconds, and those that nobody has exchanged for `idle` milliseconds, since an unused refresh token dies too.
CREATE OR REPLACE FUNCTION psn.stale_tokens(platforms text[], ahead double precision, idle double precision)
RETURNS TABLE (account_id uuid, user_id uuid, platform text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT a.id, a.user_id, a.platform FROM psn.oauth_tokens t JOIN psn.accounts a ON a.id = t.account_id
  WHERE a.health = 'ok' AND a.platform = ANY (platforms) AND t.refresh_token IS NOT NULL AND t.refreshed_at IS NOT NULL
    AND (t.refreshed_at <= now() - idle * interval '1 millisecond'
      OR (t.expires_at <= now() + ahead * interval '1 millisecond' AND t.expires_at - t.refreshed_at > ahead * interval '1 millisecond'))
$$;

REVOKE ALL ON FUNCTION psn.stale_tokens(text[], double precision, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.stale_tokens(text[], double precision, double precision) TO psn_service;
ALTER FUNCTION psn.stale_tokens(text[], double precision, double precision) OWNER TO psn_definer;
