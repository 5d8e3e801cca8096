-- What drizzle-kit does not write: FORCE, grants, and the functions of the delivery engine.
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = 'psn' AND c.relkind = 'r' AND c.relrowsecurity LOOP
    EXECUTE format('ALTER TABLE psn.%I FORCE ROW LEVEL SECURITY', name);
  END LOOP;
END $$;
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON psn.accounts, psn.oauth_tokens, psn.api_keys, psn.posts, psn.media, psn.deliveries,
  psn.delivery_units, psn.slots TO psn_runtime;
--> statement-breakpoint
-- History is written and read, never changed.
GRANT SELECT, INSERT ON psn.delivery_events TO psn_runtime;
--> statement-breakpoint
-- Nobody who runs the program can change whose login a user is.
GRANT SELECT ON psn.users TO psn_runtime;
--> statement-breakpoint
GRANT UPDATE (handle, time_zone) ON psn.users TO psn_runtime;
--> statement-breakpoint
GRANT SELECT, INSERT ON psn.users TO psn_definer;
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON psn.workers TO psn_service;
--> statement-breakpoint
GRANT SELECT ON psn.accounts, psn.deliveries, psn.delivery_units TO psn_definer;
--> statement-breakpoint
GRANT UPDATE ON psn.deliveries, psn.delivery_units TO psn_definer;
--> statement-breakpoint
GRANT INSERT ON psn.delivery_events TO psn_definer;
--> statement-breakpoint
-- Takes up to `most` deliveries that need a worker now, for `lease` milliseconds, and says who owns them and what for:
--   publish: it is due, or a worker died before anything was sent.
--   settle:  a worker died or got no answer after the bytes left; only the platform knows.
--   poll:    the platform was still processing.
-- `concurrency` maps each platform this worker knows to the most it may have in flight for one account. `chosen` limits
-- the claim to these deliveries. A unit that needs no preparing goes to `sending` right here, so that a text costs two
-- writes: this one and its settle.
CREATE FUNCTION psn.claim_due(worker text, most integer, lease integer, concurrency jsonb, chosen uuid[])
RETURNS TABLE (delivery_id uuid, user_id uuid, fence bigint, purpose text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  mine uuid[];
  ids uuid[];
BEGIN
  IF chosen IS NULL THEN
    -- One claim at a time for an account: the count of what is in flight must be true. Who comes second looks again later.
    SELECT array_agg(a.id) INTO mine FROM psn.accounts a
    WHERE concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
      AND (EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'scheduled' AND d.wake_at <= now())
        OR EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'pending' AND d.wake_at <= now())
        OR EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      AND pg_try_advisory_xact_lock(1886612992, hashtext(a.id::text));
    IF mine IS NULL THEN RETURN; END IF;
    -- Account by account, so that the backlog of one never hides what another has due.
    SELECT array_agg(due.id) INTO ids FROM (
      SELECT c.id FROM (
        SELECT a.id, greatest((concurrency ->> a.platform)::integer - (SELECT count(*) FROM psn.deliveries f
          WHERE f.account_id = a.id AND f.state IN ('claimed', 'sending') AND f.lease_until > now()), 0) AS n
        FROM psn.accounts a WHERE a.id = ANY (mine)
      ) room CROSS JOIN LATERAL (
        (SELECT d.id, d.wake_at AS since FROM psn.deliveries d
          WHERE d.account_id = room.id AND d.state = 'scheduled' AND d.wake_at <= now() ORDER BY d.wake_at LIMIT room.n)
        UNION ALL
        (SELECT d.id, d.lease_until FROM psn.deliveries d
          WHERE d.account_id = room.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now() ORDER BY d.lease_until LIMIT room.n)
        UNION ALL
        (SELECT d.id, d.wake_at FROM psn.deliveries d
          WHERE d.account_id = room.id AND d.state = 'pending' AND d.wake_at <= now() ORDER BY d.wake_at LIMIT room.n)
        ORDER BY since LIMIT room.n
      ) c ORDER BY c.since LIMIT most
    ) due;
  ELSE
    SELECT array_agg(due.id) INTO ids FROM (
      SELECT d.id FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
      WHERE d.id = ANY (chosen) AND concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      ORDER BY d.wake_at LIMIT most
    ) due;
  END IF;

  RETURN QUERY
  WITH due AS MATERIALIZED (SELECT d.id, d.state, d.fence FROM psn.deliveries d WHERE d.id = ANY (ids)),
  next AS (
    SELECT DISTINCT ON (u.delivery_id) u.delivery_id, u.id, NOT (u.needs_prepare AND u.prepared IS NULL) AS ready
    FROM psn.delivery_units u JOIN due ON due.id = u.delivery_id
    WHERE u.state <> 'published' AND due.state IN ('scheduled', 'claimed') ORDER BY u.delivery_id, u.position
  ),
  taken AS (
    UPDATE psn.deliveries d SET
      state = CASE WHEN d.state IN ('scheduled', 'claimed') THEN CASE WHEN next.ready THEN 'sending' ELSE 'claimed' END ELSE d.state END,
      attempt = d.attempt + CASE WHEN d.state IN ('scheduled', 'claimed') THEN 1 ELSE 0 END,
      fence = d.fence + 1, lease_until = now() + lease * interval '1 millisecond',
      -- A poll leaves the row pending; its next look is set by the settle, and until then by the lease.
      wake_at = CASE WHEN d.state = 'pending' THEN now() + lease * interval '1 millisecond' ELSE d.wake_at END,
      worker = claim_due.worker, updated_at = now()
    FROM due LEFT JOIN next ON next.delivery_id = due.id
    -- Between the look and this write somebody else may have claimed, moved or cancelled it: each of them raises the fence.
    WHERE d.id = due.id AND d.state = due.state AND d.fence = due.fence
      AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
    RETURNING d.id, d.user_id, d.fence, d.state, d.attempt, due.state AS was
  ),
  opened AS (
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now())
    FROM next JOIN taken ON taken.id = next.delivery_id
    WHERE u.id = next.id AND next.ready AND taken.was IN ('scheduled', 'claimed')
  ),
  noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, actor)
    SELECT t.id, t.user_id, CASE t.was WHEN 'sending' THEN 'settling' WHEN 'pending' THEN 'polling' ELSE t.state END, t.attempt, claim_due.worker
    FROM taken t
  )
  SELECT t.id, t.user_id, t.fence, CASE t.was WHEN 'sending' THEN 'settle' WHEN 'pending' THEN 'poll' ELSE 'publish' END FROM taken t;
