-- Accounts whose token ends within `ahead` milliseconds and that have nothing to renew it with: noted on the account, and given back
-- to whoever notes it first, so that the user is told once.
CREATE FUNCTION psn.note_ending_tokens(platforms text[], ahead double precision)
RETURNS TABLE (account_id uuid, user_id uuid, platform text, handle text, ends_at double precision)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  UPDATE psn.accounts a SET health_reason = 'its token ends on ' || to_char(t.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), updated_at = now()
  FROM psn.oauth_tokens t
  WHERE t.account_id = a.id AND a.health = 'ok' AND a.health_reason IS NULL AND a.platform = ANY (platforms)
    AND t.refresh_token IS NULL AND t.secret IS NULL AND t.expires_at <= now() + ahead * interval '1 millisecond'
  RETURNING a.id, a.user_id, a.platform, a.handle, (extract(epoch FROM t.expires_at) * 1000)::double precision
$$;
--> statement-breakpoint
GRANT UPDATE (health_reason, updated_at) ON psn.accounts TO psn_definer;
--> statement-breakpoint
-- Sealed as it is; only whether there is one matters.
GRANT SELECT (secret) ON psn.oauth_tokens TO psn_definer;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.note_ending_tokens(text[], double precision) OWNER TO psn_definer;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.note_ending_tokens(text[], double precision) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.note_ending_tokens(text[], double precision) TO psn_service;
