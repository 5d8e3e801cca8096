-- What the author wrote is kept (ADR 26): options, targets, how long a video plays; a revision that grows with every edit, where a post comes
-- from, and whether it is ready. When it is due is said in one row, the delivery's. Why a delivery is held is a word of its own.
ALTER TABLE "psn"."deliveries" DROP CONSTRAINT "deliveries_sizes";
--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD COLUMN "wall_time" text;
--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD COLUMN "time_zone" text;
--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD COLUMN "revision" integer DEFAULT 1 NOT NULL;
--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD COLUMN "held_reason" text;
--> statement-breakpoint
ALTER TABLE "psn"."media" ADD COLUMN "duration_ms" integer;
--> statement-breakpoint
ALTER TABLE "psn"."media" ADD COLUMN "frame_rate" double precision;
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD COLUMN "options" jsonb;
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD COLUMN "targets" uuid[] DEFAULT '{}' NOT NULL;
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD COLUMN "state" text DEFAULT 'ready' NOT NULL;
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD COLUMN "revision" integer DEFAULT 1 NOT NULL;
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD COLUMN "origin" text;
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD COLUMN "origin_ref" text;
--> statement-breakpoint
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = 'psn'::regnamespace AND c.relrowsecurity LOOP
    EXECUTE format('ALTER TABLE psn.%I NO FORCE ROW LEVEL SECURITY', name);
  END LOOP;
END $$;
--> statement-breakpoint
-- An older psn kept no options of a post: they stay null, which says so. The targets are the accounts that it has deliveries for.
UPDATE psn.posts p SET targets = ARRAY(SELECT d.account_id FROM psn.deliveries d WHERE d.post_id = p.id ORDER BY d.account_id LIMIT 4000);
--> statement-breakpoint
-- What was moved to another time keeps the zone alone: its post says the wall time of before.
UPDATE psn.deliveries d SET time_zone = left(p.time_zone, 16000), wall_time = CASE WHEN NOT EXISTS (
  SELECT FROM psn.delivery_events e WHERE e.delivery_id = d.id AND e.event = 'moved') THEN left(p.wall_time, 16000) END
FROM psn.posts p WHERE p.id = d.post_id AND (p.time_zone IS NOT NULL OR p.wall_time IS NOT NULL);
--> statement-breakpoint
UPDATE psn.deliveries d SET held_reason = CASE
    WHEN d.code = 'LATE' THEN 'late' WHEN d.code = 'HUB_COPIED' THEN 'copied' WHEN last.event = 'imported' THEN 'imported'
    WHEN last.event = 'moved away' THEN 'moved' ELSE 'reconnect' END
FROM psn.deliveries o LEFT JOIN LATERAL (SELECT e.event FROM psn.delivery_events e WHERE e.delivery_id = o.id
  ORDER BY e.sequence DESC LIMIT 1) last ON true
WHERE o.id = d.id AND d.state = 'held';
--> statement-breakpoint
-- A post had no bounds. What is cut here has gone out, or is in its units as it was.
UPDATE psn.posts SET language = left(language, 16000), visibility = left(visibility, 16000),
  idempotency_key = CASE WHEN octet_length(idempotency_key) > 65536 THEN left(idempotency_key, 16000) || md5(idempotency_key) ELSE idempotency_key END,
  title = CASE WHEN octet_length(title) > 33554432 THEN left(title, 8000000) ELSE title END,
  content_warning = CASE WHEN octet_length(content_warning) > 33554432 THEN left(content_warning, 8000000) ELSE content_warning END,
  parts = CASE WHEN pg_column_size(parts) > 33554432 THEN '[{"text": "", "media": []}]' ELSE parts END,
  overrides = CASE WHEN pg_column_size(overrides) > 33554432 THEN '{}' ELSE overrides END
WHERE greatest(octet_length(language), octet_length(visibility), octet_length(idempotency_key)) > 65536
  OR greatest(octet_length(title), octet_length(content_warning), pg_column_size(parts), pg_column_size(overrides)) > 33554432;
--> statement-breakpoint
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = 'psn'::regnamespace AND c.relrowsecurity LOOP
    EXECUTE format('ALTER TABLE psn.%I FORCE ROW LEVEL SECURITY', name);
  END LOOP;
