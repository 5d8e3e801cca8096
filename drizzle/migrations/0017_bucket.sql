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
    WHERE d.state = 'scheduled' AND d.code = ANY (codes) AND d.wake_at > now() AND d.due_at <= now() AND NOT psn.has_parted()
    RETURNING d.id
  )
  SELECT count(*)::integer FROM woken
$$;
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
    'psn.wake_troubled(text[])']::regprocedure[] LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO psn_service', made);
    EXECUTE format('ALTER FUNCTION %s OWNER TO psn_definer', made);
  END LOOP;
END $$;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
