-- What was written before the database's clock stepped back lies in the future. A lease of a minute would last as long as the step was,
-- and so would a pause and the wait for another try: each lasts from now on what was left of it when it was written. What a user chose,
-- when a post is due, stays. Rows that somebody else has locked are left for the next look.
CREATE OR REPLACE FUNCTION psn.after_step_back() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
  WITH deliveries AS (
    UPDATE psn.deliveries d SET
      lease_until = CASE WHEN d.lease_until IS NOT NULL THEN now() + least(d.lease_until - d.updated_at, interval '31 days') END,
      wake_at = CASE WHEN d.wake_at <= now() OR (d.state = 'scheduled' AND d.wake_at <= d.due_at) THEN d.wake_at
        ELSE greatest(CASE WHEN d.state = 'scheduled' THEN d.due_at END, now() + least(d.wake_at - d.updated_at, interval '31 days')) END,
      updated_at = now()
    WHERE d.id = ANY (ARRAY(
      -- By user, since the index is: a look finds nothing at once where nothing lies in the future.
      SELECT o.id FROM psn.users u JOIN psn.deliveries o ON o.user_id = u.id
      WHERE o.updated_at > clock_timestamp() + interval '10 seconds' AND o.state IN ('scheduled', 'claimed', 'sending', 'pending', 'unconfirmed')
      FOR NO KEY UPDATE OF o SKIP LOCKED))
    RETURNING d.id
  ), accounts AS (
    UPDATE psn.accounts a SET paused_until = now() + least(a.paused_until - a.updated_at, interval '31 days'), updated_at = now()
    WHERE a.id = ANY (ARRAY(
      SELECT o.id FROM psn.accounts o WHERE o.paused_until > now() AND o.updated_at > clock_timestamp() + interval '10 seconds'
      FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING a.id
  )
  SELECT EXISTS (SELECT FROM deliveries) OR EXISTS (SELECT FROM accounts)
$$;

REVOKE ALL ON FUNCTION psn.after_step_back() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.after_step_back() TO psn_service;
ALTER FUNCTION psn.after_step_back() OWNER TO psn_definer;
