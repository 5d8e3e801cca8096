-- What its user says of a delivery whose outcome nobody knows: it is live under this ref, or it is not. False where
-- there is nothing to say, since a worker may be at it: a disconnect does not take its lease away. Of a removal: the
-- unit that was asked for last is still there, and then it stays, or it is gone, and then the others follow.
CREATE OR REPLACE FUNCTION psn.resolve(delivery uuid, live boolean, ref_id text, ref_url text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  mine psn.deliveries;
  to_come integer;
  asked integer;
  first_open smallint;
  one_more boolean;
  goes_on boolean;
BEGIN
  SELECT d.* INTO mine FROM psn.deliveries d WHERE d.id = delivery AND d.user_id = (SELECT psn.current_user_id())
    FOR NO KEY UPDATE;
  IF mine.id IS NULL OR NOT (mine.worker IS NULL OR mine.lease_until IS NULL OR mine.lease_until <= now()) THEN
    RETURN false;
  END IF;
  IF mine.state <> 'unconfirmed' AND NOT (mine.state IN ('sending', 'pending')
    -- Nobody will ask the platform before its account is connected again.
    AND EXISTS (SELECT FROM psn.accounts a WHERE a.id = mine.account_id AND a.health <> 'ok')) THEN
    RETURN false;
  END IF;
  IF mine.operation = 'remove' THEN
    UPDATE psn.delivery_units u SET state = CASE WHEN live THEN 'published' ELSE 'removed' END, asked_at = NULL,
      removed_at = CASE WHEN NOT live THEN now() END
    WHERE u.delivery_id = delivery AND u.state = 'sending';
    goes_on := EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = delivery AND u.state = 'published');
    UPDATE psn.deliveries d SET
      state = CASE WHEN live THEN 'published' WHEN goes_on THEN 'scheduled' ELSE 'removed' END,
      operation = CASE WHEN live THEN 'publish' ELSE 'remove' END, wake_at = now(), code = NULL, message = NULL,
      fence = d.fence + 1, lease_until = NULL, updated_at = now() WHERE d.id = delivery;
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, actor)
    VALUES (delivery, mine.user_id, CASE WHEN live THEN 'resolved: live' ELSE 'resolved: not live' END, mine.attempt,
      'user');
    RETURN true;
  END IF;
  SELECT count(*) FILTER (WHERE u.state <> 'published'), count(*) FILTER (WHERE u.state = 'sending'),
    min(u.position) FILTER (WHERE u.state <> 'published')
    INTO to_come, asked, first_open FROM psn.delivery_units u WHERE u.delivery_id = delivery;
  -- After a recovery each of a thread's units may be out: then the next is asked for. A thread whose other units are to
  -- come goes on.
  one_more := live AND asked > 1;
  goes_on := to_come > live::integer;
  UPDATE psn.deliveries d SET
    state = CASE WHEN one_more THEN 'unconfirmed' WHEN goes_on THEN 'scheduled' ELSE 'published' END,
    published_at = CASE WHEN goes_on THEN NULL ELSE now() END, wake_at = now(), late = 'publish',
    code = CASE WHEN one_more THEN d.code END, message = CASE WHEN one_more THEN d.message END,
    fence = d.fence + 1, lease_until = NULL, updated_at = now() WHERE d.id = delivery;
  IF live THEN
    UPDATE psn.delivery_units u SET state = 'published', ref_id = resolve.ref_id, ref_url = resolve.ref_url,
      published_at = now()
    WHERE u.delivery_id = delivery AND u.position = first_open;
  ELSE
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    WHERE u.delivery_id = delivery AND u.state <> 'published';
  END IF;
  INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
  VALUES (delivery, mine.user_id, CASE WHEN live THEN 'resolved: live' ELSE 'resolved: not live' END, mine.attempt,
    CASE WHEN live THEN resolve.ref_url END, 'user');
  RETURN true;
END $$;

REVOKE ALL ON FUNCTION psn.resolve(uuid, boolean, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.resolve(uuid, boolean, text, text) TO psn_runtime;
ALTER FUNCTION psn.resolve(uuid, boolean, text, text) OWNER TO psn_definer;
