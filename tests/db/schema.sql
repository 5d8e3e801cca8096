-- What the migrations make of a database: written by tests/db/migrate.test.ts with PSN_GOLDEN=write, never by hand.

ROLE psn_definer
ROLE psn_runtime
ROLE psn_service

MEMBER psn_service of psn_runtime

SCHEMA psn (usage to psn_definer; usage to psn_runtime)

TABLE accounts (r) row security forced
  owner owner; select to psn_definer; insert, select to psn_runtime
  id uuid not null
  user_id uuid not null
  platform text not null
  subject text not null
  handle text not null (update to psn_runtime)
  url text not null (update to psn_runtime)
  home text not null (update to psn_runtime)
  limits jsonb not null default '{}'::jsonb (update to psn_runtime)
  health text not null default 'ok'::text (update to psn_definer; update to psn_runtime)
  health_reason text (update to psn_definer; update to psn_runtime)
  paused_until timestamp with time zone (update to psn_definer; update to psn_runtime)
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now() (update to psn_definer; update to psn_runtime)
TABLE api_keys (r) row security forced
  owner owner; delete to psn_definer; insert, select to psn_runtime
  id uuid not null (select to psn_definer; update to psn_runtime)
  user_id uuid not null (select to psn_definer)
  name text not null (select to psn_definer)
  value text not null (update to psn_runtime)
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now() (update to psn_runtime)
TABLE deliveries (r) row security forced
  owner owner; select, update to psn_definer; insert, select to psn_runtime
  id uuid not null
  user_id uuid not null
  post_id uuid not null
  account_id uuid not null
  state text not null (update to psn_service)
  due_at timestamp with time zone not null
  wake_at timestamp with time zone not null (update to psn_service)
  attempt integer not null default 0
  fence bigint not null default 0 (update to psn_service)
  lease_until timestamp with time zone (update to psn_service)
  worker text
  code text (update to psn_service)
  message text (update to psn_service)
  published_at timestamp with time zone
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now() (update to psn_service)
  late text not null default 'ask'::text
  operation text not null default 'publish'::text
  wall_time text
  time_zone text
  revision integer not null default 1
  held_reason text (update to psn_service)
TABLE delivery_events (r) row security forced
  owner owner; insert, select to psn_definer; select to psn_runtime; insert to psn_service
  delivery_id uuid not null
  user_id uuid not null
  sequence bigint not null identity a
  at timestamp with time zone not null default now()
  event text not null
  attempt integer not null
  unit smallint
  code text
  note text
  actor text not null
TABLE delivery_units (r) row security forced
  owner owner; delete, insert, select, update to psn_definer; insert, select to psn_runtime
  id uuid not null
  user_id uuid not null
  delivery_id uuid not null
  position smallint not null
  state text not null default 'waiting'::text
  body jsonb not null
  text text not null
  length integer not null
  media uuid[] not null
  needs_prepare boolean not null
  prepared jsonb
  sent_at timestamp with time zone
  handle jsonb
  ref_id text
  ref_url text
  ref_revision text
  published_at timestamp with time zone
  asked_at timestamp with time zone
  removed_at timestamp with time zone
TABLE incarnation (r) row security forced
  owner owner; insert, select, update to psn_definer
  id uuid not null
  one boolean not null default true
  past uuid[] not null default '{}'::uuid[]
  identity jsonb not null
  seen bigint not null default 0
  parted_at timestamp with time zone
  reason text
  created_at timestamp with time zone not null default now()
TABLE media (r) row security forced
  owner owner; insert, select to psn_runtime
  id uuid not null (select to psn_definer)
  user_id uuid not null (select to psn_definer)
  post_id uuid not null (select to psn_definer)
  kind text not null
  mime text not null
  bytes integer not null
  width integer
  height integer
  sha256 text not null
  alt text
  content bytea (select to psn_definer; update to psn_runtime)
  created_at timestamp with time zone not null default now()
  object_key text (select to psn_definer; update to psn_runtime)
  bucket text
  duration_ms integer
  frame_rate double precision
