-- Whether nothing of a delivery has been sent: an edit may still compose it anew. What was removed had been sent.
CREATE OR REPLACE FUNCTION psn.is_unsent(delivery uuid, state text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT is_unsent.state NOT IN ('sending', 'published', 'unconfirmed', 'removed')
    AND NOT EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = delivery
      AND (u.state IN ('sending', 'published', 'removed') OR u.sent_at IS NOT NULL))
$$;

REVOKE ALL ON FUNCTION psn.is_unsent(uuid, text) FROM PUBLIC;
ALTER FUNCTION psn.is_unsent(uuid, text) OWNER TO psn_definer;
