-- The incarnation, if there is one, and one more sight of it: `seen` grows, and whoever is told it knows that everything before
-- it is committed. A row that somebody is writing just now is not waited for, and then `counted` is false.
CREATE OR REPLACE FUNCTION psn.see_incarnation() RETURNS TABLE (id uuid, past uuid[], seen bigint, counted boolean, parted_at timestamptz, reason text, elsewhere boolean,
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

REVOKE ALL ON FUNCTION psn.see_incarnation() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.see_incarnation() TO psn_service;
ALTER FUNCTION psn.see_incarnation() OWNER TO psn_definer;
