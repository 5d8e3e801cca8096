-- The platform works on an upload, and nothing was sent: what its user may still take back.
CREATE OR REPLACE FUNCTION psn.is_preparing(delivery uuid, state text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT is_preparing.state = 'pending' AND NOT EXISTS (SELECT FROM psn.delivery_units u
    WHERE u.delivery_id = delivery AND u.state = 'pending' AND u.sent_at IS NOT NULL)
$$;

REVOKE ALL ON FUNCTION psn.is_preparing(uuid, text) FROM PUBLIC;
ALTER FUNCTION psn.is_preparing(uuid, text) OWNER TO psn_definer;
