-- Forgets an account's credentials, cancels what is to come and leaves to its user what may be out: nobody can ask the
-- platform any more. The fence of these stays, since a worker may be waiting for the answer of one, and what it is told
-- still counts.
CREATE OR REPLACE FUNCTION psn.disconnect(account uuid, why text) RETURNS TABLE (cancelled integer, unconfirmed integer)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET
      -- A removal that was not asked for leaves a post that is out.
      state = CASE WHEN NOT o.taken_back THEN 'unconfirmed' WHEN d.operation = 'remove' THEN 'published'
        ELSE 'cancelled' END,
      operation = CASE WHEN o.taken_back THEN 'publish' ELSE d.operation END,
      code = CASE WHEN o.taken_back THEN d.code ELSE 'UNCONFIRMED' END,
      message = CASE WHEN o.taken_back THEN why ELSE why || ' before the platform had answered' END,
      fence = d.fence + o.taken_back::integer, lease_until = CASE WHEN NOT o.taken_back THEN d.lease_until END,
      updated_at = now()
    FROM (SELECT x.id, x.state,
        x.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(x.id, x.state) AS taken_back
      FROM psn.deliveries x WHERE x.account_id = account AND x.user_id = (SELECT psn.current_user_id())
        AND x.state IN ('held', 'scheduled', 'claimed', 'sending', 'pending') FOR NO KEY UPDATE) o
    WHERE d.id = o.id
    RETURNING d.id, d.user_id, d.attempt, d.state
  ), noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
    SELECT c.id, c.user_id, c.state, c.attempt, why, 'user' FROM changed c
  ), forgotten AS (
    DELETE FROM psn.oauth_tokens t WHERE t.account_id = account AND t.user_id = (SELECT psn.current_user_id())
  ), gone AS (
    UPDATE psn.accounts a SET health = 'disconnected', health_reason = NULL, updated_at = now()
    WHERE a.id = account AND a.user_id = (SELECT psn.current_user_id())
  )
  SELECT count(*) FILTER (WHERE c.state = 'cancelled')::integer,
    count(*) FILTER (WHERE c.state = 'unconfirmed')::integer FROM changed c
$$;

REVOKE ALL ON FUNCTION psn.disconnect(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.disconnect(uuid, text) TO psn_runtime;
ALTER FUNCTION psn.disconnect(uuid, text) OWNER TO psn_definer;
