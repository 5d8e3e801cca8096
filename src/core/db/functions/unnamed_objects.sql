-- Which of these names of objects no row has.
CREATE OR REPLACE FUNCTION psn.unnamed_objects(names text[]) RETURNS TABLE (object_key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT n.name FROM unnest(names) AS n (name)
  WHERE NOT psn.has_parted() AND NOT EXISTS (SELECT FROM psn.media m WHERE m.object_key = n.name)
$$;

REVOKE ALL ON FUNCTION psn.unnamed_objects(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.unnamed_objects(text[]) TO psn_service;
ALTER FUNCTION psn.unnamed_objects(text[]) OWNER TO psn_definer;