END $$;
--> statement-breakpoint
-- Milliseconds until a worker that knows these platforms has something to do; negative when it is overdue, null when nothing
-- waits. `chosen` limits the question to these deliveries.
CREATE FUNCTION psn.next_wake(concurrency jsonb, chosen uuid[]) RETURNS double precision
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  at timestamptz;
BEGIN
  IF chosen IS NULL THEN
    SELECT min(greatest(w.at, a.paused_until)) INTO at
    FROM psn.accounts a CROSS JOIN LATERAL (
      SELECT least(
        (SELECT d.wake_at FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'scheduled' ORDER BY d.wake_at LIMIT 1),
        (SELECT d.wake_at FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'pending' ORDER BY d.wake_at LIMIT 1),
        (SELECT d.lease_until FROM psn.deliveries d WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') ORDER BY d.lease_until LIMIT 1)
      ) AS at
    ) w WHERE concurrency ? a.platform AND a.health = 'ok';
  ELSE
    SELECT min(greatest(CASE WHEN d.state IN ('scheduled', 'pending') THEN d.wake_at ELSE d.lease_until END, a.paused_until)) INTO at
    FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
    WHERE d.id = ANY (chosen) AND d.state IN ('scheduled', 'pending', 'claimed', 'sending') AND concurrency ? a.platform AND a.health = 'ok';
  END IF;
  RETURN extract(epoch FROM at - clock_timestamp()) * 1000;
END $$;
--> statement-breakpoint
-- Writes what became of claimed deliveries, each only if it still carries the fence of its claim; returns those it wrote.
-- One change: {id, fence, state, wakeInMs, leaseMs, code, message, event, note, actor, unit, next, account}; see
-- DeliveryChange in app/ports.ts. Runs as the caller, under the caller's rows.
CREATE FUNCTION psn.settle(changes jsonb) RETURNS TABLE (delivery_id uuid)
LANGUAGE plpgsql VOLATILE SET search_path = '' AS $$
BEGIN
  RETURN QUERY
  WITH c AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(changes) AS r(id uuid, fence bigint, state text, "wakeInMs" double precision, "leaseMs" double precision,
      code text, message text, event text, note text, actor text, unit jsonb, next jsonb, account jsonb)
  ),
  d AS (
    UPDATE psn.deliveries d SET
      state = c.state, code = c.code, message = c.message, updated_at = now(),
      wake_at = CASE WHEN c."wakeInMs" IS NULL THEN d.wake_at ELSE now() + c."wakeInMs" * interval '1 millisecond' END,
      lease_until = now() + c."leaseMs" * interval '1 millisecond',
      published_at = CASE WHEN c.state = 'published' THEN now() ELSE d.published_at END
    FROM c WHERE d.id = c.id AND d.fence = c.fence AND d.state IN ('claimed', 'sending', 'pending')
      -- What may have been sent never counts as unsent again, but for the next unit of a thread.
      AND NOT (d.state = 'sending' AND c.state = 'claimed' AND coalesce(c.unit ->> 'state', '') <> 'published')
    RETURNING d.id, d.user_id, d.account_id, d.attempt, c.unit, c.next, c.account, c.event, c.note, c.code, c.actor
  ),
  this_unit AS (
    UPDATE psn.delivery_units u SET
      state = d.unit ->> 'state',
      prepared = CASE WHEN d.unit ? 'prepared' THEN nullif(d.unit -> 'prepared', 'null') ELSE u.prepared END,
      handle = CASE WHEN d.unit ? 'handle' THEN nullif(d.unit -> 'handle', 'null') ELSE u.handle END,
      sent_at = CASE WHEN d.unit ->> 'state' = 'waiting' THEN NULL WHEN d.unit ->> 'state' = 'sending' THEN coalesce(u.sent_at, now()) ELSE u.sent_at END,
      ref_id = coalesce(d.unit -> 'ref' ->> 'id', u.ref_id), ref_url = coalesce(d.unit -> 'ref' ->> 'url', u.ref_url),
      ref_revision = coalesce(d.unit -> 'ref' ->> 'revision', u.ref_revision),
      published_at = CASE WHEN d.unit ->> 'state' = 'published' THEN now() ELSE u.published_at END
    FROM d WHERE u.delivery_id = d.id AND u.position = (d.unit ->> 'position')::smallint
  ),
  next_unit AS (
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now())
    FROM d WHERE u.delivery_id = d.id AND u.position = (d.next ->> 'position')::smallint
  ),
  account AS (
    UPDATE psn.accounts a SET
      health = coalesce(d.account ->> 'health', a.health), health_reason = coalesce(d.account ->> 'reason', a.health_reason),
      paused_until = CASE WHEN d.account ? 'pausedForMs'
        THEN greatest(a.paused_until, now() + (d.account ->> 'pausedForMs')::double precision * interval '1 millisecond') ELSE a.paused_until END,
      updated_at = now()
    FROM d WHERE a.id = d.account_id AND d.account <> 'null'
  ),
  noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, unit, code, note, actor)
    SELECT d.id, d.user_id, d.event, d.attempt, (d.unit ->> 'position')::smallint, d.code, d.note, d.actor FROM d WHERE d.event IS NOT NULL
  )
  SELECT d.id FROM d;
