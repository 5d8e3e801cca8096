-- An account's id is its server's own, and two servers may give the same: what psn knows an account by names the server too.
-- The tables' owner is bound by their policies as everybody is, but for this.
ALTER TABLE psn.accounts NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
UPDATE psn.accounts SET subject = subject || '@' || regexp_replace(home, '^https?://([^/]+).*$', '\1')
WHERE platform = 'mastodon' AND position('@' IN subject) = 0;
--> statement-breakpoint
ALTER TABLE psn.accounts FORCE ROW LEVEL SECURITY;