TABLE migrations (r)
  owner owner; select to psn_runtime
  number integer not null
  hash text not null
  applied_at timestamp with time zone not null default now()
TABLE oauth_tokens (r) row security forced
  owner owner; delete to psn_definer; insert, select to psn_runtime
  id uuid not null (select to psn_definer; update to psn_runtime)
  user_id uuid not null (select to psn_definer)
  account_id uuid not null (select to psn_definer)
  access_token text not null (update to psn_runtime)
  refresh_token text (select to psn_definer; update to psn_runtime)
  secret text (select, update to psn_definer; update to psn_runtime)
  scopes text[] not null (update to psn_runtime)
  expires_at timestamp with time zone (select to psn_definer; update to psn_runtime)
  refresh_lease_until timestamp with time zone (update to psn_runtime)
  refreshed_at timestamp with time zone (select to psn_definer; update to psn_runtime)
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now() (update to psn_definer; update to psn_runtime)
  refresh_rest_until timestamp with time zone (update to psn_runtime)
  version integer not null default 1 (update to psn_runtime)
  secret_until timestamp with time zone (select, update to psn_definer; update to psn_runtime)
TABLE posts (r) row security forced
  owner owner; select to psn_definer; insert, select to psn_runtime
  id uuid not null
  user_id uuid not null
  parts jsonb not null (update to psn_definer)
  overrides jsonb not null default '{}'::jsonb (update to psn_definer)
  title text (update to psn_definer)
  language text (update to psn_definer)
  visibility text (update to psn_definer)
  content_warning text (update to psn_definer)
  split boolean not null default false (update to psn_definer)
  numbered boolean not null default false (update to psn_definer)
  idempotency_key text
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now() (update to psn_definer)
  options jsonb (update to psn_definer)
  targets uuid[] not null default '{}'::uuid[]
  state text not null default 'ready'::text
  revision integer not null default 1 (update to psn_definer)
  origin text
  origin_ref text
TABLE slots (r) row security forced
  owner owner; insert, select to psn_runtime
  id uuid not null
  user_id uuid not null
  weekday smallint not null
  wall_time time without time zone not null
  time_zone text not null
  created_at timestamp with time zone not null default now()
TABLE users (r) row security forced
  owner owner; insert, select to psn_definer; select to psn_runtime
  id uuid not null
  handle text not null (update to psn_runtime)
  time_zone text not null (update to psn_runtime)
  login text
  created_at timestamp with time zone not null default now()
  troubles text[] not null default '{}'::text[] (update to psn_definer)
TABLE workers (r) row security forced
  owner owner; delete, insert, select, update to psn_service
  name text not null
  version text not null
  started_at timestamp with time zone not null default now()
  beat_at timestamp with time zone not null default now()
  settings jsonb not null default '{}'::jsonb

SEQUENCE delivery_events_sequence_seq

