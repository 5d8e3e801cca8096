-- What a recovery has found out of a delivery: its state, the refs of its units that are out (`refs`: position and
-- ref), and why. False where the fence is another one by now. A removal goes on: its user has asked for it, and asking
-- twice is harmless.
CREATE OR REPLACE FUNCTION psn.recover(delivery uuid, fence bigint, state text, refs jsonb, why text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  mine psn.deliveries;
BEGIN
  UPDATE psn.deliveries d SET
    state = CASE WHEN d.operation = 'remove' AND EXISTS (SELECT FROM psn.delivery_units u
      WHERE u.delivery_id = d.id AND u.state = 'sending') THEN 'sending' ELSE recover.state END,
    code = CASE WHEN recover.state = 'unconfirmed' THEN 'UNCONFIRMED' END,
    message = CASE WHEN recover.state = 'unconfirmed' THEN why END,
    published_at = CASE WHEN recover.state = 'published' THEN now() ELSE d.published_at END,
    wake_at = CASE WHEN recover.state = 'scheduled' THEN greatest(d.due_at, now()) ELSE d.wake_at END,
    worker = NULL, fence = d.fence + 1, lease_until = CASE d.operation WHEN 'remove' THEN now() END, updated_at = now()
  WHERE d.id = delivery AND d.user_id = (SELECT psn.current_user_id()) AND d.fence = recover.fence
    AND d.state NOT IN ('published', 'cancelled', 'failed', 'removed')
    AND recover.state IN ('scheduled', 'published', 'unconfirmed')
    AND (d.operation = 'publish' OR recover.state = 'scheduled')
  RETURNING d.* INTO mine;
  IF mine.id IS NULL THEN RETURN false; END IF;
  IF mine.operation = 'remove' THEN
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
    VALUES (delivery, mine.user_id, 'recovered: ' || mine.state, mine.attempt, why, 'user');
    RETURN true;
  END IF;
  UPDATE psn.delivery_units u SET state = 'published', handle = NULL,
    ref_id = f.ref ->> 'id', ref_url = f.ref ->> 'url', ref_revision = f.ref ->> 'revision',
    published_at = now(), sent_at = coalesce(u.sent_at, now())
  FROM jsonb_to_recordset(refs) AS f(position smallint, ref jsonb)
  WHERE u.delivery_id = delivery AND u.position = f.position;
  -- Of the rest, either each may be out, and a person is asked for one after the other; or it begins anew, since what
  -- was uploaded may have been dropped by the platform meanwhile.
  IF recover.state = 'unconfirmed' THEN
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now()), handle = NULL
    WHERE u.delivery_id = delivery AND u.state <> 'published';
  ELSE
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    WHERE u.delivery_id = delivery AND u.state <> 'published';
  END IF;
  INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
  VALUES (delivery, mine.user_id, 'recovered: ' || recover.state, mine.attempt, why, 'user');
  RETURN true;
END $$;

REVOKE ALL ON FUNCTION psn.recover(uuid, bigint, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.recover(uuid, bigint, text, jsonb, text) TO psn_runtime;
ALTER FUNCTION psn.recover(uuid, bigint, text, jsonb, text) OWNER TO psn_definer;
