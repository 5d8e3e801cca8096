-- As before, and an account that somebody has locked is noted at the next look.
CREATE OR REPLACE FUNCTION psn.note_ending_tokens(platforms text[], ahead double precision)
RETURNS TABLE (account_id uuid, user_id uuid, platform text, handle text, ends_at double precision)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  UPDATE psn.accounts a SET health_reason = 'its token ends on ' || to_char(t.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), updated_at = now()
  FROM psn.oauth_tokens t
  WHERE t.account_id = a.id AND a.id = ANY (ARRAY(
      SELECT o.id FROM psn.accounts o WHERE o.health = 'ok' AND o.health_reason IS NULL AND o.platform = ANY (platforms) FOR NO KEY UPDATE SKIP LOCKED))
    AND t.refresh_token IS NULL AND t.secret IS NULL AND t.expires_at <= now() + ahead * interval '1 millisecond'
  RETURNING a.id, a.user_id, a.platform, a.handle, (extract(epoch FROM t.expires_at) * 1000)::double precision
$$;

REVOKE ALL ON FUNCTION psn.note_ending_tokens(text[], double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.note_ending_tokens(text[], double precision) TO psn_service;
ALTER FUNCTION psn.note_ending_tokens(text[], double precision) OWNER TO psn_definer;