CONSTRAINT accounts.accounts_health CHECK ((health = ANY (ARRAY['ok'::text, 'needs-reconnect'::text, 'disconnected'::text])))
CONSTRAINT accounts.accounts_id_user UNIQUE (id, user_id)
CONSTRAINT accounts.accounts_instants CHECK (((LEAST(paused_until, created_at, updated_at) >= to_timestamp((0)::double precision)) AND (GREATEST(paused_until, created_at, updated_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT accounts.accounts_pkey PRIMARY KEY (id)
CONSTRAINT accounts.accounts_sizes CHECK ((GREATEST(octet_length(platform), octet_length(subject), octet_length(handle), octet_length(url), octet_length(home), octet_length(health_reason), pg_column_size(limits)) <= 65536))
CONSTRAINT accounts.accounts_subject UNIQUE (user_id, platform, subject)
CONSTRAINT accounts.accounts_user_id_users_id_fk FOREIGN KEY (user_id) REFERENCES psn.users(id) ON DELETE CASCADE
CONSTRAINT api_keys.api_keys_instants CHECK (((LEAST(created_at, updated_at) >= to_timestamp((0)::double precision)) AND (GREATEST(created_at, updated_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT api_keys.api_keys_name UNIQUE (user_id, name)
CONSTRAINT api_keys.api_keys_pkey PRIMARY KEY (id)
CONSTRAINT api_keys.api_keys_sizes CHECK ((GREATEST(octet_length(name), octet_length(value)) <= 65536))
CONSTRAINT api_keys.api_keys_user_id_users_id_fk FOREIGN KEY (user_id) REFERENCES psn.users(id) ON DELETE CASCADE
CONSTRAINT deliveries.deliveries_account FOREIGN KEY (account_id, user_id) REFERENCES psn.accounts(id, user_id) ON DELETE CASCADE
CONSTRAINT deliveries.deliveries_held CHECK (((state = 'held'::text) = (held_reason IS NOT NULL)))
CONSTRAINT deliveries.deliveries_held_reason CHECK ((held_reason = ANY (ARRAY['reconnect'::text, 'late'::text, 'imported'::text, 'moved'::text, 'copied'::text, 'bucket'::text, 'after'::text, 'draft'::text, 'approval'::text])))
CONSTRAINT deliveries.deliveries_id_user UNIQUE (id, user_id)
CONSTRAINT deliveries.deliveries_instants CHECK (((LEAST(due_at, wake_at, lease_until, published_at, created_at, updated_at) >= to_timestamp((0)::double precision)) AND (GREATEST(due_at, wake_at, lease_until, published_at, created_at, updated_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT deliveries.deliveries_late CHECK ((late = ANY (ARRAY['publish'::text, 'ask'::text, 'drop'::text])))
CONSTRAINT deliveries.deliveries_numbers CHECK ((((attempt >= 0) AND (attempt <= 1000000)) AND ((fence >= 0) AND (fence <= '9007199254740991'::bigint))))
CONSTRAINT deliveries.deliveries_operation CHECK ((operation = ANY (ARRAY['publish'::text, 'edit'::text, 'remove'::text])))
CONSTRAINT deliveries.deliveries_pkey PRIMARY KEY (id)
CONSTRAINT deliveries.deliveries_post FOREIGN KEY (post_id, user_id) REFERENCES psn.posts(id, user_id) ON DELETE CASCADE
CONSTRAINT deliveries.deliveries_post_account UNIQUE (post_id, account_id)
CONSTRAINT deliveries.deliveries_revision CHECK (((revision >= 1) AND (revision <= 1000000)))
CONSTRAINT deliveries.deliveries_sizes CHECK ((GREATEST(octet_length(worker), octet_length(code), octet_length(message), octet_length(wall_time), octet_length(time_zone)) <= 65536))
CONSTRAINT deliveries.deliveries_state CHECK ((state = ANY (ARRAY['held'::text, 'scheduled'::text, 'claimed'::text, 'sending'::text, 'pending'::text, 'published'::text, 'failed'::text, 'unconfirmed'::text, 'cancelled'::text, 'removed'::text])))
CONSTRAINT delivery_events.delivery_events_delivery FOREIGN KEY (delivery_id, user_id) REFERENCES psn.deliveries(id, user_id) ON DELETE CASCADE
CONSTRAINT delivery_events.delivery_events_instants CHECK (((LEAST(at) >= to_timestamp((0)::double precision)) AND (GREATEST(at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT delivery_events.delivery_events_key PRIMARY KEY (delivery_id, sequence)
CONSTRAINT delivery_events.delivery_events_sizes CHECK ((GREATEST(octet_length(event), octet_length(code), octet_length(note), octet_length(actor)) <= 65536))
CONSTRAINT delivery_units.delivery_units_delivery FOREIGN KEY (delivery_id, user_id) REFERENCES psn.deliveries(id, user_id) ON DELETE CASCADE
CONSTRAINT delivery_units.delivery_units_instants CHECK (((LEAST(sent_at, published_at, asked_at, removed_at) >= to_timestamp((0)::double precision)) AND (GREATEST(sent_at, published_at, asked_at, removed_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT delivery_units.delivery_units_numbers CHECK (((("position" >= 0) AND ("position" <= 999)) AND (length >= 0)))
CONSTRAINT delivery_units.delivery_units_pkey PRIMARY KEY (id)
CONSTRAINT delivery_units.delivery_units_position UNIQUE (delivery_id, "position")
CONSTRAINT delivery_units.delivery_units_sizes CHECK (((GREATEST(octet_length(ref_id), octet_length(ref_url), octet_length(ref_revision), pg_column_size(media)) <= 65536) AND (GREATEST(octet_length(text), pg_column_size(body), pg_column_size(prepared), pg_column_size(handle)) <= 2097152)))
CONSTRAINT delivery_units.delivery_units_state CHECK ((state = ANY (ARRAY['waiting'::text, 'sending'::text, 'pending'::text, 'published'::text, 'removed'::text])))
CONSTRAINT incarnation.incarnation_instants CHECK (((LEAST(parted_at, created_at) >= to_timestamp((0)::double precision)) AND (GREATEST(parted_at, created_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT incarnation.incarnation_is_one CHECK (one)
CONSTRAINT incarnation.incarnation_one UNIQUE (one)
CONSTRAINT incarnation.incarnation_pkey PRIMARY KEY (id)
CONSTRAINT media.media_bytes CHECK (((bytes >= 0) AND (octet_length(content) = bytes)))
CONSTRAINT media.media_instants CHECK (((LEAST(created_at) >= to_timestamp((0)::double precision)) AND (GREATEST(created_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT media.media_pkey PRIMARY KEY (id)
CONSTRAINT media.media_place CHECK (((content IS NULL) OR (object_key IS NULL)))
CONSTRAINT media.media_play CHECK (((duration_ms >= 0) AND ((frame_rate >= (0)::double precision) AND (frame_rate <= (1000000)::double precision))))
CONSTRAINT media.media_post FOREIGN KEY (post_id, user_id) REFERENCES psn.posts(id, user_id) ON DELETE CASCADE
CONSTRAINT media.media_sizes CHECK ((GREATEST(octet_length(kind), octet_length(mime), octet_length(sha256), octet_length(alt), octet_length(object_key), octet_length(bucket)) <= 65536))
CONSTRAINT migrations.migrations_pkey PRIMARY KEY (number)
CONSTRAINT oauth_tokens.oauth_tokens_account FOREIGN KEY (account_id, user_id) REFERENCES psn.accounts(id, user_id) ON DELETE CASCADE
CONSTRAINT oauth_tokens.oauth_tokens_account_id_unique UNIQUE (account_id)
CONSTRAINT oauth_tokens.oauth_tokens_instants CHECK (((LEAST(expires_at, secret_until, refresh_lease_until, refresh_rest_until, refreshed_at, created_at, updated_at) >= to_timestamp((0)::double precision)) AND (GREATEST(expires_at, secret_until, refresh_lease_until, refresh_rest_until, refreshed_at, created_at, updated_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT oauth_tokens.oauth_tokens_pkey PRIMARY KEY (id)
CONSTRAINT oauth_tokens.oauth_tokens_sizes CHECK ((GREATEST(octet_length(access_token), octet_length(refresh_token), octet_length(secret), pg_column_size(scopes)) <= 65536))
CONSTRAINT posts.posts_id_user UNIQUE (id, user_id)
CONSTRAINT posts.posts_idempotency_key UNIQUE (user_id, idempotency_key)
CONSTRAINT posts.posts_instants CHECK (((LEAST(created_at, updated_at) >= to_timestamp((0)::double precision)) AND (GREATEST(created_at, updated_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT posts.posts_origin CHECK (((origin IS NULL) = (origin_ref IS NULL)))
CONSTRAINT posts.posts_pkey PRIMARY KEY (id)
CONSTRAINT posts.posts_revision CHECK (((revision >= 1) AND (revision <= 1000000)))
CONSTRAINT posts.posts_sizes CHECK (((GREATEST(octet_length(language), octet_length(visibility), octet_length(origin), octet_length(origin_ref), octet_length(idempotency_key), pg_column_size(targets)) <= 65536) AND (GREATEST(octet_length(title), octet_length(content_warning), pg_column_size(parts), pg_column_size(overrides), pg_column_size(options)) <= 33554432)))
CONSTRAINT posts.posts_state CHECK ((state = ANY (ARRAY['draft'::text, 'ready'::text, 'approval'::text])))
CONSTRAINT posts.posts_user_id_users_id_fk FOREIGN KEY (user_id) REFERENCES psn.users(id) ON DELETE CASCADE
CONSTRAINT slots.slots_instants CHECK (((LEAST(created_at) >= to_timestamp((0)::double precision)) AND (GREATEST(created_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT slots.slots_pkey PRIMARY KEY (id)
CONSTRAINT slots.slots_sizes CHECK ((GREATEST(octet_length(time_zone)) <= 65536))
CONSTRAINT slots.slots_time UNIQUE (user_id, weekday, wall_time, time_zone)
CONSTRAINT slots.slots_user_id_users_id_fk FOREIGN KEY (user_id) REFERENCES psn.users(id) ON DELETE CASCADE
CONSTRAINT users.users_instants CHECK (((LEAST(created_at) >= to_timestamp((0)::double precision)) AND (GREATEST(created_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT users.users_login_unique UNIQUE (login)
CONSTRAINT users.users_pkey PRIMARY KEY (id)
CONSTRAINT users.users_sizes CHECK ((GREATEST(octet_length(handle), octet_length(time_zone), pg_column_size(troubles)) <= 65536))
CONSTRAINT workers.workers_instants CHECK (((LEAST(started_at, beat_at) >= to_timestamp((0)::double precision)) AND (GREATEST(started_at, beat_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT workers.workers_pkey PRIMARY KEY (name)

CREATE UNIQUE INDEX accounts_id_user ON psn.accounts USING btree (id, user_id)
CREATE UNIQUE INDEX accounts_pkey ON psn.accounts USING btree (id)
CREATE UNIQUE INDEX accounts_subject ON psn.accounts USING btree (user_id, platform, subject)
CREATE UNIQUE INDEX api_keys_name ON psn.api_keys USING btree (user_id, name)
CREATE UNIQUE INDEX api_keys_pkey ON psn.api_keys USING btree (id)
CREATE UNIQUE INDEX deliveries_id_user ON psn.deliveries USING btree (id, user_id)
CREATE INDEX deliveries_leased ON psn.deliveries USING btree (account_id, lease_until) WHERE (state = ANY (ARRAY['claimed'::text, 'sending'::text]))
CREATE INDEX deliveries_open ON psn.deliveries USING btree (user_id, due_at) WHERE (state <> ALL (ARRAY['published'::text, 'failed'::text, 'cancelled'::text, 'removed'::text]))
CREATE INDEX deliveries_pending ON psn.deliveries USING btree (account_id, wake_at) WHERE (state = 'pending'::text)
CREATE UNIQUE INDEX deliveries_pkey ON psn.deliveries USING btree (id)
CREATE UNIQUE INDEX deliveries_post_account ON psn.deliveries USING btree (post_id, account_id)
CREATE INDEX deliveries_recent ON psn.deliveries USING btree (user_id, updated_at)
CREATE INDEX deliveries_scheduled ON psn.deliveries USING btree (account_id, wake_at) WHERE (state = 'scheduled'::text)
CREATE UNIQUE INDEX delivery_events_key ON psn.delivery_events USING btree (delivery_id, sequence)
CREATE UNIQUE INDEX delivery_units_pkey ON psn.delivery_units USING btree (id)
CREATE UNIQUE INDEX delivery_units_position ON psn.delivery_units USING btree (delivery_id, "position")
CREATE UNIQUE INDEX incarnation_one ON psn.incarnation USING btree (one)
CREATE UNIQUE INDEX incarnation_pkey ON psn.incarnation USING btree (id)
CREATE UNIQUE INDEX media_pkey ON psn.media USING btree (id)
CREATE INDEX media_post_id ON psn.media USING btree (post_id)
CREATE UNIQUE INDEX migrations_pkey ON psn.migrations USING btree (number)
CREATE UNIQUE INDEX oauth_tokens_account_id_unique ON psn.oauth_tokens USING btree (account_id)
CREATE UNIQUE INDEX oauth_tokens_pkey ON psn.oauth_tokens USING btree (id)
CREATE UNIQUE INDEX posts_id_user ON psn.posts USING btree (id, user_id)
CREATE UNIQUE INDEX posts_idempotency_key ON psn.posts USING btree (user_id, idempotency_key)
CREATE UNIQUE INDEX posts_pkey ON psn.posts USING btree (id)
CREATE UNIQUE INDEX slots_pkey ON psn.slots USING btree (id)
CREATE UNIQUE INDEX slots_time ON psn.slots USING btree (user_id, weekday, wall_time, time_zone)
CREATE UNIQUE INDEX users_login_unique ON psn.users USING btree (login)
CREATE UNIQUE INDEX users_pkey ON psn.users USING btree (id)
CREATE UNIQUE INDEX workers_pkey ON psn.workers USING btree (name)

POLICY accounts.accounts_definer permissive all to psn_definer
  using (true)
  with check (true)
POLICY accounts.accounts_own permissive all to psn_runtime
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
POLICY api_keys.api_keys_definer permissive all to psn_definer
  using (true)
  with check (true)
POLICY api_keys.api_keys_own permissive all to psn_runtime
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
POLICY deliveries.deliveries_definer permissive all to psn_definer
  using (true)
  with check (true)
POLICY deliveries.deliveries_own permissive all to psn_runtime
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check (((user_id = ( SELECT psn.current_user_id() AS current_user_id)) AND ((CURRENT_USER = 'psn_service'::name) OR ((state = 'scheduled'::text) AND (wake_at = due_at) AND (attempt = 0) AND (fence = 0) AND (lease_until IS NULL) AND (worker IS NULL) AND (revision = 1) AND (code IS NULL) AND (message IS NULL) AND (published_at IS NULL) AND (operation = 'publish'::text)))))
POLICY delivery_events.delivery_events_definer permissive all to psn_definer
  using (true)
  with check (true)
POLICY delivery_events.delivery_events_own permissive all to psn_runtime
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
POLICY delivery_units.delivery_units_definer permissive all to psn_definer
  using (true)
  with check (true)
POLICY delivery_units.delivery_units_own permissive all to psn_runtime
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check (((user_id = ( SELECT psn.current_user_id() AS current_user_id)) AND ((CURRENT_USER = 'psn_service'::name) OR ((state = 'waiting'::text) AND (prepared IS NULL) AND (sent_at IS NULL) AND (handle IS NULL) AND (ref_id IS NULL) AND (ref_url IS NULL) AND (ref_revision IS NULL) AND (published_at IS NULL) AND (asked_at IS NULL) AND (removed_at IS NULL)))))
POLICY incarnation.incarnation_definer permissive all to psn_definer
  using (true)
  with check (true)
POLICY media.media_definer permissive all to psn_definer
  using (true)
  with check (true)
POLICY media.media_own permissive all to psn_runtime
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
POLICY oauth_tokens.oauth_tokens_definer permissive all to psn_definer
  using (true)
  with check (true)
POLICY oauth_tokens.oauth_tokens_own permissive all to psn_runtime
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
POLICY posts.posts_definer permissive all to psn_definer
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
POLICY posts.posts_own permissive all to psn_runtime
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check (((user_id = ( SELECT psn.current_user_id() AS current_user_id)) AND ((CURRENT_USER = 'psn_service'::name) OR (revision = 1))))
POLICY slots.slots_own permissive all to psn_runtime
  using ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check ((user_id = ( SELECT psn.current_user_id() AS current_user_id)))
POLICY users.users_definer permissive all to psn_definer
  using (true)
  with check (true)
POLICY users.users_own permissive all to psn_runtime
  using ((id = ( SELECT psn.current_user_id() AS current_user_id)))
  with check ((id = ( SELECT psn.current_user_id() AS current_user_id)))
POLICY workers.workers_service permissive all to psn_service
  using (true)
  with check (true)

CREATE TRIGGER deliveries_held BEFORE INSERT OR UPDATE OF state, held_reason ON psn.deliveries FOR EACH ROW WHEN (((new.state = 'held'::text) OR (new.held_reason IS NOT NULL))) EXECUTE FUNCTION psn.held_reason()
CREATE TRIGGER deliveries_wake AFTER INSERT OR UPDATE OF state, wake_at ON psn.deliveries FOR EACH ROW WHEN ((new.state = 'scheduled'::text)) EXECUTE FUNCTION psn.wake()

FUNCTION psn.add_user(uuid,text,text); owner psn_definer; execute to psn_service; md5 of its definition a15f8a3121d1f91eed319d8762474e2f
FUNCTION psn.after_step_back(); owner psn_definer; execute to psn_service; md5 of its definition 9b37dbbca5589a5d82d8b8475f94af84
FUNCTION psn.assert_schema(integer); owner owner; execute to psn_runtime; md5 of its definition cb3378c5b8aecda1a6b9be7bc6f4b92c
FUNCTION psn.cancel(uuid[]); owner psn_definer; execute to psn_runtime; md5 of its definition f4752508c087386840f7fc311d68d098
FUNCTION psn.claim_due(text,integer,integer,jsonb,uuid[],uuid[]); owner psn_definer; execute to psn_service; md5 of its definition 73cfb3632efde222974fd5f1a520aa7f
FUNCTION psn.claim_one(text,integer,jsonb,uuid); owner psn_definer; execute to psn_service; md5 of its definition ec2c19078309aee553fe90a04432ba5d
FUNCTION psn.current_user_id(); owner psn_definer; execute to psn_runtime; md5 of its definition 8c7a21a96e6891e881387a96db571ae5
FUNCTION psn.database_identity(); owner psn_definer; ; md5 of its definition 9557d5fd3bebe7caa96dd2c286b6c26f
FUNCTION psn.disconnect(uuid,text); owner psn_definer; execute to psn_runtime; md5 of its definition 1692f1063f1232fcfe0b5894dec83502
FUNCTION psn.drop_ended_secrets(); owner psn_definer; execute to psn_service; md5 of its definition 6b91803c08b82c0106038d8cb1956f0e
FUNCTION psn.edit(uuid,integer,jsonb,jsonb); owner psn_definer; execute to psn_runtime; md5 of its definition 5b60404581fe24b4f8ade820affeb2dd
FUNCTION psn.forget_key(text); owner psn_definer; execute to psn_runtime; md5 of its definition fe6ca3abcc00c75d5c4d5cd30b8c7a3b
FUNCTION psn.forget_troubles(); owner psn_definer; execute to psn_service; md5 of its definition b982a2e32842bf4db1fe097ff9ea94f6
FUNCTION psn.has_parted(); owner psn_definer; ; md5 of its definition 7471f87a23a0aa2fed01449358cad2e4
FUNCTION psn.held_reason(); owner owner; ; md5 of its definition 7600ba2fbfcea9d238490c57ed398624
FUNCTION psn.hub_users(); owner psn_definer; execute to psn_service; md5 of its definition ec21d3c58ec791e154b40041acd7b62b
FUNCTION psn.incarnate(uuid,uuid); owner psn_definer; execute to psn_service; md5 of its definition e3d8114db808ffdfc35010dba1883867
FUNCTION psn.is_preparing(uuid,text); owner psn_definer; ; md5 of its definition da9fad0e168bde638c5a1bf127159938
FUNCTION psn.is_unsent(uuid,text); owner psn_definer; ; md5 of its definition 20152dc9abb7ef686c1f31c158d6ddbf
FUNCTION psn.mend_trouble(text,text); owner psn_definer; execute to psn_service; md5 of its definition 5d88b59655122d9a6beb995b08b806a1
FUNCTION psn.move(uuid[],timestamp with time zone,text,text,text); owner psn_definer; execute to psn_runtime; md5 of its definition 50b4a435f6e05a3d89390ac70c26c457
FUNCTION psn.next_wake(jsonb,uuid[]); owner psn_definer; execute to psn_service; md5 of its definition 79e233964186abde8f43a40b709a5e7a
FUNCTION psn.note(uuid[],text,text,text); owner psn_definer; execute to psn_runtime; md5 of its definition 6ec433e782d5d8d17634fa5206eafe50
FUNCTION psn.note_ending_tokens(text[],double precision); owner psn_definer; execute to psn_service; md5 of its definition 5f218e8153e795ebcfdd5bcd1667620d
FUNCTION psn.note_trouble(text); owner psn_definer; execute to psn_service; md5 of its definition d8a1742345ef0efe2465372dafcaa749
FUNCTION psn.part(text,text,text,uuid); owner psn_definer; execute to psn_service; md5 of its definition 33b5c1e365c20719ed8b872e30ab3b5a
FUNCTION psn.reconnect(uuid); owner psn_definer; execute to psn_runtime; md5 of its definition 4a9edb7640e2a65b2b1003603cbac9e7
FUNCTION psn.recover(uuid,bigint,text,jsonb,text); owner psn_definer; execute to psn_runtime; md5 of its definition 1f03c884e79f62f338c4bd2a64da4895
FUNCTION psn.remove(uuid[]); owner psn_definer; execute to psn_runtime; md5 of its definition d662d745edd1ec9e962206a7862df202
FUNCTION psn.resolve(uuid,boolean,text,text); owner psn_definer; execute to psn_runtime; md5 of its definition 8135cc09d0f9bb57f2bc7368519a93da
FUNCTION psn.retry(uuid[]); owner psn_definer; execute to psn_runtime; md5 of its definition 16278ddcf74c2047f6de8ed1c9b7839b
FUNCTION psn.see_incarnation(); owner psn_definer; execute to psn_service; md5 of its definition 98d99cc283ef5ee8677fd0825de93040
FUNCTION psn.settle(jsonb); owner psn_definer; execute to psn_runtime; md5 of its definition 0b495e77719793d7b57615090d905d2a
FUNCTION psn.spent_media(double precision,integer); owner psn_definer; execute to psn_service; md5 of its definition b89df73b4c4edac51db9fa139b344deb
FUNCTION psn.stale_tokens(text[],double precision,double precision); owner psn_definer; execute to psn_service; md5 of its definition e7b7b46f0a32f4a35faea1dfcdc1ee46
FUNCTION psn.unnamed_objects(text[]); owner psn_definer; execute to psn_service; md5 of its definition bcd11c5318279525715eec94f273fcdc
FUNCTION psn.wake(); owner owner; execute to psn_runtime; md5 of its definition 9ea2c9457be5be6f4be3d4b8eaff485e
FUNCTION psn.wake_troubled(text[]); owner psn_definer; execute to psn_service; md5 of its definition 467f8d87d516147cb8f02ca4db97bbd2
FUNCTION psn.wake_ups(jsonb,double precision,integer); owner psn_definer; execute to psn_service; md5 of its definition 94cd7082a9b1fc507c144d1606e39508
