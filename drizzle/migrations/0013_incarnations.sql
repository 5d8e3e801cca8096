CREATE TABLE "psn"."incarnation" (
	"id" uuid PRIMARY KEY NOT NULL,
	"one" boolean DEFAULT true NOT NULL,
	"past" uuid[] DEFAULT '{}' NOT NULL,
	"identity" jsonb NOT NULL,
	"seen" bigint DEFAULT 0 NOT NULL,
	"parted_at" timestamp with time zone,
	"reason" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "incarnation_one" UNIQUE("one"),
	CONSTRAINT "incarnation_is_one" CHECK (one)
);
--> statement-breakpoint
ALTER TABLE "psn"."incarnation" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY "incarnation_definer" ON "psn"."incarnation" AS PERMISSIVE FOR ALL TO "psn_definer" USING (true) WITH CHECK (true);--> statement-breakpoint
ALTER TABLE psn.incarnation FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON psn.incarnation TO psn_definer;
--> statement-breakpoint
-- What tells this database from another one that holds the same rows: the server's own identifier and the line of its history,
-- the database and the table as the server numbers them, and Neon's branch. What the login may not ask is left out.
CREATE FUNCTION psn.database_identity() RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  identity jsonb := jsonb_build_object('database', (SELECT d.oid::text FROM pg_catalog.pg_database d WHERE d.datname = current_database()),
    'table', 'psn.deliveries'::regclass::oid::text, 'branch', current_setting('neon.timeline_id', true));
BEGIN
  BEGIN
    identity := identity || jsonb_build_object('system', (SELECT s.system_identifier::text FROM pg_catalog.pg_control_system() s));
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  BEGIN
    identity := identity || jsonb_build_object('history', left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8));
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  RETURN jsonb_strip_nulls(identity);
END $$;
--> statement-breakpoint
-- Whether nothing may be published from here before its user has said so: it was found to be a copy, or it is plainly another
-- database than it was. Asked with every claim, so only what costs nothing is compared. What only one of both sides knows says nothing.
CREATE FUNCTION psn.has_parted() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT coalesce((SELECT i.parted_at IS NOT NULL OR i.identity ->> 'table' <> 'psn.deliveries'::regclass::oid::text
      OR i.identity ->> 'database' <> (SELECT d.oid::text FROM pg_catalog.pg_database d WHERE d.datname = current_database())
      OR i.identity ->> 'branch' <> current_setting('neon.timeline_id', true)
    FROM psn.incarnation i WHERE i.one), false)
$$;
--> statement-breakpoint
-- The incarnation, if there is one, and one more sight of it: `seen` grows, and whoever is told it knows that everything before
-- it is committed. A row that somebody is writing just now is not waited for, and then `counted` is false.
CREATE FUNCTION psn.see_incarnation() RETURNS TABLE (id uuid, past uuid[], seen bigint, counted boolean, parted_at timestamptz, reason text, elsewhere boolean,
  used boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  mine boolean;
BEGIN
  PERFORM FROM psn.incarnation i FOR UPDATE SKIP LOCKED;
  mine := FOUND;
  IF mine THEN UPDATE psn.incarnation i SET seen = i.seen + 1; END IF;
  RETURN QUERY SELECT i.id, i.past, i.seen, mine, i.parted_at, i.reason, EXISTS (
      SELECT FROM jsonb_each_text(i.identity) a JOIN jsonb_each_text(psn.database_identity()) b ON b.key = a.key WHERE b.value <> a.value),
    EXISTS (SELECT FROM psn.deliveries)
    FROM (SELECT true) always LEFT JOIN psn.incarnation i ON true;
END $$;
--> statement-breakpoint
-- Makes this database a new incarnation: the first, if `instead` is null and there is none, or the one after `instead`. Returns the
-- one that holds now.
CREATE FUNCTION psn.incarnate(next uuid, instead uuid) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF instead IS NULL THEN
    INSERT INTO psn.incarnation (id, identity) VALUES (next, psn.database_identity()) ON CONFLICT DO NOTHING;
  ELSE
    UPDATE psn.incarnation i SET id = next, past = i.past || i.id, identity = psn.database_identity(), seen = i.seen + 1,
      parted_at = NULL, reason = NULL, created_at = now() WHERE i.id = instead;
  END IF;
  RETURN (SELECT i.id FROM psn.incarnation i);
END $$;
--> statement-breakpoint
-- Holds everything that is still to come, over all users, until its user has said what is so. `first` becomes the incarnation where
-- there is none yet.
CREATE FUNCTION psn.part(why text, code text, message text, first uuid) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  held integer;
BEGIN
  INSERT INTO psn.incarnation (id, identity) VALUES (first, psn.database_identity()) ON CONFLICT DO NOTHING;
  UPDATE psn.incarnation i SET parted_at = coalesce(i.parted_at, now()), reason = coalesce(i.reason, why);
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'held', code = part.code, message = part.message, fence = d.fence + 1, lease_until = NULL, worker = NULL,
      updated_at = now() WHERE d.state IN ('scheduled', 'claimed') RETURNING d.id, d.user_id, d.attempt
  ), noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, code, note, actor)
    SELECT c.id, c.user_id, 'held', c.attempt, part.code, part.message, 'psn' FROM changed c
  )
  SELECT count(*)::integer INTO held FROM changed;
  RETURN held;
