CREATE SCHEMA IF NOT EXISTS "psn";
--> statement-breakpoint
CREATE TABLE "psn"."accounts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"platform" text NOT NULL,
	"subject" text NOT NULL,
	"handle" text NOT NULL,
	"url" text NOT NULL,
	"home" text NOT NULL,
	"limits" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"health" text DEFAULT 'ok' NOT NULL,
	"health_reason" text,
	"paused_until" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "accounts_subject" UNIQUE("user_id","platform","subject"),
	CONSTRAINT "accounts_id_user" UNIQUE("id","user_id"),
	CONSTRAINT "accounts_health" CHECK (health in ('ok', 'needs-reconnect', 'disconnected'))
);
--> statement-breakpoint
ALTER TABLE "psn"."accounts" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"name" text NOT NULL,
	"value" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_keys_name" UNIQUE("user_id","name")
);
--> statement-breakpoint
ALTER TABLE "psn"."api_keys" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."deliveries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"post_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"state" text NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"wake_at" timestamp with time zone NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"fence" bigint DEFAULT 0 NOT NULL,
	"lease_until" timestamp with time zone,
	"worker" text,
	"code" text,
	"message" text,
	"published_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "deliveries_id_user" UNIQUE("id","user_id"),
	CONSTRAINT "deliveries_post_account" UNIQUE("post_id","account_id"),
	CONSTRAINT "deliveries_state" CHECK (state in ('held', 'scheduled', 'claimed', 'sending', 'pending', 'published', 'failed', 'unconfirmed', 'cancelled'))
);
--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."delivery_events" (
	"delivery_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"sequence" bigint GENERATED ALWAYS AS IDENTITY (sequence name "psn"."delivery_events_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"event" text NOT NULL,
	"attempt" integer NOT NULL,
	"unit" smallint,
	"code" text,
	"note" text,
	"actor" text NOT NULL,
	CONSTRAINT "delivery_events_key" PRIMARY KEY("delivery_id","sequence")
);
--> statement-breakpoint
ALTER TABLE "psn"."delivery_events" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."delivery_units" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"delivery_id" uuid NOT NULL,
	"position" smallint NOT NULL,
	"state" text DEFAULT 'waiting' NOT NULL,
	"body" jsonb NOT NULL,
	"text" text NOT NULL,
	"length" integer NOT NULL,
	"media" uuid[] NOT NULL,
	"needs_prepare" boolean NOT NULL,
	"prepared" jsonb,
	"sent_at" timestamp with time zone,
	"handle" jsonb,
	"ref_id" text,
	"ref_url" text,
	"ref_revision" text,
	"published_at" timestamp with time zone,
	CONSTRAINT "delivery_units_position" UNIQUE("delivery_id","position"),
	CONSTRAINT "delivery_units_state" CHECK (state in ('waiting', 'sending', 'pending', 'published'))
);
--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."media" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"post_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"mime" text NOT NULL,
	"bytes" integer NOT NULL,
	"width" integer,
	"height" integer,
	"sha256" text NOT NULL,
	"alt" text,
	"content" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "psn"."media" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."oauth_tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"access_token" text NOT NULL,
	"refresh_token" text,
	"secret" text,
	"scopes" text[] NOT NULL,
	"expires_at" timestamp with time zone,
	"refresh_lease_until" timestamp with time zone,
	"refreshed_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "oauth_tokens_account_id_unique" UNIQUE("account_id")
);
--> statement-breakpoint
ALTER TABLE "psn"."oauth_tokens" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."posts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"parts" jsonb NOT NULL,
	"overrides" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"title" text,
	"language" text,
	"visibility" text,
	"content_warning" text,
	"split" boolean DEFAULT false NOT NULL,
	"numbered" boolean DEFAULT false NOT NULL,
	"wall_time" text,
	"time_zone" text,
	"idempotency_key" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "posts_idempotency_key" UNIQUE("user_id","idempotency_key"),
	CONSTRAINT "posts_id_user" UNIQUE("id","user_id")
);
--> statement-breakpoint
ALTER TABLE "psn"."posts" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."slots" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"weekday" smallint NOT NULL,
	"wall_time" time NOT NULL,
	"time_zone" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "slots_time" UNIQUE("user_id","weekday","wall_time","time_zone")
);
--> statement-breakpoint
ALTER TABLE "psn"."slots" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"handle" text NOT NULL,
	"time_zone" text NOT NULL,
	"login" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_login_unique" UNIQUE("login")
);
--> statement-breakpoint
ALTER TABLE "psn"."users" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "psn"."workers" (
	"name" text PRIMARY KEY NOT NULL,
	"version" text NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"beat_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "psn"."workers" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "psn"."accounts" ADD CONSTRAINT "accounts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "psn"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "psn"."api_keys" ADD CONSTRAINT "api_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "psn"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_post" FOREIGN KEY ("post_id","user_id") REFERENCES "psn"."posts"("id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "psn"."deliveries" ADD CONSTRAINT "deliveries_account" FOREIGN KEY ("account_id","user_id") REFERENCES "psn"."accounts"("id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "psn"."delivery_events" ADD CONSTRAINT "delivery_events_delivery" FOREIGN KEY ("delivery_id","user_id") REFERENCES "psn"."deliveries"("id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "psn"."delivery_units" ADD CONSTRAINT "delivery_units_delivery" FOREIGN KEY ("delivery_id","user_id") REFERENCES "psn"."deliveries"("id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "psn"."media" ADD CONSTRAINT "media_post" FOREIGN KEY ("post_id","user_id") REFERENCES "psn"."posts"("id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "psn"."oauth_tokens" ADD CONSTRAINT "oauth_tokens_account" FOREIGN KEY ("account_id","user_id") REFERENCES "psn"."accounts"("id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "psn"."posts" ADD CONSTRAINT "posts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "psn"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "psn"."slots" ADD CONSTRAINT "slots_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "psn"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "deliveries_scheduled" ON "psn"."deliveries" USING btree ("account_id","wake_at") WHERE state = 'scheduled';--> statement-breakpoint
CREATE INDEX "deliveries_pending" ON "psn"."deliveries" USING btree ("account_id","wake_at") WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX "deliveries_leased" ON "psn"."deliveries" USING btree ("account_id","lease_until") WHERE state in ('claimed', 'sending');--> statement-breakpoint
CREATE INDEX "deliveries_open" ON "psn"."deliveries" USING btree ("user_id","due_at") WHERE state not in ('published', 'failed', 'cancelled');--> statement-breakpoint
CREATE INDEX "deliveries_recent" ON "psn"."deliveries" USING btree ("user_id","updated_at");--> statement-breakpoint
CREATE INDEX "media_post_id" ON "psn"."media" USING btree ("post_id");--> statement-breakpoint
CREATE POLICY "accounts_own" ON "psn"."accounts" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "accounts_definer" ON "psn"."accounts" AS PERMISSIVE FOR ALL TO "psn_definer" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "api_keys_own" ON "psn"."api_keys" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "deliveries_own" ON "psn"."deliveries" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "deliveries_definer" ON "psn"."deliveries" AS PERMISSIVE FOR ALL TO "psn_definer" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "delivery_events_own" ON "psn"."delivery_events" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "delivery_events_definer" ON "psn"."delivery_events" AS PERMISSIVE FOR ALL TO "psn_definer" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "delivery_units_own" ON "psn"."delivery_units" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "delivery_units_definer" ON "psn"."delivery_units" AS PERMISSIVE FOR ALL TO "psn_definer" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "media_own" ON "psn"."media" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "oauth_tokens_own" ON "psn"."oauth_tokens" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "posts_own" ON "psn"."posts" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "slots_own" ON "psn"."slots" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (user_id = (select psn.current_user_id())) WITH CHECK (user_id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "users_own" ON "psn"."users" AS PERMISSIVE FOR ALL TO "psn_runtime" USING (id = (select psn.current_user_id())) WITH CHECK (id = (select psn.current_user_id()));--> statement-breakpoint
CREATE POLICY "users_definer" ON "psn"."users" AS PERMISSIVE FOR ALL TO "psn_definer" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "workers_service" ON "psn"."workers" AS PERMISSIVE FOR ALL TO "psn_service" USING (true) WITH CHECK (true);