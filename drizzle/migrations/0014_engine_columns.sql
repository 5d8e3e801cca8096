-- One user must not be another one's brake (ADR 18): what the engine counts with has bounds, only functions write it, a claim waits for
-- nobody's lock and shares itself out among the users, and no user may lock a whole table.
-- First, the rows that are there come within the bounds. The tables' owner is bound by their policies as everybody is, but for this.
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = 'psn'::regnamespace AND c.relrowsecurity LOOP
    EXECUTE format('ALTER TABLE psn.%I NO FORCE ROW LEVEL SECURITY', name);
  END LOOP;
END $$;
--> statement-breakpoint
-- A fence beyond what a program can count to gets one that is far below and still above any real one.
UPDATE psn.deliveries SET attempt = least(greatest(attempt, 0), 1000000), fence = least(greatest(fence, 0), 4503599627370496)
WHERE attempt NOT BETWEEN 0 AND 1000000 OR fence NOT BETWEEN 0 AND 4503599627370496;
--> statement-breakpoint
DO $$
DECLARE
  one record;
BEGIN
  FOR one IN SELECT c.relname AS name, a.attname AS col FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      WHERE c.relnamespace = 'psn'::regnamespace AND c.relkind = 'r' AND c.relname <> 'migrations' AND a.attnum > 0 AND NOT a.attisdropped
        AND a.atttypid = 'timestamptz'::regtype LOOP
    EXECUTE format('UPDATE psn.%1$I SET %2$I = %3$s WHERE %2$I < to_timestamp(0) OR %2$I >= to_timestamp(253402300800)', one.name, one.col,
      -- A lease or a pause without an end is over.
      CASE WHEN one.col IN ('lease_until', 'paused_until', 'refresh_lease_until', 'refresh_rest_until') THEN 'now()'
        ELSE format('least(greatest(%I, to_timestamp(0)), to_timestamp(253402300799))', one.col) END);
  END LOOP;
  FOR one IN SELECT c.relname AS name, a.attname AS col, CASE WHEN c.relname = 'delivery_units' AND a.attname = 'text' THEN 2097152 ELSE 65536 END AS most
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      WHERE c.relnamespace = 'psn'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ('migrations', 'posts') AND a.attnum > 0
        AND NOT a.attisdropped AND a.atttypid = 'text'::regtype LOOP
    -- Four bytes are the most of a character. The digest keeps apart what must differ.
    EXECUTE format('UPDATE psn.%1$I SET %2$I = left(%2$I, %3$s) || md5(%2$I) WHERE octet_length(%2$I) > %4$s', one.name, one.col, one.most / 4 - 32, one.most);
  END LOOP;
END $$;
--> statement-breakpoint
-- What is no post any more without what is taken from it does not go out.
UPDATE psn.deliveries d SET state = 'failed', code = 'POST_INVALID', message = 'the stored post is larger than psn takes', fence = d.fence + 1,
  lease_until = NULL, updated_at = now()
WHERE d.state IN ('held', 'scheduled', 'claimed') AND EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = d.id
  AND (u.position NOT BETWEEN 0 AND 999 OR pg_column_size(u.body) > 2097152 OR pg_column_size(u.media) > 65536));
--> statement-breakpoint
DELETE FROM psn.delivery_units WHERE position NOT BETWEEN 0 AND 999;
--> statement-breakpoint
UPDATE psn.delivery_units u SET length = greatest(u.length, 0),
  body = CASE WHEN pg_column_size(u.body) > 2097152 THEN 'null' ELSE u.body END,
  prepared = CASE WHEN pg_column_size(u.prepared) > 2097152 THEN NULL ELSE u.prepared END,
  handle = CASE WHEN pg_column_size(u.handle) > 2097152 THEN NULL ELSE u.handle END,
  media = CASE WHEN pg_column_size(u.media) > 65536 THEN '{}' ELSE u.media END
