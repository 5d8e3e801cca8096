CREATE OR REPLACE FUNCTION psn.claim_one(worker text, lease integer, concurrency jsonb, delivery uuid)
RETURNS TABLE (delivery_id uuid, user_id uuid, fence bigint, purpose text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF psn.has_parted() THEN RETURN; END IF;
  RETURN QUERY SELECT c.delivery_id, c.user_id, c.fence, c.purpose
    FROM psn.claim_due(claim_one.worker, 1, lease, concurrency, ARRAY[delivery], '{}') c;
  IF FOUND THEN RETURN; END IF;
  RETURN QUERY SELECT d.id, d.user_id, d.fence,
      CASE (SELECT e.event FROM psn.delivery_events e WHERE e.delivery_id = d.id AND e.actor = claim_one.worker ORDER BY e.sequence DESC LIMIT 1)
        WHEN 'settling' THEN 'settle' WHEN 'polling' THEN 'poll' ELSE 'publish' END
    FROM psn.deliveries d
    WHERE d.id = delivery AND d.worker = claim_one.worker AND d.state IN ('claimed', 'sending', 'pending') AND d.lease_until > now();
END $$;

REVOKE ALL ON FUNCTION psn.claim_one(text, integer, jsonb, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.claim_one(text, integer, jsonb, uuid) TO psn_service;
ALTER FUNCTION psn.claim_one(text, integer, jsonb, uuid) OWNER TO psn_definer;