END $$;
--> statement-breakpoint
-- A user of the hub; only the hub's own login may make one.
CREATE FUNCTION psn.add_user(id uuid, handle text, time_zone text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO psn.users (id, handle, time_zone) VALUES (add_user.id, add_user.handle, add_user.time_zone) ON CONFLICT DO NOTHING;
  RETURN FOUND;
END $$;
--> statement-breakpoint
-- A line of history for each of these deliveries that this very transaction changed. Not by `updated_at = now()`: a clock that
-- counts milliseconds gives two transactions the same instant.
CREATE FUNCTION psn.note(ids uuid[], event text, note text) RETURNS TABLE (delivery_id uuid)
LANGUAGE plpgsql VOLATILE SET search_path = '' AS $$
BEGIN
  RETURN QUERY INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, note, actor)
    SELECT d.id, d.user_id, note.event, d.attempt, note.note, 'user' FROM psn.deliveries d
    WHERE d.id = ANY (ids) AND d.xmin = pg_current_xact_id()::xid RETURNING e.delivery_id;
END $$;
--> statement-breakpoint
-- A sleeping worker is told that something is due, at commit; LISTEN psn_wake.
CREATE FUNCTION psn.wake() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  PERFORM pg_notify('psn_wake', '');
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER deliveries_wake AFTER INSERT OR UPDATE OF state, wake_at ON psn.deliveries
FOR EACH ROW WHEN (NEW.state = 'scheduled') EXECUTE FUNCTION psn.wake();
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[]) OWNER TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.next_wake(jsonb, uuid[]) OWNER TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.add_user(uuid, text, text) OWNER TO psn_definer;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA psn FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.current_user_id(), psn.settle(jsonb), psn.note(uuid[], text, text), psn.wake() TO psn_runtime;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.current_user_id() TO psn_definer;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[]), psn.next_wake(jsonb, uuid[]), psn.add_user(uuid, text, text) TO psn_service;
