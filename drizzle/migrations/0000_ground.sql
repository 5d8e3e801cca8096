-- The roles every later statement speaks of. Roles belong to the whole server, so another hub may have made them already.
-- psn_runtime: group of every login that runs the program; rows obey their policies for it.
-- psn_service: the hub's own login; may say for which of the hub's users it acts, and may claim what is due.
-- psn_definer: owns the few functions that see across users; nobody logs in as it.
DO $$ BEGIN CREATE ROLE psn_runtime NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
--> statement-breakpoint
DO $$ BEGIN CREATE ROLE psn_service NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
--> statement-breakpoint
DO $$ BEGIN CREATE ROLE psn_definer NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
--> statement-breakpoint
GRANT psn_runtime TO psn_service;
--> statement-breakpoint
GRANT psn_definer TO CURRENT_USER;
--> statement-breakpoint
CREATE SCHEMA IF NOT EXISTS psn;
--> statement-breakpoint
GRANT USAGE ON SCHEMA psn TO psn_runtime, psn_definer;
--> statement-breakpoint
-- The ledger is there before the first migration. Whoever runs the program must be able to see that it is not complete.
GRANT SELECT ON psn.migrations TO psn_runtime;
--> statement-breakpoint
-- For whom this session acts: the one function all policies call. The hub's own login says so by a setting; any other
-- login is one user's own, and the setting cannot make it somebody else. Unset or malformed: nobody, hence no rows.
CREATE FUNCTION psn.current_user_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  chosen text;
BEGIN
  IF pg_catalog.pg_has_role(session_user, 'psn_service', 'MEMBER') THEN
    chosen := pg_catalog.current_setting('app.current_user_id', true);
    IF chosen ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN
      RETURN chosen::uuid;
    END IF;
    RETURN NULL;
  END IF;
  RETURN (SELECT u.id FROM psn.users u WHERE u.login = session_user);
END $$;
--> statement-breakpoint
GRANT CREATE ON SCHEMA psn TO psn_definer;
--> statement-breakpoint
ALTER FUNCTION psn.current_user_id() OWNER TO psn_definer;
--> statement-breakpoint
REVOKE CREATE ON SCHEMA psn FROM psn_definer;
