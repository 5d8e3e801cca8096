ALTER TABLE "psn"."deliveries" DROP CONSTRAINT "deliveries_state";--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" DROP CONSTRAINT "delivery_units_state";--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" DROP CONSTRAINT "delivery_units_instants";--> statement-breakpoint
DROP INDEX "psn"."deliveries_open";--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD COLUMN "operation" text DEFAULT 'publish' NOT NULL;--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" ADD COLUMN "asked_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" ADD COLUMN "removed_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "deliveries_open" ON "psn"."deliveries" USING btree ("user_id","due_at") WHERE state not in ('published', 'failed', 'cancelled', 'removed');--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_operation" CHECK (operation in ('publish', 'edit', 'remove'));--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_state" CHECK (state in ('held', 'scheduled', 'claimed', 'sending', 'pending', 'published', 'failed', 'unconfirmed', 'cancelled', 'removed'));--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" ADD CONSTRAINT "delivery_units_state" CHECK (state in ('waiting', 'sending', 'pending', 'published', 'removed'));--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" ADD CONSTRAINT "delivery_units_instants" CHECK (least(sent_at, published_at, asked_at, removed_at) >= to_timestamp(0) and greatest(sent_at, published_at, asked_at, removed_at) < to_timestamp(253402300800));--> statement-breakpoint
ALTER POLICY "deliveries_own" ON "psn"."deliveries" TO psn_runtime USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()) and (current_user = 'psn_service' or (state = 'scheduled' and wake_at = due_at and attempt = 0 and fence = 0 and lease_until is null and worker is null and code is null and message is null and published_at is null and operation = 'publish')));--> statement-breakpoint
ALTER POLICY "delivery_units_own" ON "psn"."delivery_units" TO psn_runtime USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()) and (current_user = 'psn_service' or (state = 'waiting' and prepared is null and sent_at is null and handle is null and ref_id is null and ref_url is null and ref_revision is null and published_at is null and asked_at is null and removed_at is null)));
--> statement-breakpoint
-- Made by `bun run functions` from src/core/db/functions.
-- The verbs of a user. Raising the fence takes a delivery from whoever has claimed it; `claimed` means that nothing was
-- sent. A removal that has not been asked for is given up: what it would have removed stays out.
CREATE OR REPLACE FUNCTION psn.cancel(ids uuid[]) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = CASE d.operation WHEN 'remove' THEN 'published' ELSE 'cancelled' END,
      operation = 'publish', fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())
      AND (d.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(d.id, d.state))
    RETURNING d.id, d.user_id, d.attempt
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'cancelled', c.attempt, 'user' FROM changed c RETURNING e.delivery_id
$$;
--> statement-breakpoint
-- Claims up to `most` deliveries that are due. Of several users none takes all: each has one place before any has two,
-- and what a worker is at already (`busy`) counts. Nothing is waited for: an account, a delivery or a unit that
-- somebody else has locked is left for the next look. Who claims for an account locks its row, so that the count of
-- what is in flight there is true; its user can lock it too, and stops that account alone.
CREATE OR REPLACE FUNCTION psn.claim_due(
  worker text, most integer, lease integer, concurrency jsonb, chosen uuid[], busy uuid[])
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
        AND (EXISTS (SELECT FROM psn.deliveries d
            WHERE d.account_id = a.id AND d.state = 'scheduled' AND d.wake_at <= now())
          OR EXISTS (SELECT FROM psn.deliveries d
            WHERE d.account_id = a.id AND d.state = 'pending' AND d.wake_at <= now())
          OR EXISTS (SELECT FROM psn.deliveries d
            WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      FOR NO KEY UPDATE SKIP LOCKED
    ) due;
    IF mine IS NULL THEN RETURN; END IF;
    -- Account by account, so that the backlog of one never hides what another has due.
    SELECT array_agg(taken.id) INTO ids FROM (
      SELECT d.id FROM (
        SELECT c.id, c.since, CASE WHEN users > 1
          THEN coalesce(at_work.n, 0) + row_number() OVER (PARTITION BY room.user_id ORDER BY c.since)
          ELSE 0 END AS place
        FROM (
          SELECT a.id, a.user_id, least(greatest((concurrency ->> a.platform)::integer - (
            SELECT count(*) FROM psn.deliveries f
            WHERE f.account_id = a.id AND f.state IN ('claimed', 'sending') AND f.worker IS NOT NULL
              AND (f.lease_until > now() OR f.id = ANY (busy))), 0), most) AS n
          FROM psn.accounts a WHERE a.id = ANY (mine)
        ) room LEFT JOIN (
          SELECT b.user_id, count(*) AS n FROM psn.deliveries b WHERE users > 1 AND b.id = ANY (busy) GROUP BY b.user_id
        ) at_work ON at_work.user_id = room.user_id CROSS JOIN LATERAL (
          (SELECT d.id, d.wake_at AS since FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state = 'scheduled' AND d.wake_at <= now() AND d.id <> ALL (busy)
            ORDER BY d.wake_at LIMIT room.n)
          UNION ALL
          (SELECT d.id, d.lease_until FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now()
              AND d.id <> ALL (busy)
            ORDER BY d.lease_until LIMIT room.n)
          UNION ALL
          (SELECT d.id, d.wake_at FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state = 'pending' AND d.wake_at <= now() AND d.id <> ALL (busy)
            ORDER BY d.wake_at LIMIT room.n)
          ORDER BY since LIMIT room.n
        ) c
      ) fair JOIN psn.deliveries d ON d.id = fair.id
      ORDER BY fair.place, fair.since LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
    ) taken;
  ELSE
    SELECT array_agg(taken.id) INTO ids FROM (
      SELECT d.id FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
      WHERE d.id = ANY (chosen) AND d.id <> ALL (busy) AND concurrency ? a.platform AND a.health = 'ok'
        AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now())
          OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      ORDER BY d.wake_at LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
    ) taken;
  END IF;

  RETURN QUERY
  WITH due AS MATERIALIZED (
    SELECT d.id, d.state, d.operation, d.fence,
      coalesce((SELECT t.expires_at > now() + interval '30 seconds' OR (t.refresh_token IS NULL AND t.secret IS NULL)
        FROM psn.oauth_tokens t WHERE t.account_id = d.account_id), true) AS fresh
    FROM psn.deliveries d WHERE d.id = ANY (ids) AND d.fence < 9007199254740991
  ),
  next AS MATERIALIZED (
    SELECT DISTINCT ON (u.delivery_id) u.delivery_id, u.id,
      due.fresh AND (due.operation = 'remove' OR u.prepared IS NOT NULL
        OR NOT (u.needs_prepare OR cardinality(u.media) > 0)) AS ready
    FROM psn.delivery_units u JOIN due ON due.id = u.delivery_id
    WHERE due.state IN ('scheduled', 'claimed')
      AND CASE due.operation WHEN 'remove' THEN u.state IN ('published', 'sending')
        ELSE u.state NOT IN ('published', 'removed') END
    -- A thread is published from its first unit on, and removed from its last one.
    ORDER BY u.delivery_id, CASE due.operation WHEN 'remove' THEN -u.position ELSE u.position END
  ),
  open AS MATERIALIZED (
    SELECT u.id FROM psn.delivery_units u WHERE u.id = ANY (ARRAY(SELECT next.id FROM next WHERE next.ready))
    FOR NO KEY UPDATE SKIP LOCKED
  ),
  taken AS (
    UPDATE psn.deliveries d SET
      state = CASE WHEN d.state IN ('scheduled', 'claimed')
        THEN CASE WHEN next.ready THEN 'sending' ELSE 'claimed' END ELSE d.state END,
      attempt = least(d.attempt + CASE WHEN d.state IN ('scheduled', 'claimed') THEN 1 ELSE 0 END, 1000000),
      fence = d.fence + 1, lease_until = now() + lease * interval '1 millisecond',
      -- A poll leaves the row pending; its next look is set by the settle, and until then by the lease.
      wake_at = CASE WHEN d.state = 'pending' THEN now() + lease * interval '1 millisecond' ELSE d.wake_at END,
      worker = claim_due.worker, updated_at = now()
    FROM due LEFT JOIN next ON next.delivery_id = due.id
    -- Between the look and this write somebody else may have claimed, moved or cancelled it: each of them raises the
    -- fence.
    WHERE d.id = due.id AND d.state = due.state AND d.fence = due.fence
      AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now())
        OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      AND (next.ready IS NOT TRUE OR next.id = ANY (ARRAY(SELECT open.id FROM open)))
    RETURNING d.id, d.user_id, d.fence, d.state, d.operation, d.attempt, due.state AS was
  ),
  opened AS (
    UPDATE psn.delivery_units u SET state = 'sending',
      sent_at = CASE taken.operation WHEN 'remove' THEN u.sent_at ELSE coalesce(u.sent_at, now()) END,
      asked_at = CASE taken.operation WHEN 'remove' THEN coalesce(u.asked_at, now()) END
    FROM next JOIN taken ON taken.id = next.delivery_id
    WHERE u.id = next.id AND next.ready AND taken.was IN ('scheduled', 'claimed')
  ),
  noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, actor)
    SELECT t.id, t.user_id, CASE t.was WHEN 'sending' THEN 'settling' WHEN 'pending' THEN 'polling' ELSE t.state END,
      t.attempt, claim_due.worker
    FROM taken t
  )
  SELECT t.id, t.user_id, t.fence,
    CASE t.was WHEN 'sending' THEN 'settle' WHEN 'pending' THEN 'poll' ELSE 'publish' END FROM taken t;
