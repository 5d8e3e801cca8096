-- No function has to set the reason: a hold without one is for its account, or its code says what it is for. What is not
-- held has none.
CREATE OR REPLACE FUNCTION psn.held_reason() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  NEW.held_reason := CASE WHEN NEW.state = 'held' THEN coalesce(NEW.held_reason,
    CASE NEW.code WHEN 'LATE' THEN 'late' WHEN 'HUB_COPIED' THEN 'copied' ELSE 'reconnect' END) END;
  RETURN NEW;
END $$;

REVOKE ALL ON FUNCTION psn.held_reason() FROM PUBLIC;
