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

REVOKE ALL ON FUNCTION psn.spent_media(double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.spent_media(double precision, integer) TO psn_service;
ALTER FUNCTION psn.spent_media(double precision, integer) OWNER TO psn_definer;
