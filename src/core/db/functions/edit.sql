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

REVOKE ALL ON FUNCTION psn.edit(uuid, integer, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION psn.edit(uuid, integer, jsonb, jsonb) TO psn_runtime;
ALTER FUNCTION psn.edit(uuid, integer, jsonb, jsonb) OWNER TO psn_definer;
