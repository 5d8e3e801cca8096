-- What tells this database from another one that holds the same rows: the server's own identifier and the line of its history,
-- the database and the table as the server numbers them, and Neon's branch. What the login may not ask is left out.
CREATE OR REPLACE FUNCTION psn.database_identity() RETURNS jsonb
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

REVOKE ALL ON FUNCTION psn.database_identity() FROM PUBLIC;
ALTER FUNCTION psn.database_identity() OWNER TO psn_definer;
