ALTER TABLE "psn"."media" ALTER COLUMN "content" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "psn"."media" ADD COLUMN "object_key" text;--> statement-breakpoint
ALTER TABLE "psn"."media" ADD CONSTRAINT "media_place" CHECK (content is null or object_key is null);--> statement-breakpoint
CREATE POLICY "media_definer" ON "psn"."media" AS PERMISSIVE FOR ALL TO "psn_definer" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "oauth_tokens_definer" ON "psn"."oauth_tokens" AS PERMISSIVE FOR ALL TO "psn_definer" USING (true) WITH CHECK (true);