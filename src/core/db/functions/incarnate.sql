-- Makes this database a new incarnation: the first, if `instead` is null and there is none, or the one after `instead`. Returns the
-- one that holds now.
CREATE OR REPLACE FUNCTION psn.incarnate(next uuid, instead uuid) RETURNS uuid
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

REVOKE ALL ON FUNCTION psn.incarnate(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.incarnate(uuid, uuid) TO psn_service;
ALTER FUNCTION psn.incarnate(uuid, uuid) OWNER TO psn_definer;