END $$;
--> statement-breakpoint
-- As before, and nothing is taken while the database is not the one it was.
CREATE OR REPLACE FUNCTION psn.claim_due(worker text, most integer, lease integer, concurrency jsonb, chosen uuid[], busy uuid[])
RETURNS TABLE (delivery_id uuid, user_id uuid, fence bigint, purpose text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
DECLARE
  mine uuid[];
  ids uuid[];
BEGIN
  IF psn.has_parted() THEN RETURN; END IF;
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
          WHERE f.account_id = a.id AND f.state IN ('claimed', 'sending') AND f.worker IS NOT NULL
            AND (f.lease_until > now() OR f.id = ANY (busy))), 0) AS n
        FROM psn.accounts a WHERE a.id = ANY (mine)
      ) room CROSS JOIN LATERAL (
        (SELECT d.id, d.wake_at AS since FROM psn.deliveries d
          WHERE d.account_id = room.id AND d.state = 'scheduled' AND d.wake_at <= now() AND d.id <> ALL (busy) ORDER BY d.wake_at LIMIT room.n)
        UNION ALL
        (SELECT d.id, d.lease_until FROM psn.deliveries d
          WHERE d.account_id = room.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now() AND d.id <> ALL (busy) ORDER BY d.lease_until LIMIT room.n)
        UNION ALL
        (SELECT d.id, d.wake_at FROM psn.deliveries d
          WHERE d.account_id = room.id AND d.state = 'pending' AND d.wake_at <= now() AND d.id <> ALL (busy) ORDER BY d.wake_at LIMIT room.n)
        ORDER BY since LIMIT room.n
      ) c ORDER BY c.since LIMIT most
    ) due;
  ELSE
    SELECT array_agg(due.id) INTO ids FROM (
      SELECT d.id FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
      WHERE d.id = ANY (chosen) AND d.id <> ALL (busy) AND concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      ORDER BY d.wake_at LIMIT most
    ) due;
  END IF;

  RETURN QUERY
  WITH due AS MATERIALIZED (
    SELECT d.id, d.state, d.fence,
      coalesce((SELECT t.expires_at > now() + interval '30 seconds' OR (t.refresh_token IS NULL AND t.secret IS NULL)
        FROM psn.oauth_tokens t WHERE t.account_id = d.account_id), true) AS fresh
    FROM psn.deliveries d WHERE d.id = ANY (ids)
  ),
  next AS (
    SELECT DISTINCT ON (u.delivery_id) u.delivery_id, u.id,
      due.fresh AND (u.prepared IS NOT NULL OR NOT (u.needs_prepare OR cardinality(u.media) > 0)) AS ready
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
--> statement-breakpoint
CREATE OR REPLACE FUNCTION psn.next_wake(concurrency jsonb, chosen uuid[]) RETURNS double precision
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
DECLARE
  at timestamptz;
BEGIN
  IF psn.has_parted() THEN RETURN NULL; END IF;
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
CREATE OR REPLACE FUNCTION psn.wake_ups(concurrency jsonb, ahead double precision, most integer)
RETURNS TABLE (delivery_id uuid, user_id uuid, account_id uuid, platform text, fence bigint, state text, at_ms double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
  SELECT w.id, w.user_id, a.id, a.platform, w.fence, w.state, extract(epoch FROM greatest(w.at, a.paused_until)) * 1000
  FROM psn.accounts a CROSS JOIN LATERAL (
    SELECT d.id, d.user_id, d.fence, d.state, d.wake_at AS at FROM psn.deliveries d
      WHERE d.account_id = a.id AND d.state = 'scheduled' AND d.wake_at <= now() + ahead * interval '1 millisecond'
    UNION ALL
    SELECT d.id, d.user_id, d.fence, d.state, d.wake_at FROM psn.deliveries d
      WHERE d.account_id = a.id AND d.state = 'pending' AND d.wake_at <= now() + ahead * interval '1 millisecond'
    UNION ALL
    SELECT d.id, d.user_id, d.fence, d.state, d.lease_until FROM psn.deliveries d
      WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now() + ahead * interval '1 millisecond'
  ) w
  WHERE NOT (SELECT psn.has_parted()) AND concurrency ? a.platform AND a.health = 'ok'
    AND (a.paused_until IS NULL OR a.paused_until <= now() + ahead * interval '1 millisecond')
  ORDER BY greatest(w.at, a.paused_until) LIMIT most
$$;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.database_identity() OWNER TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.has_parted() OWNER TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.see_incarnation() OWNER TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.incarnate(uuid, uuid) OWNER TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.part(text, text, text, uuid) OWNER TO psn_definer;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.database_identity(), psn.has_parted(), psn.see_incarnation(), psn.incarnate(uuid, uuid), psn.part(text, text, text, uuid) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.see_incarnation(), psn.incarnate(uuid, uuid), psn.part(text, text, text, uuid) TO psn_service;