END $$;
--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_held_reason" CHECK (held_reason in ('reconnect', 'late', 'imported', 'moved', 'copied', 'bucket', 'after', 'draft', 'approval'));
--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_held" CHECK ((state = 'held') = (held_reason is not null));
--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_revision" CHECK (revision between 1 and 1000000);
--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_sizes" CHECK (greatest(octet_length(worker), octet_length(code), octet_length(message), octet_length(wall_time), octet_length(time_zone)) <= 65536);
--> statement-breakpoint
ALTER TABLE "psn"."media" ADD CONSTRAINT "media_play" CHECK (duration_ms >= 0 and frame_rate between 0 and 1000000);
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD CONSTRAINT "posts_state" CHECK (state in ('draft', 'ready', 'approval'));
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD CONSTRAINT "posts_revision" CHECK (revision between 1 and 1000000);
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD CONSTRAINT "posts_origin" CHECK ((origin is null) = (origin_ref is null));
--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD CONSTRAINT "posts_sizes" CHECK (greatest(octet_length(language), octet_length(visibility), octet_length(origin), octet_length(origin_ref), octet_length(idempotency_key), pg_column_size(targets)) <= 65536 and greatest(octet_length(title), octet_length(content_warning), pg_column_size(parts), pg_column_size(overrides), pg_column_size(options)) <= 33554432);
--> statement-breakpoint
CREATE POLICY "posts_definer" ON "psn"."posts" AS PERMISSIVE FOR ALL TO "psn_definer" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));
--> statement-breakpoint
ALTER POLICY "deliveries_own" ON "psn"."deliveries" TO psn_runtime USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()) and (current_user = 'psn_service' or (state = 'scheduled' and wake_at = due_at and attempt = 0 and fence = 0 and lease_until is null and worker is null and revision = 1 and code is null and message is null and published_at is null and operation = 'publish')));
--> statement-breakpoint
ALTER POLICY "posts_own" ON "psn"."posts" TO psn_runtime USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()) and (current_user = 'psn_service' or (revision = 1)));
--> statement-breakpoint
ALTER TABLE "psn"."posts" DROP COLUMN "wall_time";
--> statement-breakpoint
ALTER TABLE "psn"."posts" DROP COLUMN "time_zone";
--> statement-breakpoint
-- No function has to set the reason: a hold without one is for its account, or its code says what it is for. What is not
-- held has none.
CREATE OR REPLACE FUNCTION psn.held_reason() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  NEW.held_reason := CASE WHEN NEW.state = 'held' THEN coalesce(NEW.held_reason,
    CASE NEW.code WHEN 'LATE' THEN 'late' WHEN 'HUB_COPIED' THEN 'copied' ELSE 'reconnect' END) END;
  RETURN NEW;
END $$;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.held_reason() FROM PUBLIC;
--> statement-breakpoint
CREATE TRIGGER deliveries_held BEFORE INSERT OR UPDATE OF state, held_reason ON psn.deliveries
FOR EACH ROW WHEN (NEW.state = 'held' OR NEW.held_reason IS NOT NULL) EXECUTE FUNCTION psn.held_reason();
--> statement-breakpoint
GRANT UPDATE (held_reason) ON psn.deliveries TO psn_service;
--> statement-breakpoint
GRANT SELECT ON psn.posts TO psn_definer;
--> statement-breakpoint
GRANT UPDATE (parts, overrides, options, title, language, visibility, content_warning, split, numbered, revision, updated_at)
  ON psn.posts TO psn_definer;
--> statement-breakpoint
GRANT INSERT, DELETE ON psn.delivery_units TO psn_definer;
--> statement-breakpoint
-- Made by `bun run functions` from src/core/db/functions.
DROP FUNCTION psn.move(uuid[],timestamp with time zone,text);
--> statement-breakpoint
-- The next revision of a post: its source, and all deliveries of which nothing has been sent, composed anew (`changes`:
-- id, fence, units). All of it or nothing: PSN03 where the post has another revision by now, PSN04 where a delivery is
-- no more what its fence said, or one that could have been changed is not named. Units are new rows with new keys: a
-- key that a platform was given never stands for other words.
CREATE OR REPLACE FUNCTION psn.edit(post uuid, base integer, source jsonb, changes jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  mine CONSTANT uuid := psn.current_user_id();
  ids uuid[];
BEGIN
  UPDATE psn.posts p SET parts = source -> 'parts', overrides = source -> 'overrides', options = source -> 'options',
    title = source ->> 'title', language = source ->> 'language', visibility = source ->> 'visibility',
    content_warning = source ->> 'contentWarning', split = (source ->> 'split')::boolean,
    numbered = (source ->> 'numbered')::boolean, revision = p.revision + 1, updated_at = now()
  WHERE p.id = post AND p.user_id = mine AND p.revision = base;
  IF NOT FOUND THEN RAISE EXCEPTION 'the post has another revision' USING ERRCODE = 'PSN03'; END IF;
  -- Locked before they are looked at: a worker settles without raising the fence.
  SELECT coalesce(array_agg(o.id), '{}') INTO ids FROM (
    SELECT d.id FROM psn.deliveries d
    JOIN jsonb_to_recordset(changes) AS c(id uuid, fence bigint) ON c.id = d.id AND c.fence = d.fence
    WHERE d.post_id = post AND d.user_id = mine AND d.operation = 'publish' ORDER BY d.id FOR NO KEY UPDATE OF d
  ) o;
  IF cardinality(ids) <> jsonb_array_length(changes) OR EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = post
      AND CASE WHEN d.id = ANY (ids) THEN NOT psn.is_unsent(d.id, d.state)
        -- What has ended may keep the words it had.
        ELSE d.state NOT IN ('failed', 'cancelled') AND psn.is_unsent(d.id, d.state) END)
  THEN RAISE EXCEPTION 'a delivery has gone on' USING ERRCODE = 'PSN04'; END IF;
  DELETE FROM psn.delivery_units u WHERE u.delivery_id = ANY (ids);
  INSERT INTO psn.delivery_units (id, user_id, delivery_id, position, body, text, length, media, needs_prepare)
  SELECT u.id, mine, c.id, u.position, coalesce(u.body, 'null'), u.text, u.length,
    ARRAY(SELECT m.id::uuid FROM jsonb_array_elements_text(u.media) WITH ORDINALITY AS m(id, n) ORDER BY m.n), u.prepare
  FROM jsonb_to_recordset(changes) AS c(id uuid, units jsonb) CROSS JOIN LATERAL jsonb_to_recordset(c.units)
    AS u(id uuid, position smallint, body jsonb, text text, length integer, media jsonb, prepare boolean);
  -- Whoever has claimed it loses it before anything is sent.
  UPDATE psn.deliveries d SET state = CASE WHEN d.state IN ('claimed', 'pending') THEN 'scheduled' ELSE d.state END,
    wake_at = CASE d.state WHEN 'pending' THEN greatest(d.due_at, now()) ELSE d.wake_at END, revision = base + 1,
    fence = d.fence + 1, lease_until = NULL, updated_at = now()
  WHERE d.id = ANY (ids);
  INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
  SELECT d.id, mine, 'edited', d.attempt, 'revision ' || base + 1, 'user' FROM psn.deliveries d WHERE d.id = ANY (ids);
  RETURN true;