END $$;
--> statement-breakpoint
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
--> statement-breakpoint
CREATE OR REPLACE FUNCTION psn.move(ids uuid[], due timestamptz, note text) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', due_at = due, wake_at = due, code = NULL, message = NULL,
      fence = d.fence + 1, lease_until = NULL, updated_at = now()
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
--> statement-breakpoint
-- Its user wants what is out of these off its platforms, from now on. What was never sent of them never will be. A
-- removal of which nobody knows what became is asked for again; one that is under way goes on as it is. An account that
-- was disconnected has no credentials left to ask with.
CREATE OR REPLACE FUNCTION psn.remove(ids uuid[]) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET operation = 'remove', attempt = 0, code = NULL, message = NULL, wake_at = now(),
      -- What may be gone is asked about as a lost answer is.
      state = CASE d.operation WHEN 'remove' THEN 'sending' ELSE 'scheduled' END,
      lease_until = CASE d.operation WHEN 'remove' THEN now() END,
      worker = NULL, fence = d.fence + 1, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())
      AND EXISTS (SELECT FROM psn.accounts a WHERE a.id = d.account_id AND a.health <> 'disconnected')
      AND EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = d.id AND u.ref_id IS NOT NULL
        AND u.state IN ('published', 'sending'))
      AND CASE d.operation
        WHEN 'remove' THEN d.state = 'unconfirmed' AND (d.lease_until IS NULL OR d.lease_until <= now())
        ELSE d.state IN ('published', 'failed', 'cancelled', 'held', 'scheduled', 'claimed')
          OR psn.is_preparing(d.id, d.state) END
    RETURNING d.id, d.user_id, d.attempt
  ), never AS (
    UPDATE psn.delivery_units u SET state = 'removed', prepared = NULL, handle = NULL, sent_at = NULL
    FROM changed c WHERE u.delivery_id = c.id AND u.ref_id IS NULL
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'removal asked for', c.attempt, 'user' FROM changed c RETURNING e.delivery_id
$$;
--> statement-breakpoint
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
--> statement-breakpoint
CREATE OR REPLACE FUNCTION psn.retry(ids uuid[]) RETURNS TABLE (delivery_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', wake_at = now(), late = 'publish', attempt = 0, code = NULL,
      message = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id()) AND d.state IN ('failed', 'held', 'cancelled')
    RETURNING d.id, d.user_id, d.operation
  ),
  -- A new beginning: what was uploaded may have been dropped by the platform meanwhile.
  anew AS (
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    FROM changed c WHERE u.delivery_id = c.id AND c.operation = 'publish' AND u.state <> 'published'
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'retried', 0, 'user' FROM changed c RETURNING e.delivery_id
$$;
--> statement-breakpoint
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
--> statement-breakpoint
-- A post that failed, or that nobody can tell of, keeps its files no longer than one that is out; and from a copy of a
-- hub nothing is taken out of the bucket, which it shares with its original.
CREATE OR REPLACE FUNCTION psn.spent_media(age double precision, most integer)
RETURNS TABLE (media_id uuid, user_id uuid, object_key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT m.id, m.user_id, m.object_key FROM psn.media m
  WHERE (m.content IS NOT NULL OR m.object_key IS NOT NULL) AND NOT psn.has_parted()
    AND EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id)
    AND NOT EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id
      AND NOT (d.state IN ('published', 'cancelled', 'failed', 'unconfirmed', 'removed')
        AND d.updated_at <= now() - age * interval '1 millisecond'))
  ORDER BY row_number() OVER (PARTITION BY m.user_id) LIMIT most
$$;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
REVOKE ALL ON FUNCTION psn.remove(uuid[]) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION psn.remove(uuid[]) TO psn_runtime;
--> statement-breakpoint
ALTER FUNCTION psn.remove(uuid[]) OWNER TO psn_definer;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