WHERE u.length < 0 OR greatest(pg_column_size(u.body), pg_column_size(u.prepared), pg_column_size(u.handle)) > 2097152 OR pg_column_size(u.media) > 65536;
--> statement-breakpoint
UPDATE psn.media SET bytes = coalesce(octet_length(content), greatest(bytes, 0)) WHERE bytes < 0 OR octet_length(content) <> bytes;
--> statement-breakpoint
UPDATE psn.accounts SET limits = '{}' WHERE pg_column_size(limits) > 65536;
--> statement-breakpoint
UPDATE psn.oauth_tokens SET scopes = '{}' WHERE pg_column_size(scopes) > 65536;
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
ALTER TABLE "psn"."accounts" ADD CONSTRAINT "accounts_instants" CHECK (least(paused_until, created_at, updated_at) >= to_timestamp(0) and greatest(paused_until, created_at, updated_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."accounts" ADD CONSTRAINT "accounts_sizes" CHECK (greatest(octet_length(platform), octet_length(subject), octet_length(handle), octet_length(url), octet_length(home), octet_length(health_reason), pg_column_size(limits)) <= 65536);--> statement-breakpoint
ALTER TABLE "psn"."api_keys" ADD CONSTRAINT "api_keys_instants" CHECK (least(created_at, updated_at) >= to_timestamp(0) and greatest(created_at, updated_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."api_keys" ADD CONSTRAINT "api_keys_sizes" CHECK (greatest(octet_length(name), octet_length(value)) <= 65536);--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_numbers" CHECK (attempt between 0 and 1000000 and fence between 0 and 9007199254740991);--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_instants" CHECK (least(due_at, wake_at, lease_until, published_at, created_at, updated_at) >= to_timestamp(0) and greatest(due_at, wake_at, lease_until, published_at, created_at, updated_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_sizes" CHECK (greatest(octet_length(worker), octet_length(code), octet_length(message)) <= 65536);--> statement-breakpoint
ALTER TABLE "psn"."delivery_events" ADD CONSTRAINT "delivery_events_instants" CHECK (least(at) >= to_timestamp(0) and greatest(at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."delivery_events" ADD CONSTRAINT "delivery_events_sizes" CHECK (greatest(octet_length(event), octet_length(code), octet_length(note), octet_length(actor)) <= 65536);--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" ADD CONSTRAINT "delivery_units_numbers" CHECK (position between 0 and 999 and length >= 0);--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" ADD CONSTRAINT "delivery_units_instants" CHECK (least(sent_at, published_at) >= to_timestamp(0) and greatest(sent_at, published_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" ADD CONSTRAINT "delivery_units_sizes" CHECK (greatest(octet_length(ref_id), octet_length(ref_url), octet_length(ref_revision), pg_column_size(media)) <= 65536 and greatest(octet_length(text), pg_column_size(body), pg_column_size(prepared), pg_column_size(handle)) <= 2097152);--> statement-breakpoint
ALTER TABLE "psn"."incarnation" ADD CONSTRAINT "incarnation_instants" CHECK (least(parted_at, created_at) >= to_timestamp(0) and greatest(parted_at, created_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."media" ADD CONSTRAINT "media_bytes" CHECK (bytes >= 0 and octet_length(content) = bytes);--> statement-breakpoint
ALTER TABLE "psn"."media" ADD CONSTRAINT "media_instants" CHECK (least(created_at) >= to_timestamp(0) and greatest(created_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."media" ADD CONSTRAINT "media_sizes" CHECK (greatest(octet_length(kind), octet_length(mime), octet_length(sha256), octet_length(alt), octet_length(object_key)) <= 65536);--> statement-breakpoint
ALTER TABLE "psn"."oauth_tokens" ADD CONSTRAINT "oauth_tokens_instants" CHECK (least(expires_at, refresh_lease_until, refresh_rest_until, refreshed_at, created_at, updated_at) >= to_timestamp(0) and greatest(expires_at, refresh_lease_until, refresh_rest_until, refreshed_at, created_at, updated_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."oauth_tokens" ADD CONSTRAINT "oauth_tokens_sizes" CHECK (greatest(octet_length(access_token), octet_length(refresh_token), octet_length(secret), pg_column_size(scopes)) <= 65536);--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD CONSTRAINT "posts_instants" CHECK (least(created_at, updated_at) >= to_timestamp(0) and greatest(created_at, updated_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."slots" ADD CONSTRAINT "slots_instants" CHECK (least(created_at) >= to_timestamp(0) and greatest(created_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."slots" ADD CONSTRAINT "slots_sizes" CHECK (greatest(octet_length(time_zone)) <= 65536);--> statement-breakpoint
ALTER TABLE "psn"."users" ADD CONSTRAINT "users_instants" CHECK (least(created_at) >= to_timestamp(0) and greatest(created_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER TABLE "psn"."users" ADD CONSTRAINT "users_sizes" CHECK (greatest(octet_length(handle), octet_length(time_zone)) <= 65536);--> statement-breakpoint
ALTER TABLE "psn"."workers" ADD CONSTRAINT "workers_instants" CHECK (least(started_at, beat_at) >= to_timestamp(0) and greatest(started_at, beat_at) < to_timestamp(253402300800));--> statement-breakpoint
CREATE POLICY "api_keys_definer" ON "psn"."api_keys" AS PERMISSIVE FOR ALL TO "psn_definer" USING (true) WITH CHECK (true);--> statement-breakpoint
ALTER POLICY "deliveries_own" ON "psn"."deliveries" TO psn_runtime USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()) and (current_user = 'psn_service' or (state = 'scheduled' and wake_at = due_at and attempt = 0 and fence = 0 and lease_until is null and worker is null and code is null and message is null and published_at is null)));--> statement-breakpoint
ALTER POLICY "delivery_units_own" ON "psn"."delivery_units" TO psn_runtime USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()) and (current_user = 'psn_service' or (state = 'waiting' and prepared is null and sent_at is null and handle is null and ref_id is null and ref_url is null and ref_revision is null and published_at is null)));--> statement-breakpoint
-- Whoever may UPDATE or DELETE in a table, as a whole, may lock it as a whole (LOCK TABLE), and stop everybody. A right to columns is none
-- to the table. What a user's own rows say of themselves alone stays open; the rest is written by the functions below.
REVOKE UPDATE, DELETE ON psn.accounts, psn.oauth_tokens, psn.api_keys, psn.posts, psn.media, psn.deliveries, psn.delivery_units, psn.slots FROM psn_runtime;
--> statement-breakpoint
GRANT UPDATE (handle, url, home, limits, health, health_reason, paused_until, updated_at) ON psn.accounts TO psn_runtime;
--> statement-breakpoint
GRANT UPDATE (id, access_token, refresh_token, secret, scopes, expires_at, refresh_lease_until, refresh_rest_until, refreshed_at, updated_at)
  ON psn.oauth_tokens TO psn_runtime;
--> statement-breakpoint
GRANT UPDATE (id, value, updated_at) ON psn.api_keys TO psn_runtime;
--> statement-breakpoint
GRANT UPDATE (content, object_key) ON psn.media TO psn_runtime;
--> statement-breakpoint
-- History has its order from the database: a number that a user could choose would stand in the way of a claim's own line.
REVOKE INSERT ON psn.delivery_events FROM psn_runtime;
--> statement-breakpoint
-- An import brings history along; an export that moves a hub holds what is to come, and its start lets it go.
GRANT INSERT ON psn.delivery_events TO psn_service;
--> statement-breakpoint
GRANT UPDATE (state, wake_at, code, message, fence, lease_until, updated_at) ON psn.deliveries TO psn_service;
--> statement-breakpoint
GRANT UPDATE (health, paused_until) ON psn.accounts TO psn_definer;
--> statement-breakpoint
GRANT DELETE ON psn.oauth_tokens, psn.api_keys TO psn_definer;
--> statement-breakpoint
GRANT SELECT (id, user_id, name) ON psn.api_keys TO psn_definer;
--> statement-breakpoint
-- A function is nobody's until it is granted. It must be said for all schemas: for one alone Postgres can only add rights.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
--> statement-breakpoint
-- As before, and of several users none takes all: each has one place before any has two, and what a worker is at already (`busy`) counts.
-- Nothing is waited for: an account, a delivery or a unit that somebody else has locked is left for the next look. Who claims for an
-- account locks its row, so that the count of what is in flight there is true; its user can lock it too, and stops that account alone.
CREATE OR REPLACE FUNCTION psn.claim_due(worker text, most integer, lease integer, concurrency jsonb, chosen uuid[], busy uuid[])
RETURNS TABLE (delivery_id uuid, user_id uuid, fence bigint, purpose text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
DECLARE
  mine uuid[];
  users integer;
  ids uuid[];
BEGIN
  IF psn.has_parted() THEN RETURN; END IF;
  IF chosen IS NULL THEN
    SELECT array_agg(due.id), count(DISTINCT due.user_id) INTO mine, users FROM (
      SELECT a.id, a.user_id FROM psn.accounts a
      WHERE concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND (EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'scheduled' AND d.wake_at <= now())
          OR EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'pending' AND d.wake_at <= now())
          OR EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      FOR NO KEY UPDATE SKIP LOCKED
    ) due;
    IF mine IS NULL THEN RETURN; END IF;
    -- Account by account, so that the backlog of one never hides what another has due.
    SELECT array_agg(taken.id) INTO ids FROM (
      SELECT d.id FROM (
        SELECT c.id, c.since, CASE WHEN users > 1
          THEN coalesce(at_work.n, 0) + row_number() OVER (PARTITION BY room.user_id ORDER BY c.since) ELSE 0 END AS place
        FROM (
          SELECT a.id, a.user_id, least(greatest((concurrency ->> a.platform)::integer - (SELECT count(*) FROM psn.deliveries f
            WHERE f.account_id = a.id AND f.state IN ('claimed', 'sending') AND f.worker IS NOT NULL
              AND (f.lease_until > now() OR f.id = ANY (busy))), 0), most) AS n
          FROM psn.accounts a WHERE a.id = ANY (mine)
        ) room LEFT JOIN (
          SELECT b.user_id, count(*) AS n FROM psn.deliveries b WHERE users > 1 AND b.id = ANY (busy) GROUP BY b.user_id
        ) at_work ON at_work.user_id = room.user_id CROSS JOIN LATERAL (
          (SELECT d.id, d.wake_at AS since FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state = 'scheduled' AND d.wake_at <= now() AND d.id <> ALL (busy) ORDER BY d.wake_at LIMIT room.n)
          UNION ALL
          (SELECT d.id, d.lease_until FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now() AND d.id <> ALL (busy) ORDER BY d.lease_until LIMIT room.n)
          UNION ALL
          (SELECT d.id, d.wake_at FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state = 'pending' AND d.wake_at <= now() AND d.id <> ALL (busy) ORDER BY d.wake_at LIMIT room.n)
          ORDER BY since LIMIT room.n
        ) c
      ) fair JOIN psn.deliveries d ON d.id = fair.id
      ORDER BY fair.place, fair.since LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
    ) taken;
  ELSE
    SELECT array_agg(taken.id) INTO ids FROM (
      SELECT d.id FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
      WHERE d.id = ANY (chosen) AND d.id <> ALL (busy) AND concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      ORDER BY d.wake_at LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
    ) taken;
  END IF;

  RETURN QUERY
  WITH due AS MATERIALIZED (
    SELECT d.id, d.state, d.fence,
      coalesce((SELECT t.expires_at > now() + interval '30 seconds' OR (t.refresh_token IS NULL AND t.secret IS NULL)
        FROM psn.oauth_tokens t WHERE t.account_id = d.account_id), true) AS fresh
    FROM psn.deliveries d WHERE d.id = ANY (ids) AND d.fence < 9007199254740991
  ),
  next AS MATERIALIZED (
    SELECT DISTINCT ON (u.delivery_id) u.delivery_id, u.id,
      due.fresh AND (u.prepared IS NOT NULL OR NOT (u.needs_prepare OR cardinality(u.media) > 0)) AS ready
    FROM psn.delivery_units u JOIN due ON due.id = u.delivery_id
    WHERE u.state <> 'published' AND due.state IN ('scheduled', 'claimed') ORDER BY u.delivery_id, u.position
  ),
  open AS MATERIALIZED (
    SELECT u.id FROM psn.delivery_units u WHERE u.id = ANY (ARRAY(SELECT next.id FROM next WHERE next.ready)) FOR NO KEY UPDATE SKIP LOCKED
  ),
  taken AS (
    UPDATE psn.deliveries d SET
      state = CASE WHEN d.state IN ('scheduled', 'claimed') THEN CASE WHEN next.ready THEN 'sending' ELSE 'claimed' END ELSE d.state END,
      attempt = least(d.attempt + CASE WHEN d.state IN ('scheduled', 'claimed') THEN 1 ELSE 0 END, 1000000),
      fence = d.fence + 1, lease_until = now() + lease * interval '1 millisecond',
      -- A poll leaves the row pending; its next look is set by the settle, and until then by the lease.
      wake_at = CASE WHEN d.state = 'pending' THEN now() + lease * interval '1 millisecond' ELSE d.wake_at END,
      worker = claim_due.worker, updated_at = now()
    FROM due LEFT JOIN next ON next.delivery_id = due.id
    -- Between the look and this write somebody else may have claimed, moved or cancelled it: each of them raises the fence.
    WHERE d.id = due.id AND d.state = due.state AND d.fence = due.fence
      AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      AND (next.ready IS NOT TRUE OR next.id = ANY (ARRAY(SELECT open.id FROM open)))
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
-- As before, of several users none takes all.
CREATE OR REPLACE FUNCTION psn.wake_ups(concurrency jsonb, ahead double precision, most integer)
RETURNS TABLE (delivery_id uuid, user_id uuid, account_id uuid, platform text, fence bigint, state text, at_ms double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
  SELECT f.id, f.user_id, f.account_id, f.platform, f.fence, f.state, extract(epoch FROM f.at) * 1000 FROM (
    SELECT w.id, w.user_id, a.id AS account_id, a.platform, w.fence, w.state, greatest(w.at, a.paused_until) AS at,
      row_number() OVER (PARTITION BY w.user_id ORDER BY greatest(w.at, a.paused_until)) AS place
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
    ORDER BY place, at LIMIT most
  ) f ORDER BY f.at
$$;
--> statement-breakpoint
-- As before, of several users none takes all.
CREATE OR REPLACE FUNCTION psn.spent_media(age double precision, most integer)
RETURNS TABLE (media_id uuid, user_id uuid, object_key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT m.id, m.user_id, m.object_key FROM psn.media m
  WHERE (m.content IS NOT NULL OR m.object_key IS NOT NULL)
    AND EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id)
    AND NOT EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id
      AND NOT (d.state IN ('published', 'cancelled') AND d.updated_at <= now() - age * interval '1 millisecond'))
  ORDER BY row_number() OVER (PARTITION BY m.user_id) LIMIT most
$$;
--> statement-breakpoint
-- As before, and an account that somebody has locked is noted at the next look.
CREATE OR REPLACE FUNCTION psn.note_ending_tokens(platforms text[], ahead double precision)
RETURNS TABLE (account_id uuid, user_id uuid, platform text, handle text, ends_at double precision)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  UPDATE psn.accounts a SET health_reason = 'its token ends on ' || to_char(t.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), updated_at = now()
  FROM psn.oauth_tokens t
  WHERE t.account_id = a.id AND a.id = ANY (ARRAY(
      SELECT o.id FROM psn.accounts o WHERE o.health = 'ok' AND o.health_reason IS NULL AND o.platform = ANY (platforms) FOR NO KEY UPDATE SKIP LOCKED))
    AND t.refresh_token IS NULL AND t.secret IS NULL AND t.expires_at <= now() + ahead * interval '1 millisecond'
  RETURNING a.id, a.user_id, a.platform, a.handle, (extract(epoch FROM t.expires_at) * 1000)::double precision
$$;
--> statement-breakpoint
-- As before. What somebody has locked stays as it is: nothing is claimed while the database has parted, and `psn recover` asks for all.
CREATE OR REPLACE FUNCTION psn.part(why text, code text, message text, first uuid) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  held integer;
BEGIN
  INSERT INTO psn.incarnation (id, identity) VALUES (first, psn.database_identity()) ON CONFLICT DO NOTHING;
  UPDATE psn.incarnation i SET parted_at = coalesce(i.parted_at, now()), reason = coalesce(i.reason, why);
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'held', code = part.code, message = part.message, fence = d.fence + 1, lease_until = NULL, worker = NULL,
      updated_at = now()
    WHERE d.id = ANY (ARRAY(SELECT o.id FROM psn.deliveries o WHERE o.state IN ('scheduled', 'claimed') AND o.fence < 9007199254740991
      FOR NO KEY UPDATE SKIP LOCKED)) RETURNING d.id, d.user_id, d.attempt
  ), noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, code, note, actor)
    SELECT c.id, c.user_id, 'held', c.attempt, part.code, part.message, 'psn' FROM changed c
  )
  SELECT count(*)::integer INTO held FROM changed;
  RETURN held;
END $$;
--> statement-breakpoint
-- As before, by the definer for the user it is called for.
CREATE OR REPLACE FUNCTION psn.settle(changes jsonb) RETURNS TABLE (delivery_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET jit = off AS $$
BEGIN
  RETURN QUERY
  WITH c AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(changes) AS r(id uuid, fence bigint, state text, "wakeInMs" double precision, "leaseMs" double precision,
      code text, message text, event text, note text, actor text, unit jsonb, next jsonb, account jsonb)
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
      published_at = CASE WHEN c.state = 'published' THEN now() ELSE d.published_at END
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
-- A line of history for these deliveries. `actor`: a worker's name, or `user`.
DROP FUNCTION psn.note(uuid[], text, text);
--> statement-breakpoint
CREATE FUNCTION psn.note(ids uuid[], event text, note text, actor text) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, note, actor)
  SELECT d.id, d.user_id, note.event, d.attempt, note.note, note.actor FROM psn.deliveries d
  WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id()) RETURNING e.delivery_id
$$;
--> statement-breakpoint
-- The platform works on an upload, and nothing was sent: what its user may still take back.
CREATE FUNCTION psn.is_preparing(delivery uuid, state text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT is_preparing.state = 'pending' AND NOT EXISTS (SELECT FROM psn.delivery_units u
    WHERE u.delivery_id = delivery AND u.state = 'pending' AND u.sent_at IS NOT NULL)
$$;
--> statement-breakpoint
-- The verbs of a user. Raising the fence takes a delivery from whoever has claimed it; `claimed` means that nothing was sent.
CREATE FUNCTION psn.cancel(ids uuid[]) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'cancelled', fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())
      AND (d.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(d.id, d.state))
    RETURNING d.id, d.user_id, d.attempt
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'cancelled', c.attempt, 'user' FROM changed c RETURNING e.delivery_id
$$;
--> statement-breakpoint
CREATE FUNCTION psn.move(ids uuid[], due timestamptz, note text) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', due_at = due, wake_at = due, code = NULL, message = NULL, fence = d.fence + 1,
      lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())
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
CREATE FUNCTION psn.retry(ids uuid[]) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', wake_at = now(), late = 'publish', attempt = 0, code = NULL, message = NULL,
      fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id()) AND d.state IN ('failed', 'held', 'cancelled')
    RETURNING d.id, d.user_id
  ),
  -- A new beginning: what was uploaded may have been dropped by the platform meanwhile.
  anew AS (
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    FROM changed c WHERE u.delivery_id = c.id AND u.state <> 'published'
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'retried', 0, 'user' FROM changed c RETURNING e.delivery_id
$$;
--> statement-breakpoint
-- What its user says of a delivery whose outcome nobody knows: it is live under this ref, or it is not. False where there is nothing to
-- say, since a worker may be at it: a disconnect does not take its lease away.
CREATE FUNCTION psn.resolve(delivery uuid, live boolean, ref_id text, ref_url text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  mine psn.deliveries;
  to_come integer;
  asked integer;
  first_open smallint;
  one_more boolean;
  goes_on boolean;
BEGIN
  SELECT d.* INTO mine FROM psn.deliveries d WHERE d.id = delivery AND d.user_id = (SELECT psn.current_user_id()) FOR NO KEY UPDATE;
  IF mine.id IS NULL OR NOT (mine.worker IS NULL OR mine.lease_until IS NULL OR mine.lease_until <= now()) THEN RETURN false; END IF;
  IF mine.state <> 'unconfirmed' AND NOT (mine.state IN ('sending', 'pending')
    -- Nobody will ask the platform before its account is connected again.
    AND EXISTS (SELECT FROM psn.accounts a WHERE a.id = mine.account_id AND a.health <> 'ok')) THEN RETURN false; END IF;
  SELECT count(*) FILTER (WHERE u.state <> 'published'), count(*) FILTER (WHERE u.state = 'sending'), min(u.position) FILTER (WHERE u.state <> 'published')
    INTO to_come, asked, first_open FROM psn.delivery_units u WHERE u.delivery_id = delivery;
  -- After a recovery each of a thread's units may be out: then the next is asked for. A thread whose other units are to come goes on.
  one_more := live AND asked > 1;
  goes_on := to_come > live::integer;
  UPDATE psn.deliveries d SET state = CASE WHEN one_more THEN 'unconfirmed' WHEN goes_on THEN 'scheduled' ELSE 'published' END,
    published_at = CASE WHEN goes_on THEN NULL ELSE now() END, wake_at = now(), late = 'publish',
    code = CASE WHEN one_more THEN d.code END, message = CASE WHEN one_more THEN d.message END,
    fence = d.fence + 1, lease_until = NULL, updated_at = now() WHERE d.id = delivery;
  IF live THEN
    UPDATE psn.delivery_units u SET state = 'published', ref_id = resolve.ref_id, ref_url = resolve.ref_url, published_at = now()
    WHERE u.delivery_id = delivery AND u.position = first_open;
  ELSE
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    WHERE u.delivery_id = delivery AND u.state <> 'published';
  END IF;
  INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
  VALUES (delivery, mine.user_id, CASE WHEN live THEN 'resolved: live' ELSE 'resolved: not live' END, mine.attempt, CASE WHEN live THEN resolve.ref_url END, 'user');
  RETURN true;
END $$;
--> statement-breakpoint
-- What a recovery has found out of a delivery: its state, the refs of its units that are out (`refs`: position and ref), and why. False
-- where the fence is another one by now.
CREATE FUNCTION psn.recover(delivery uuid, fence bigint, state text, refs jsonb, why text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  mine psn.deliveries;
BEGIN
  UPDATE psn.deliveries d SET state = recover.state, code = CASE WHEN recover.state = 'unconfirmed' THEN 'UNCONFIRMED' END,
    message = CASE WHEN recover.state = 'unconfirmed' THEN why END,
    published_at = CASE WHEN recover.state = 'published' THEN now() ELSE d.published_at END,
    wake_at = CASE WHEN recover.state = 'scheduled' THEN greatest(d.due_at, now()) ELSE d.wake_at END,
    worker = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
  WHERE d.id = delivery AND d.user_id = (SELECT psn.current_user_id()) AND d.fence = recover.fence
    AND d.state NOT IN ('published', 'cancelled', 'failed') AND recover.state IN ('scheduled', 'published', 'unconfirmed') RETURNING d.* INTO mine;
  IF mine.id IS NULL THEN RETURN false; END IF;
  UPDATE psn.delivery_units u SET state = 'published', handle = NULL, ref_id = f.ref ->> 'id', ref_url = f.ref ->> 'url', ref_revision = f.ref ->> 'revision',
    published_at = now(), sent_at = coalesce(u.sent_at, now())
  FROM jsonb_to_recordset(refs) AS f(position smallint, ref jsonb) WHERE u.delivery_id = delivery AND u.position = f.position;
  -- Of the rest, either each may be out, and a person is asked for one after the other; or it begins anew, since what was uploaded
  -- may have been dropped by the platform meanwhile.
  IF recover.state = 'unconfirmed' THEN
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now()), handle = NULL WHERE u.delivery_id = delivery AND u.state <> 'published';
  ELSE
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL WHERE u.delivery_id = delivery AND u.state <> 'published';
  END IF;
  INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
  VALUES (delivery, mine.user_id, 'recovered: ' || recover.state, mine.attempt, why, 'user');
  RETURN true;
END $$;
--> statement-breakpoint
-- An account was connected: what waited for that goes on. What came by an import, or was moved away, waits for `psn import --start`:
-- another hub may be publishing it.
CREATE FUNCTION psn.reconnect(account uuid) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', wake_at = greatest(d.due_at, now()), code = NULL, message = NULL, fence = d.fence + 1,
      lease_until = NULL, updated_at = now()
    WHERE d.account_id = account AND d.user_id = (SELECT psn.current_user_id()) AND d.state = 'held'
      AND coalesce((SELECT e.event FROM psn.delivery_events e WHERE e.delivery_id = d.id ORDER BY e.sequence DESC LIMIT 1), '')
        NOT IN ('imported', 'moved away')
    RETURNING d.id, d.user_id, d.attempt
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'reconnected', c.attempt, 'user' FROM changed c RETURNING e.delivery_id
$$;
--> statement-breakpoint
-- Forgets an account's credentials, cancels what is to come and leaves to its user what may be out: nobody can ask the platform any more.
-- The fence of these stays, since a worker may be waiting for the answer of one, and what it is told still counts.
CREATE FUNCTION psn.disconnect(account uuid, why text) RETURNS TABLE (cancelled integer, unconfirmed integer)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = CASE WHEN o.taken_back THEN 'cancelled' ELSE 'unconfirmed' END,
      code = CASE WHEN o.taken_back THEN d.code ELSE 'UNCONFIRMED' END,
      message = CASE WHEN o.taken_back THEN why ELSE why || ' before the platform had answered' END,
      fence = d.fence + o.taken_back::integer, lease_until = CASE WHEN NOT o.taken_back THEN d.lease_until END, updated_at = now()
    FROM (SELECT x.id, x.state, x.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(x.id, x.state) AS taken_back
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
  SELECT count(*) FILTER (WHERE c.state = 'cancelled')::integer, count(*) FILTER (WHERE c.state = 'unconfirmed')::integer FROM changed c
$$;
--> statement-breakpoint
CREATE FUNCTION psn.forget_key(name text) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH gone AS (DELETE FROM psn.api_keys k WHERE k.name = forget_key.name AND k.user_id = (SELECT psn.current_user_id()) RETURNING k.id)
  SELECT EXISTS (SELECT FROM gone)
$$;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
DO $$
DECLARE
  made regprocedure;
BEGIN
  FOREACH made IN ARRAY ARRAY['psn.settle(jsonb)', 'psn.note(uuid[], text, text, text)', 'psn.is_preparing(uuid, text)', 'psn.cancel(uuid[])',
    'psn.move(uuid[], timestamptz, text)', 'psn.retry(uuid[])', 'psn.resolve(uuid, boolean, text, text)', 'psn.recover(uuid, bigint, text, jsonb, text)',
    'psn.reconnect(uuid)', 'psn.disconnect(uuid, text)', 'psn.forget_key(text)']::regprocedure[] LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
    -- The verbs themselves ask is_preparing, as psn_definer.
    IF made <> 'psn.is_preparing(uuid, text)'::regprocedure THEN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO psn_runtime', made); END IF;
    EXECUTE format('ALTER FUNCTION %s OWNER TO psn_definer', made);
  END LOOP;
END $$;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
