-- Counted up with every new token of the row and bound into what is sealed, as the account's platform, subject and home are (ADR 19).
ALTER TABLE "psn"."oauth_tokens" ADD COLUMN "version" integer DEFAULT 1 NOT NULL;
--> statement-breakpoint
GRANT UPDATE (version) ON psn.oauth_tokens TO psn_runtime;
--> statement-breakpoint
-- reseal: what is sealed by now is sealed anew in this migration's transaction (src/core/db/reseal.ts); that needs the hub's key.
COMMENT ON COLUMN psn.oauth_tokens.version IS 'bound into what is sealed';
