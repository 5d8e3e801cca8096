-- Writes what became of claimed deliveries, each if its fence still holds, with its line of history. Returns those that
-- were written.
CREATE OR REPLACE FUNCTION psn.settle(changes jsonb) RETURNS TABLE (delivery_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
BEGIN
  RETURN QUERY
  WITH c AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(changes) AS r(id uuid, fence bigint, state text, "wakeInMs" double precision,
      "leaseMs" double precision, code text, message text, event text, note text, actor text, unit jsonb, next jsonb,
      account jsonb, attempt integer)
  ),
  d AS (
    UPDATE psn.deliveries d SET
      state = c.state, updated_at = now(),
      -- A renewal says nothing new.
      code = CASE WHEN c.event IS NULL AND c.unit IS NULL THEN d.code ELSE c.code END,
      message = CASE WHEN c.event IS NULL AND c.unit IS NULL THEN d.message ELSE c.message END,
      wake_at = CASE WHEN c."wakeInMs" IS NULL THEN d.wake_at
        ELSE now() + least(greatest(c."wakeInMs", 0), 2678400000) * interval '1 millisecond' END,
      lease_until = now() + least(greatest(c."leaseMs", 0), 2678400000) * interval '1 millisecond',
      -- An answer that is missing is waited for by nobody: the lease only says when to ask again.
      worker = CASE WHEN c.state = 'sending' AND c.code IS NOT NULL THEN NULL ELSE d.worker END,
      published_at = CASE WHEN c.state = 'published' AND d.operation = 'publish' THEN now() ELSE d.published_at END,
      -- What its platform does not remove is a post that is out, as before.
      operation = CASE WHEN c.state = 'published' THEN 'publish' ELSE d.operation END,
      -- Counted anew, and never further than it is.
      attempt = CASE WHEN c.attempt IS NULL THEN d.attempt ELSE least(d.attempt, greatest(c.attempt, 1)) END
    FROM c WHERE d.id = c.id AND d.fence = c.fence AND d.user_id = (SELECT psn.current_user_id())
      -- The account may have been disconnected while the answer was on its way.
      AND (d.state IN ('claimed', 'sending', 'pending')
        OR (d.state = 'unconfirmed' AND c.state IN ('published', 'failed', 'removed')))
      -- What may have been sent never counts as unsent again, but for the next unit of a thread.
      AND NOT (d.state = 'sending' AND c.state = 'claimed' AND coalesce(c.unit ->> 'state', '') <> 'published')
      -- An earlier try of a write may arrive late, under the same claim: what it speaks of is over by then.
      AND NOT EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = d.id
        AND u.state = CASE d.operation WHEN 'remove' THEN 'removed' ELSE 'published' END
        AND (u.position = (c.next ->> 'position')::smallint OR (u.position = (c.unit ->> 'position')::smallint
          AND (c.unit ->> 'state' <> u.state OR (d.state = 'sending' AND c.state = 'claimed')))))
    RETURNING d.id, d.user_id, d.account_id, d.attempt, d.operation, c.unit, c.next, c.account, c.event, c.note,
      c.code, c.actor
  ),
  this_unit AS (
    UPDATE psn.delivery_units u SET
      state = d.unit ->> 'state',
      prepared = CASE WHEN d.unit ? 'prepared' THEN nullif(d.unit -> 'prepared', 'null') ELSE u.prepared END,
      handle = CASE WHEN d.unit ? 'handle' THEN nullif(d.unit -> 'handle', 'null') ELSE u.handle END,
      sent_at = CASE WHEN d.unit ->> 'state' = 'waiting' THEN NULL
        WHEN d.unit ->> 'state' = 'sending' THEN coalesce(u.sent_at, now()) ELSE u.sent_at END,
      -- A unit that its platform keeps was not asked for; what is asked for is first asked for once.
      asked_at = CASE d.unit ->> 'state' WHEN 'published' THEN NULL WHEN 'sending' THEN coalesce(u.asked_at,
        CASE WHEN u.ref_id IS NOT NULL THEN now() END) ELSE u.asked_at END,
      removed_at = CASE d.unit ->> 'state' WHEN 'removed' THEN now() ELSE u.removed_at END,
      ref_id = coalesce(d.unit -> 'ref' ->> 'id', u.ref_id),
      ref_url = coalesce(d.unit -> 'ref' ->> 'url', u.ref_url),
      ref_revision = coalesce(d.unit -> 'ref' ->> 'revision', u.ref_revision),
      published_at = CASE WHEN d.unit ->> 'state' = 'published' THEN coalesce(u.published_at, now())
        ELSE u.published_at END
    FROM d WHERE u.delivery_id = d.id AND u.position = (d.unit ->> 'position')::smallint
  ),
  next_unit AS (
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now()),
      asked_at = CASE d.operation WHEN 'remove' THEN coalesce(u.asked_at, now()) END
    FROM d WHERE u.delivery_id = d.id AND u.position = (d.next ->> 'position')::smallint
  ),
  account AS (
    UPDATE psn.accounts a SET
      -- An account that was disconnected meanwhile stays so.
      health = CASE a.health WHEN 'ok' THEN coalesce(d.account ->> 'health', a.health) ELSE a.health END,
      health_reason = CASE a.health WHEN 'ok' THEN coalesce(d.account ->> 'reason', a.health_reason)
        ELSE a.health_reason END,
      paused_until = CASE WHEN d.account ? 'pausedForMs'
        THEN greatest(a.paused_until, now()
          + least(greatest((d.account ->> 'pausedForMs')::double precision, 0), 2678400000) * interval '1 millisecond')
        ELSE a.paused_until END,
      updated_at = now()
    FROM d WHERE a.id = d.account_id AND d.account <> 'null'
  ),
  noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, unit, code, note, actor)
    SELECT d.id, d.user_id, d.event, d.attempt, (d.unit ->> 'position')::smallint, d.code, d.note, d.actor
    FROM d WHERE d.event IS NOT NULL
  )
  SELECT d.id FROM d;
END $$;

REVOKE ALL ON FUNCTION psn.settle(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.settle(jsonb) TO psn_runtime;
ALTER FUNCTION psn.settle(jsonb) OWNER TO psn_definer;
