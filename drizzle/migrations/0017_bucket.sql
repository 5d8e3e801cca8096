-- What is wrong with the hub does not end a post (note_trouble, mend_trouble), a worker says which settings it has, and nothing stays behind in
-- the bucket.
ALTER TABLE "psn"."media" DROP CONSTRAINT "media_sizes";--> statement-breakpoint
ALTER TABLE "psn"."users" DROP CONSTRAINT "users_sizes";--> statement-breakpoint
ALTER TABLE "psn"."media" ADD COLUMN "bucket" text;--> statement-breakpoint
ALTER TABLE "psn"."users" ADD COLUMN "troubles" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "psn"."workers" ADD COLUMN "settings" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "psn"."media" ADD CONSTRAINT "media_sizes" CHECK (greatest(octet_length(kind), octet_length(mime), octet_length(sha256), octet_length(alt), octet_length(object_key), octet_length(bucket)) <= 65536);--> statement-breakpoint
ALTER TABLE "psn"."users" ADD CONSTRAINT "users_sizes" CHECK (greatest(octet_length(handle), octet_length(time_zone), pg_column_size(troubles)) <= 65536);
--> statement-breakpoint
-- A post that failed, or that nobody can tell of, keeps its files no longer than one that is out; and from a copy of a hub nothing is
-- taken out of the bucket, which it shares with its original.
CREATE OR REPLACE FUNCTION psn.spent_media(age double precision, most integer)
RETURNS TABLE (media_id uuid, user_id uuid, object_key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT m.id, m.user_id, m.object_key FROM psn.media m
  WHERE (m.content IS NOT NULL OR m.object_key IS NOT NULL) AND NOT psn.has_parted()
    AND EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id)
    AND NOT EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id
      AND NOT (d.state IN ('published', 'cancelled', 'failed', 'unconfirmed') AND d.updated_at <= now() - age * interval '1 millisecond'))
  ORDER BY row_number() OVER (PARTITION BY m.user_id) LIMIT most