END $$;
--> statement-breakpoint
-- Whether nothing of a delivery has been sent: an edit may still compose it anew. What was removed had been sent.
CREATE OR REPLACE FUNCTION psn.is_unsent(delivery uuid, state text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT is_unsent.state NOT IN ('sending', 'published', 'unconfirmed', 'removed')
    AND NOT EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = delivery
      AND (u.state IN ('sending', 'published', 'removed') OR u.sent_at IS NOT NULL))
$$;
--> statement-breakpoint
-- Another time: the instant, and with it the wall time that was meant, if any, and its zone.
CREATE OR REPLACE FUNCTION psn.move(ids uuid[], due timestamptz, wall_time text, time_zone text, note text)
RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', due_at = due, wall_time = move.wall_time,
      time_zone = move.time_zone, wake_at = due, code = NULL, message = NULL, fence = d.fence + 1, lease_until = NULL,
      updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id()) AND d.operation = 'publish'
      AND (d.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(d.id, d.state))
    RETURNING d.id, d.user_id, d.attempt
  ),
  -- What was uploaded may have been dropped by the platform until then.
  anew AS (
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    FROM changed c WHERE u.delivery_id = c.id AND u.state <> 'published'
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, note, actor)
  SELECT c.id, c.user_id, 'moved', c.attempt, move.note, 'user' FROM changed c RETURNING e.delivery_id
$$;
--> statement-breakpoint
-- An account's deliveries go on. What is held keeps the instant of its last try, from which it may be too late. A hold
-- that another reason than the account has, such as too late, or another hub, waits for its user's word.
CREATE OR REPLACE FUNCTION psn.reconnect(account uuid) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', attempt = least(d.attempt, 1), code = NULL,
      wake_at = CASE d.state WHEN 'held' THEN least(d.wake_at, greatest(d.due_at, now()))
        ELSE greatest(d.due_at, now()) END,
      message = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.account_id = account AND d.user_id = (SELECT psn.current_user_id()) AND (
      (d.state = 'held' AND d.held_reason IN ('reconnect', 'copied', 'bucket'))
      OR (d.state = 'scheduled' AND d.attempt > 0 AND d.wake_at > now()))
    RETURNING d.id, d.user_id, d.attempt
  ), asked AS (
    -- Nobody waits for the answer of these: the lease only says when to ask again.
    UPDATE psn.deliveries d SET lease_until = now(), updated_at = now()
    WHERE d.account_id = account AND d.user_id = (SELECT psn.current_user_id()) AND d.state = 'sending'
      AND d.worker IS NULL AND d.lease_until > now()
    RETURNING d.id, d.user_id, d.attempt
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'reconnected', c.attempt, 'user'
  FROM (SELECT * FROM changed UNION ALL SELECT * FROM asked) c RETURNING e.delivery_id
$$;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.edit(uuid, integer, jsonb, jsonb) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.edit(uuid, integer, jsonb, jsonb) TO psn_runtime;
--> statement-breakpoint
ALTER FUNCTION psn.edit(uuid, integer, jsonb, jsonb) OWNER TO psn_definer;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.is_unsent(uuid, text) FROM PUBLIC;
--> statement-breakpoint
ALTER FUNCTION psn.is_unsent(uuid, text) OWNER TO psn_definer;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.move(uuid[], timestamp with time zone, text, text, text) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.move(uuid[], timestamp with time zone, text, text, text) TO psn_runtime;
--> statement-breakpoint
ALTER FUNCTION psn.move(uuid[], timestamp with time zone, text, text, text) OWNER TO psn_definer;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
