-- Whether nothing may be published from here before its user has said so: it was found to be a copy, or it is plainly another
-- database than it was. Asked with every claim, so only what costs nothing is compared. What only one of both sides knows says nothing.
CREATE OR REPLACE FUNCTION psn.has_parted() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT coalesce((SELECT i.parted_at IS NOT NULL OR i.identity ->> 'table' <> 'psn.deliveries'::regclass::oid::text
      OR i.identity ->> 'database' <> (SELECT d.oid::text FROM pg_catalog.pg_database d WHERE d.datname = current_database())
      OR i.identity ->> 'branch' <> current_setting('neon.timeline_id', true)
    FROM psn.incarnation i WHERE i.one), false)
$$;

REVOKE ALL ON FUNCTION psn.has_parted() FROM PUBLIC;
ALTER FUNCTION psn.has_parted() OWNER TO psn_definer;