$$;
--> statement-breakpoint
-- Whose folders of the bucket this hub keeps in order; none where the hub is a copy.
CREATE FUNCTION psn.hub_users() RETURNS TABLE (user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT u.id FROM psn.users u WHERE NOT psn.has_parted() ORDER BY u.id
$$;
--> statement-breakpoint
-- Which of these names of objects no row has.
CREATE FUNCTION psn.unnamed_objects(names text[]) RETURNS TABLE (object_key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT n.name FROM unnest(names) AS n (name)
  WHERE NOT psn.has_parted() AND NOT EXISTS (SELECT FROM psn.media m WHERE m.object_key = n.name)
$$;
--> statement-breakpoint
-- Notes what is wrong with the hub; true for whoever is the first to say it, and tells the user.
CREATE FUNCTION psn.note_trouble(said text) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH noted AS (
    UPDATE psn.users u SET troubles = (array_prepend(said, u.troubles))[1:20]
    WHERE u.id = (SELECT psn.current_user_id()) AND NOT said = ANY (u.troubles) RETURNING u.id
  )
  SELECT EXISTS (SELECT FROM noted)
$$;
--> statement-breakpoint
-- It is mended: forgets it, and lets what waited for it go on at once. Returns how many that are.
CREATE FUNCTION psn.mend_trouble(said text, because text) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH forgotten AS (
    UPDATE psn.users u SET troubles = array_remove(u.troubles, said)
    WHERE u.id = (SELECT psn.current_user_id()) AND said = ANY (u.troubles)
  ), woken AS (
    UPDATE psn.deliveries d SET wake_at = now()
    WHERE d.user_id = (SELECT psn.current_user_id()) AND d.state = 'scheduled' AND d.code = because AND d.wake_at > now() AND d.due_at <= now()
    RETURNING d.id
  )
  SELECT count(*)::integer FROM woken
$$;
--> statement-breakpoint
-- What waits, over all users, because of something that the settings say, and may go on now that they say something else.
CREATE FUNCTION psn.wake_troubled(codes text[]) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH woken AS (
    UPDATE psn.deliveries d SET wake_at = now()
    WHERE d.id = ANY (ARRAY(SELECT o.id FROM psn.deliveries o
      WHERE o.state = 'scheduled' AND o.code = ANY (codes) AND o.wake_at > now() AND o.due_at <= now() AND NOT psn.has_parted()
      -- What somebody is writing goes on by itself, only later: one user's lock must not keep the others waiting.
      FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING d.id
  )
  SELECT count(*)::integer FROM woken
$$;
--> statement-breakpoint
-- Forgets what nothing waits for any more, so that it is told again when it comes back. Returns of how many users.
CREATE FUNCTION psn.forget_troubles() RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH kept AS (
    SELECT u.id, ARRAY(SELECT t.said FROM unnest(u.troubles) WITH ORDINALITY AS t (said, nth) WHERE EXISTS (SELECT FROM psn.deliveries d
      WHERE d.user_id = u.id AND d.state NOT IN ('published', 'failed', 'unconfirmed', 'cancelled', 'held')
        AND d.code = split_part(t.said, ':', 1)) ORDER BY t.nth) AS troubles
    FROM psn.users u WHERE u.troubles <> '{}' FOR NO KEY UPDATE SKIP LOCKED
  ), forgotten AS (
    UPDATE psn.users u SET troubles = k.troubles FROM kept k WHERE u.id = k.id AND u.troubles <> k.troubles RETURNING u.id
  )
  SELECT count(*)::integer FROM forgotten
$$;
--> statement-breakpoint
-- As before, and a change may count a delivery's attempts anew: those that psn's own trouble has used up do not count against its platform.
CREATE OR REPLACE FUNCTION psn.settle(changes jsonb) RETURNS TABLE (delivery_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
BEGIN
  RETURN QUERY
  WITH c AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(changes) AS r(id uuid, fence bigint, state text, "wakeInMs" double precision, "leaseMs" double precision,
      code text, message text, event text, note text, actor text, unit jsonb, next jsonb, account jsonb, attempt integer)
  ),
  d AS (
    UPDATE psn.deliveries d SET
      state = c.state, updated_at = now(),
      -- A renewal says nothing new.
      code = CASE WHEN c.event IS NULL AND c.unit IS NULL THEN d.code ELSE c.code END,
      message = CASE WHEN c.event IS NULL AND c.unit IS NULL THEN d.message ELSE c.message END,
      wake_at = CASE WHEN c."wakeInMs" IS NULL THEN d.wake_at ELSE now() + least(greatest(c."wakeInMs", 0), 2678400000) * interval '1 millisecond' END,
      lease_until = now() + least(greatest(c."leaseMs", 0), 2678400000) * interval '1 millisecond',
      -- An answer that is missing is waited for by nobody: the lease only says when to ask again.
      worker = CASE WHEN c.state = 'sending' AND c.code IS NOT NULL THEN NULL ELSE d.worker END,
      published_at = CASE WHEN c.state = 'published' THEN now() ELSE d.published_at END,
      -- Counted anew, and never further than it is.
      attempt = CASE WHEN c.attempt IS NULL THEN d.attempt ELSE least(d.attempt, greatest(c.attempt, 1)) END
    FROM c WHERE d.id = c.id AND d.fence = c.fence AND d.user_id = (SELECT psn.current_user_id())
      -- The account may have been disconnected while the answer was on its way.
      AND (d.state IN ('claimed', 'sending', 'pending') OR (d.state = 'unconfirmed' AND c.state IN ('published', 'failed')))
      -- What may have been sent never counts as unsent again, but for the next unit of a thread.
      AND NOT (d.state = 'sending' AND c.state = 'claimed' AND coalesce(c.unit ->> 'state', '') <> 'published')
      -- An earlier try of a write may arrive late, under the same claim: what it speaks of is over by then.
      AND NOT EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = d.id AND u.state = 'published'
        AND (u.position = (c.next ->> 'position')::smallint OR (u.position = (c.unit ->> 'position')::smallint
          AND (c.unit ->> 'state' <> 'published' OR (d.state = 'sending' AND c.state = 'claimed')))))
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
      -- An account that was disconnected meanwhile stays so.
      health = CASE a.health WHEN 'ok' THEN coalesce(d.account ->> 'health', a.health) ELSE a.health END,
      health_reason = CASE a.health WHEN 'ok' THEN coalesce(d.account ->> 'reason', a.health_reason) ELSE a.health_reason END,
      paused_until = CASE WHEN d.account ? 'pausedForMs'
        THEN greatest(a.paused_until, now() + least(greatest((d.account ->> 'pausedForMs')::double precision, 0), 2678400000) * interval '1 millisecond') ELSE a.paused_until END,
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
GRANT UPDATE (troubles) ON psn.users TO psn_definer;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
DO $$
DECLARE
  made regprocedure;
BEGIN
  FOREACH made IN ARRAY ARRAY['psn.hub_users()', 'psn.unnamed_objects(text[])', 'psn.note_trouble(text)', 'psn.mend_trouble(text, text)',
    'psn.forget_troubles()',
    'psn.wake_troubled(text[])']::regprocedure[] LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO psn_service', made);
    EXECUTE format('ALTER FUNCTION %s OWNER TO psn_definer', made);
  END LOOP;
END $$;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
