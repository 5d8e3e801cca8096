-- Its user wants what is out of these off its platforms, from now on. What was never sent of them never will be. A
-- removal of which nobody knows what became is asked for again; one that is under way goes on as it is. An account that
-- was disconnected has no credentials left to ask with.
CREATE OR REPLACE FUNCTION psn.remove(ids uuid[]) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET operation = 'remove', attempt = 0, code = NULL, message = NULL, wake_at = now(),
      -- What may be gone is asked about as a lost answer is.
      state = CASE d.operation WHEN 'remove' THEN 'sending' ELSE 'scheduled' END,
      lease_until = CASE d.operation WHEN 'remove' THEN now() END,
      worker = NULL, fence = d.fence + 1, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())
      AND EXISTS (SELECT FROM psn.accounts a WHERE a.id = d.account_id AND a.health <> 'disconnected')
      AND EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = d.id AND u.ref_id IS NOT NULL
        AND u.state IN ('published', 'sending'))
      AND CASE d.operation
        WHEN 'remove' THEN d.state = 'unconfirmed' AND (d.lease_until IS NULL OR d.lease_until <= now())
        ELSE d.state IN ('published', 'failed', 'cancelled', 'held', 'scheduled', 'claimed')
          OR psn.is_preparing(d.id, d.state) END
    RETURNING d.id, d.user_id, d.attempt
  ), never AS (
    UPDATE psn.delivery_units u SET state = 'removed', prepared = NULL, handle = NULL, sent_at = NULL
    FROM changed c WHERE u.delivery_id = c.id AND u.ref_id IS NULL
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'removal asked for', c.attempt, 'user' FROM changed c RETURNING e.delivery_id
$$;

REVOKE ALL ON FUNCTION psn.remove(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.remove(uuid[]) TO psn_runtime;
ALTER FUNCTION psn.remove(uuid[]) OWNER TO psn_definer;
