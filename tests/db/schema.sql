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
CONSTRAINT deliveries.deliveries_pkey PRIMARY KEY (id)
CONSTRAINT deliveries.deliveries_post FOREIGN KEY (post_id, user_id) REFERENCES psn.posts(id, user_id) ON DELETE CASCADE
CONSTRAINT deliveries.deliveries_post_account UNIQUE (post_id, account_id)
CONSTRAINT deliveries.deliveries_revision CHECK (((revision >= 1) AND (revision <= 1000000)))
CONSTRAINT deliveries.deliveries_sizes CHECK ((GREATEST(octet_length(worker), octet_length(code), octet_length(message), octet_length(wall_time), octet_length(time_zone)) <= 65536))
CONSTRAINT deliveries.deliveries_state CHECK ((state = ANY (ARRAY['held'::text, 'scheduled'::text, 'claimed'::text, 'sending'::text, 'pending'::text, 'published'::text, 'failed'::text, 'unconfirmed'::text, 'cancelled'::text])))
CONSTRAINT delivery_events.delivery_events_delivery FOREIGN KEY (delivery_id, user_id) REFERENCES psn.deliveries(id, user_id) ON DELETE CASCADE
CONSTRAINT delivery_events.delivery_events_instants CHECK (((LEAST(at) >= to_timestamp((0)::double precision)) AND (GREATEST(at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT delivery_events.delivery_events_key PRIMARY KEY (delivery_id, sequence)
CONSTRAINT delivery_events.delivery_events_sizes CHECK ((GREATEST(octet_length(event), octet_length(code), octet_length(note), octet_length(actor)) <= 65536))
CONSTRAINT delivery_units.delivery_units_delivery FOREIGN KEY (delivery_id, user_id) REFERENCES psn.deliveries(id, user_id) ON DELETE CASCADE
CONSTRAINT delivery_units.delivery_units_instants CHECK (((LEAST(sent_at, published_at) >= to_timestamp((0)::double precision)) AND (GREATEST(sent_at, published_at) < to_timestamp(('253402300800'::bigint)::double precision))))
CONSTRAINT delivery_units.delivery_units_numbers CHECK (((("position" >= 0) AND ("position" <= 999)) AND (length >= 0)))
CONSTRAINT delivery_units.delivery_units_pkey PRIMARY KEY (id)
CONSTRAINT delivery_units.delivery_units_position UNIQUE (delivery_id, "position")
CONSTRAINT delivery_units.delivery_units_sizes CHECK (((GREATEST(octet_length(ref_id), octet_length(ref_url), octet_length(ref_revision), pg_column_size(media)) <= 65536) AND (GREATEST(octet_length(text), pg_column_size(body), pg_column_size(prepared), pg_column_size(handle)) <= 2097152)))
CONSTRAINT delivery_units.delivery_units_state CHECK ((state = ANY (ARRAY['waiting'::text, 'sending'::text, 'pending'::text, 'published'::text])))
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
CREATE INDEX deliveries_open ON psn.deliveries USING btree (user_id, due_at) WHERE (state <> ALL (ARRAY['published'::text, 'failed'::text, 'cancelled'::text]))
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
  with check (((user_id = ( SELECT psn.current_user_id() AS current_user_id)) AND ((CURRENT_USER = 'psn_service'::name) OR ((state = 'scheduled'::text) AND (wake_at = due_at) AND (attempt = 0) AND (fence = 0) AND (lease_until IS NULL) AND (worker IS NULL) AND (revision = 1) AND (code IS NULL) AND (message IS NULL) AND (published_at IS NULL)))))
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
  with check (((user_id = ( SELECT psn.current_user_id() AS current_user_id)) AND ((CURRENT_USER = 'psn_service'::name) OR ((state = 'waiting'::text) AND (prepared IS NULL) AND (sent_at IS NULL) AND (handle IS NULL) AND (ref_id IS NULL) AND (ref_url IS NULL) AND (ref_revision IS NULL) AND (published_at IS NULL)))))
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
  using (true)
  with check (true)
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

-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.add_user(id uuid, handle text, time_zone text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
BEGIN
  INSERT INTO psn.users (id, handle, time_zone) VALUES (add_user.id, add_user.handle, add_user.time_zone) ON CONFLICT DO NOTHING;
  RETURN FOUND;
END $function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.after_step_back()
 RETURNS boolean
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
  WITH deliveries AS (
    UPDATE psn.deliveries d SET
      lease_until = CASE WHEN d.lease_until IS NOT NULL THEN now() + least(d.lease_until - d.updated_at, interval '31 days') END,
      wake_at = CASE WHEN d.wake_at <= now() OR (d.state = 'scheduled' AND d.wake_at <= d.due_at) THEN d.wake_at
        ELSE greatest(CASE WHEN d.state = 'scheduled' THEN d.due_at END, now() + least(d.wake_at - d.updated_at, interval '31 days')) END,
      updated_at = now()
    WHERE d.id = ANY (ARRAY(
      -- By user, since the index is: a look finds nothing at once where nothing lies in the future.
      SELECT o.id FROM psn.users u JOIN psn.deliveries o ON o.user_id = u.id
      WHERE o.updated_at > clock_timestamp() + interval '10 seconds' AND o.state IN ('scheduled', 'claimed', 'sending', 'pending', 'unconfirmed')
      FOR NO KEY UPDATE OF o SKIP LOCKED))
    RETURNING d.id
  ), accounts AS (
    UPDATE psn.accounts a SET paused_until = now() + least(a.paused_until - a.updated_at, interval '31 days'), updated_at = now()
    WHERE a.id = ANY (ARRAY(
      SELECT o.id FROM psn.accounts o WHERE o.paused_until > now() AND o.updated_at > clock_timestamp() + interval '10 seconds'
      FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING a.id
  )
  SELECT EXISTS (SELECT FROM deliveries) OR EXISTS (SELECT FROM accounts)
$function$
-- owner owner; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.assert_schema(expected integer)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
DECLARE
  applied integer := (SELECT count(*) FROM psn.migrations);
BEGIN
  IF applied < expected THEN RAISE EXCEPTION 'older schema' USING ERRCODE = 'PSN01'; END IF;
  IF applied > expected THEN RAISE EXCEPTION 'newer schema' USING ERRCODE = 'PSN02'; END IF;
  RETURN true;
END $function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.cancel(ids uuid[])
 RETURNS TABLE(delivery_id uuid)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'cancelled', fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())
      AND (d.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(d.id, d.state))
    RETURNING d.id, d.user_id, d.attempt
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'cancelled', c.attempt, 'user' FROM changed c RETURNING e.delivery_id
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.claim_due(worker text, most integer, lease integer, concurrency jsonb, chosen uuid[], busy uuid[])
 RETURNS TABLE(delivery_id uuid, user_id uuid, fence bigint, purpose text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
DECLARE
  mine uuid[];
  users integer;
  ids uuid[];
BEGIN
  IF psn.has_parted() THEN RETURN; END IF;
  IF chosen IS NULL THEN
    SELECT array_agg(due.id), count(DISTINCT due.user_id) INTO mine, users FROM (
      SELECT a.id, a.user_id FROM psn.accounts a
      WHERE concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND (EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'scheduled' AND d.wake_at <= now())
          OR EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'pending' AND d.wake_at <= now())
          OR EXISTS (SELECT FROM psn.deliveries d WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      FOR NO KEY UPDATE SKIP LOCKED
    ) due;
    IF mine IS NULL THEN RETURN; END IF;
    -- Account by account, so that the backlog of one never hides what another has due.
    SELECT array_agg(taken.id) INTO ids FROM (
      SELECT d.id FROM (
        SELECT c.id, c.since, CASE WHEN users > 1
          THEN coalesce(at_work.n, 0) + row_number() OVER (PARTITION BY room.user_id ORDER BY c.since) ELSE 0 END AS place
        FROM (
          SELECT a.id, a.user_id, least(greatest((concurrency ->> a.platform)::integer - (SELECT count(*) FROM psn.deliveries f
            WHERE f.account_id = a.id AND f.state IN ('claimed', 'sending') AND f.worker IS NOT NULL
              AND (f.lease_until > now() OR f.id = ANY (busy))), 0), most) AS n
          FROM psn.accounts a WHERE a.id = ANY (mine)
        ) room LEFT JOIN (
          SELECT b.user_id, count(*) AS n FROM psn.deliveries b WHERE users > 1 AND b.id = ANY (busy) GROUP BY b.user_id
        ) at_work ON at_work.user_id = room.user_id CROSS JOIN LATERAL (
          (SELECT d.id, d.wake_at AS since FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state = 'scheduled' AND d.wake_at <= now() AND d.id <> ALL (busy) ORDER BY d.wake_at LIMIT room.n)
          UNION ALL
          (SELECT d.id, d.lease_until FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now() AND d.id <> ALL (busy) ORDER BY d.lease_until LIMIT room.n)
          UNION ALL
          (SELECT d.id, d.wake_at FROM psn.deliveries d
            WHERE d.account_id = room.id AND d.state = 'pending' AND d.wake_at <= now() AND d.id <> ALL (busy) ORDER BY d.wake_at LIMIT room.n)
          ORDER BY since LIMIT room.n
        ) c
      ) fair JOIN psn.deliveries d ON d.id = fair.id
      ORDER BY fair.place, fair.since LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
    ) taken;
  ELSE
    SELECT array_agg(taken.id) INTO ids FROM (
      SELECT d.id FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
      WHERE d.id = ANY (chosen) AND d.id <> ALL (busy) AND concurrency ? a.platform AND a.health = 'ok' AND (a.paused_until IS NULL OR a.paused_until <= now())
        AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      ORDER BY d.wake_at LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
    ) taken;
  END IF;

  RETURN QUERY
  WITH due AS MATERIALIZED (
    SELECT d.id, d.state, d.fence,
      coalesce((SELECT t.expires_at > now() + interval '30 seconds' OR (t.refresh_token IS NULL AND t.secret IS NULL)
        FROM psn.oauth_tokens t WHERE t.account_id = d.account_id), true) AS fresh
    FROM psn.deliveries d WHERE d.id = ANY (ids) AND d.fence < 9007199254740991
  ),
  next AS MATERIALIZED (
    SELECT DISTINCT ON (u.delivery_id) u.delivery_id, u.id,
      due.fresh AND (u.prepared IS NOT NULL OR NOT (u.needs_prepare OR cardinality(u.media) > 0)) AS ready
    FROM psn.delivery_units u JOIN due ON due.id = u.delivery_id
    WHERE u.state <> 'published' AND due.state IN ('scheduled', 'claimed') ORDER BY u.delivery_id, u.position
  ),
  open AS MATERIALIZED (
    SELECT u.id FROM psn.delivery_units u WHERE u.id = ANY (ARRAY(SELECT next.id FROM next WHERE next.ready)) FOR NO KEY UPDATE SKIP LOCKED
  ),
  taken AS (
    UPDATE psn.deliveries d SET
      state = CASE WHEN d.state IN ('scheduled', 'claimed') THEN CASE WHEN next.ready THEN 'sending' ELSE 'claimed' END ELSE d.state END,
      attempt = least(d.attempt + CASE WHEN d.state IN ('scheduled', 'claimed') THEN 1 ELSE 0 END, 1000000),
      fence = d.fence + 1, lease_until = now() + lease * interval '1 millisecond',
      -- A poll leaves the row pending; its next look is set by the settle, and until then by the lease.
      wake_at = CASE WHEN d.state = 'pending' THEN now() + lease * interval '1 millisecond' ELSE d.wake_at END,
      worker = claim_due.worker, updated_at = now()
    FROM due LEFT JOIN next ON next.delivery_id = due.id
    -- Between the look and this write somebody else may have claimed, moved or cancelled it: each of them raises the fence.
    WHERE d.id = due.id AND d.state = due.state AND d.fence = due.fence
      AND ((d.state IN ('scheduled', 'pending') AND d.wake_at <= now()) OR (d.state IN ('claimed', 'sending') AND d.lease_until <= now()))
      AND (next.ready IS NOT TRUE OR next.id = ANY (ARRAY(SELECT open.id FROM open)))
    RETURNING d.id, d.user_id, d.fence, d.state, d.attempt, due.state AS was
  ),
  opened AS (
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now())
    FROM next JOIN taken ON taken.id = next.delivery_id
    WHERE u.id = next.id AND next.ready AND taken.was IN ('scheduled', 'claimed')
  ),
  noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, actor)
    SELECT t.id, t.user_id, CASE t.was WHEN 'sending' THEN 'settling' WHEN 'pending' THEN 'polling' ELSE t.state END, t.attempt, claim_due.worker
    FROM taken t
  )
  SELECT t.id, t.user_id, t.fence, CASE t.was WHEN 'sending' THEN 'settle' WHEN 'pending' THEN 'poll' ELSE 'publish' END FROM taken t;
END $function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.claim_one(worker text, lease integer, concurrency jsonb, delivery uuid)
 RETURNS TABLE(delivery_id uuid, user_id uuid, fence bigint, purpose text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
BEGIN
  IF psn.has_parted() THEN RETURN; END IF;
  RETURN QUERY SELECT c.delivery_id, c.user_id, c.fence, c.purpose
    FROM psn.claim_due(claim_one.worker, 1, lease, concurrency, ARRAY[delivery], '{}') c;
  IF FOUND THEN RETURN; END IF;
  RETURN QUERY SELECT d.id, d.user_id, d.fence,
      CASE (SELECT e.event FROM psn.delivery_events e WHERE e.delivery_id = d.id AND e.actor = claim_one.worker ORDER BY e.sequence DESC LIMIT 1)
        WHEN 'settling' THEN 'settle' WHEN 'polling' THEN 'poll' ELSE 'publish' END
    FROM psn.deliveries d
    WHERE d.id = delivery AND d.worker = claim_one.worker AND d.state IN ('claimed', 'sending', 'pending') AND d.lease_until > now();
END $function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.current_user_id()
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
END $function$
-- owner psn_definer; 
CREATE OR REPLACE FUNCTION psn.database_identity()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
DECLARE
  identity jsonb := jsonb_build_object('database', (SELECT d.oid::text FROM pg_catalog.pg_database d WHERE d.datname = current_database()),
    'table', 'psn.deliveries'::regclass::oid::text, 'branch', current_setting('neon.timeline_id', true));
BEGIN
  BEGIN
    identity := identity || jsonb_build_object('system', (SELECT s.system_identifier::text FROM pg_catalog.pg_control_system() s));
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  BEGIN
    identity := identity || jsonb_build_object('history', left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8));
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  RETURN jsonb_strip_nulls(identity);
END $function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.disconnect(account uuid, why text)
 RETURNS TABLE(cancelled integer, unconfirmed integer)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = CASE WHEN o.taken_back THEN 'cancelled' ELSE 'unconfirmed' END,
      code = CASE WHEN o.taken_back THEN d.code ELSE 'UNCONFIRMED' END,
      message = CASE WHEN o.taken_back THEN why ELSE why || ' before the platform had answered' END,
      fence = d.fence + o.taken_back::integer, lease_until = CASE WHEN NOT o.taken_back THEN d.lease_until END, updated_at = now()
    FROM (SELECT x.id, x.state, x.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(x.id, x.state) AS taken_back
      FROM psn.deliveries x WHERE x.account_id = account AND x.user_id = (SELECT psn.current_user_id())
        AND x.state IN ('held', 'scheduled', 'claimed', 'sending', 'pending') FOR NO KEY UPDATE) o
    WHERE d.id = o.id
    RETURNING d.id, d.user_id, d.attempt, d.state
  ), noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
    SELECT c.id, c.user_id, c.state, c.attempt, why, 'user' FROM changed c
  ), forgotten AS (
    DELETE FROM psn.oauth_tokens t WHERE t.account_id = account AND t.user_id = (SELECT psn.current_user_id())
  ), gone AS (
    UPDATE psn.accounts a SET health = 'disconnected', health_reason = NULL, updated_at = now()
    WHERE a.id = account AND a.user_id = (SELECT psn.current_user_id())
  )
  SELECT count(*) FILTER (WHERE c.state = 'cancelled')::integer, count(*) FILTER (WHERE c.state = 'unconfirmed')::integer FROM changed c
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.drop_ended_secrets()
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH gone AS (
    UPDATE psn.oauth_tokens t SET secret = NULL, secret_until = NULL, updated_at = now()
    WHERE t.id = ANY (ARRAY(SELECT o.id FROM psn.oauth_tokens o WHERE o.secret_until <= now() FOR NO KEY UPDATE SKIP LOCKED)) RETURNING t.id
  )
  SELECT count(*)::integer FROM gone
$function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.edit(post uuid, base integer, source jsonb, changes jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
DECLARE
  mine CONSTANT uuid := psn.current_user_id();
  ids uuid[];
BEGIN
  UPDATE psn.posts p SET parts = source -> 'parts', overrides = source -> 'overrides', options = source -> 'options',
    title = source ->> 'title', language = source ->> 'language', visibility = source ->> 'visibility',
    content_warning = source ->> 'contentWarning', split = (source ->> 'split')::boolean, numbered = (source ->> 'numbered')::boolean,
    revision = p.revision + 1, updated_at = now()
  WHERE p.id = post AND p.user_id = mine AND p.revision = base;
  IF NOT FOUND THEN RAISE EXCEPTION 'the post has another revision' USING ERRCODE = 'PSN03'; END IF;
  -- Locked before they are looked at: a worker settles without raising the fence.
  SELECT coalesce(array_agg(o.id), '{}') INTO ids FROM (
    SELECT d.id FROM psn.deliveries d JOIN jsonb_to_recordset(changes) AS c(id uuid, fence bigint) ON c.id = d.id AND c.fence = d.fence
    WHERE d.post_id = post AND d.user_id = mine ORDER BY d.id FOR NO KEY UPDATE OF d
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
  FROM jsonb_to_recordset(changes) AS c(id uuid, units jsonb) CROSS JOIN LATERAL
    jsonb_to_recordset(c.units) AS u(id uuid, position smallint, body jsonb, text text, length integer, media jsonb, prepare boolean);
  -- Whoever has claimed it loses it before anything is sent.
  UPDATE psn.deliveries d SET state = CASE WHEN d.state IN ('claimed', 'pending') THEN 'scheduled' ELSE d.state END,
    wake_at = CASE d.state WHEN 'pending' THEN greatest(d.due_at, now()) ELSE d.wake_at END, revision = base + 1,
    fence = d.fence + 1, lease_until = NULL, updated_at = now()
  WHERE d.id = ANY (ids);
  INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
  SELECT d.id, mine, 'edited', d.attempt, 'revision ' || base + 1, 'user' FROM psn.deliveries d WHERE d.id = ANY (ids);
  RETURN true;
END $function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.forget_key(name text)
 RETURNS boolean
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH gone AS (DELETE FROM psn.api_keys k WHERE k.name = forget_key.name AND k.user_id = (SELECT psn.current_user_id()) RETURNING k.id)
  SELECT EXISTS (SELECT FROM gone)
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.forget_troubles()
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH kept AS (
    SELECT u.id, ARRAY(SELECT t.said FROM unnest(u.troubles) WITH ORDINALITY AS t (said, nth) WHERE EXISTS (SELECT FROM psn.deliveries d
      WHERE d.user_id = u.id AND d.state NOT IN ('published', 'failed', 'unconfirmed', 'cancelled', 'held')
        AND d.code = split_part(t.said, ':', 1)) ORDER BY t.nth) AS troubles
    FROM psn.users u WHERE u.troubles <> '{}' FOR NO KEY UPDATE SKIP LOCKED
  ), forgotten AS (
    UPDATE psn.users u SET troubles = k.troubles FROM kept k WHERE u.id = k.id AND u.troubles <> k.troubles RETURNING u.id
  )
  SELECT count(*)::integer FROM forgotten
$function$
-- owner psn_definer; 
CREATE OR REPLACE FUNCTION psn.has_parted()
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  SELECT coalesce((SELECT i.parted_at IS NOT NULL OR i.identity ->> 'table' <> 'psn.deliveries'::regclass::oid::text
      OR i.identity ->> 'database' <> (SELECT d.oid::text FROM pg_catalog.pg_database d WHERE d.datname = current_database())
      OR i.identity ->> 'branch' <> current_setting('neon.timeline_id', true)
    FROM psn.incarnation i WHERE i.one), false)
$function$
-- owner owner; 
CREATE OR REPLACE FUNCTION psn.held_reason()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
BEGIN
  NEW.held_reason := CASE WHEN NEW.state = 'held' THEN coalesce(NEW.held_reason,
    CASE NEW.code WHEN 'LATE' THEN 'late' WHEN 'HUB_COPIED' THEN 'copied' ELSE 'reconnect' END) END;
  RETURN NEW;
END $function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.hub_users()
 RETURNS TABLE(user_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  SELECT u.id FROM psn.users u WHERE NOT psn.has_parted() ORDER BY u.id
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.incarnate(next uuid, instead uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
BEGIN
  IF instead IS NULL THEN
    INSERT INTO psn.incarnation (id, identity) VALUES (next, psn.database_identity()) ON CONFLICT DO NOTHING;
  ELSE
    UPDATE psn.incarnation i SET id = next, past = i.past || i.id, identity = psn.database_identity(), seen = i.seen + 1,
      parted_at = NULL, reason = NULL, created_at = now() WHERE i.id = instead;
  END IF;
  RETURN (SELECT i.id FROM psn.incarnation i);
END $function$
-- owner psn_definer; 
CREATE OR REPLACE FUNCTION psn.is_preparing(delivery uuid, state text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  SELECT is_preparing.state = 'pending' AND NOT EXISTS (SELECT FROM psn.delivery_units u
    WHERE u.delivery_id = delivery AND u.state = 'pending' AND u.sent_at IS NOT NULL)
$function$
-- owner psn_definer; 
CREATE OR REPLACE FUNCTION psn.is_unsent(delivery uuid, state text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  SELECT is_unsent.state NOT IN ('sending', 'published', 'unconfirmed') AND NOT EXISTS (SELECT FROM psn.delivery_units u
    WHERE u.delivery_id = delivery AND (u.state IN ('sending', 'published') OR u.sent_at IS NOT NULL))
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.mend_trouble(said text, because text)
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH forgotten AS (
    UPDATE psn.users u SET troubles = array_remove(u.troubles, said)
    WHERE u.id = (SELECT psn.current_user_id()) AND said = ANY (u.troubles)
  ), woken AS (
    UPDATE psn.deliveries d SET wake_at = now()
    WHERE d.user_id = (SELECT psn.current_user_id()) AND d.state = 'scheduled' AND d.code = because AND d.wake_at > now() AND d.due_at <= now()
    RETURNING d.id
  )
  SELECT count(*)::integer FROM woken
$function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.move(ids uuid[], due timestamp with time zone, wall_time text, time_zone text, note text)
 RETURNS TABLE(delivery_id uuid)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', due_at = due, wall_time = move.wall_time, time_zone = move.time_zone, wake_at = due,
      code = NULL, message = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id())
      AND (d.state IN ('held', 'scheduled', 'claimed') OR psn.is_preparing(d.id, d.state))
    RETURNING d.id, d.user_id, d.attempt
  ),
  -- What was uploaded may have been dropped by the platform until then.
  anew AS (
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    FROM changed c WHERE u.delivery_id = c.id AND u.state <> 'published'
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, note, actor)
  SELECT c.id, c.user_id, 'moved', c.attempt, move.note, 'user' FROM changed c RETURNING e.delivery_id
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.next_wake(concurrency jsonb, chosen uuid[])
 RETURNS double precision
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
DECLARE
  at timestamptz;
BEGIN
  IF psn.has_parted() THEN RETURN NULL; END IF;
  IF chosen IS NULL THEN
    SELECT min(greatest(w.at, a.paused_until)) INTO at
    FROM psn.accounts a CROSS JOIN LATERAL (
      SELECT least(
        (SELECT d.wake_at FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'scheduled' ORDER BY d.wake_at LIMIT 1),
        (SELECT d.wake_at FROM psn.deliveries d WHERE d.account_id = a.id AND d.state = 'pending' ORDER BY d.wake_at LIMIT 1),
        (SELECT d.lease_until FROM psn.deliveries d WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') ORDER BY d.lease_until LIMIT 1)
      ) AS at
    ) w WHERE w.at IS NOT NULL AND concurrency ? a.platform AND a.health = 'ok';
  ELSE
    SELECT min(greatest(CASE WHEN d.state IN ('scheduled', 'pending') THEN d.wake_at ELSE d.lease_until END, a.paused_until)) INTO at
    FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id
    WHERE d.id = ANY (chosen) AND d.state IN ('scheduled', 'pending', 'claimed', 'sending') AND concurrency ? a.platform AND a.health = 'ok';
  END IF;
  RETURN extract(epoch FROM at - clock_timestamp()) * 1000;
END $function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.note(ids uuid[], event text, note text, actor text)
 RETURNS TABLE(delivery_id uuid)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, note, actor)
  SELECT d.id, d.user_id, note.event, d.attempt, note.note, note.actor FROM psn.deliveries d
  WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id()) RETURNING e.delivery_id
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.note_ending_tokens(platforms text[], ahead double precision)
 RETURNS TABLE(account_id uuid, user_id uuid, platform text, handle text, ends_at double precision)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  UPDATE psn.accounts a SET health_reason = 'its token ends on ' || to_char(t.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), updated_at = now()
  FROM psn.oauth_tokens t
  WHERE t.account_id = a.id AND a.id = ANY (ARRAY(
      SELECT o.id FROM psn.accounts o WHERE o.health = 'ok' AND o.health_reason IS NULL AND o.platform = ANY (platforms) FOR NO KEY UPDATE SKIP LOCKED))
    AND t.refresh_token IS NULL AND t.secret IS NULL AND t.expires_at <= now() + ahead * interval '1 millisecond'
  RETURNING a.id, a.user_id, a.platform, a.handle, (extract(epoch FROM t.expires_at) * 1000)::double precision
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.note_trouble(said text)
 RETURNS boolean
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH noted AS (
    UPDATE psn.users u SET troubles = (array_prepend(said, u.troubles))[1:20]
    WHERE u.id = (SELECT psn.current_user_id()) AND NOT said = ANY (u.troubles) RETURNING u.id
  )
  SELECT EXISTS (SELECT FROM noted)
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.part(why text, code text, message text, first uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
DECLARE
  held integer;
BEGIN
  INSERT INTO psn.incarnation (id, identity) VALUES (first, psn.database_identity()) ON CONFLICT DO NOTHING;
  UPDATE psn.incarnation i SET parted_at = coalesce(i.parted_at, now()), reason = coalesce(i.reason, why);
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'held', code = part.code, message = part.message, fence = d.fence + 1, lease_until = NULL, worker = NULL,
      updated_at = now()
    WHERE d.id = ANY (ARRAY(SELECT o.id FROM psn.deliveries o WHERE o.state IN ('scheduled', 'claimed') AND o.fence < 9007199254740991
      FOR NO KEY UPDATE SKIP LOCKED)) RETURNING d.id, d.user_id, d.attempt
  ), noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, code, note, actor)
    SELECT c.id, c.user_id, 'held', c.attempt, part.code, part.message, 'psn' FROM changed c
  )
  SELECT count(*)::integer INTO held FROM changed;
  RETURN held;
END $function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.reconnect(account uuid)
 RETURNS TABLE(delivery_id uuid)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', attempt = least(d.attempt, 1), code = NULL,
      wake_at = CASE d.state WHEN 'held' THEN least(d.wake_at, greatest(d.due_at, now())) ELSE greatest(d.due_at, now()) END,
      message = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.account_id = account AND d.user_id = (SELECT psn.current_user_id()) AND (
      (d.state = 'held' AND d.held_reason IN ('reconnect', 'copied', 'bucket'))
      OR (d.state = 'scheduled' AND d.attempt > 0 AND d.wake_at > now()))
    RETURNING d.id, d.user_id, d.attempt
  ), asked AS (
    -- Nobody waits for the answer of these: the lease only says when to ask again.
    UPDATE psn.deliveries d SET lease_until = now(), updated_at = now()
    WHERE d.account_id = account AND d.user_id = (SELECT psn.current_user_id()) AND d.state = 'sending' AND d.worker IS NULL
      AND d.lease_until > now()
    RETURNING d.id, d.user_id, d.attempt
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'reconnected', c.attempt, 'user' FROM (SELECT * FROM changed UNION ALL SELECT * FROM asked) c RETURNING e.delivery_id
$function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.recover(delivery uuid, fence bigint, state text, refs jsonb, why text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
DECLARE
  mine psn.deliveries;
BEGIN
  UPDATE psn.deliveries d SET state = recover.state, code = CASE WHEN recover.state = 'unconfirmed' THEN 'UNCONFIRMED' END,
    message = CASE WHEN recover.state = 'unconfirmed' THEN why END,
    published_at = CASE WHEN recover.state = 'published' THEN now() ELSE d.published_at END,
    wake_at = CASE WHEN recover.state = 'scheduled' THEN greatest(d.due_at, now()) ELSE d.wake_at END,
    worker = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
  WHERE d.id = delivery AND d.user_id = (SELECT psn.current_user_id()) AND d.fence = recover.fence
    AND d.state NOT IN ('published', 'cancelled', 'failed') AND recover.state IN ('scheduled', 'published', 'unconfirmed') RETURNING d.* INTO mine;
  IF mine.id IS NULL THEN RETURN false; END IF;
  UPDATE psn.delivery_units u SET state = 'published', handle = NULL, ref_id = f.ref ->> 'id', ref_url = f.ref ->> 'url', ref_revision = f.ref ->> 'revision',
    published_at = now(), sent_at = coalesce(u.sent_at, now())
  FROM jsonb_to_recordset(refs) AS f(position smallint, ref jsonb) WHERE u.delivery_id = delivery AND u.position = f.position;
  -- Of the rest, either each may be out, and a person is asked for one after the other; or it begins anew, since what was uploaded
  -- may have been dropped by the platform meanwhile.
  IF recover.state = 'unconfirmed' THEN
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now()), handle = NULL WHERE u.delivery_id = delivery AND u.state <> 'published';
  ELSE
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL WHERE u.delivery_id = delivery AND u.state <> 'published';
  END IF;
  INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
  VALUES (delivery, mine.user_id, 'recovered: ' || recover.state, mine.attempt, why, 'user');
  RETURN true;
END $function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.resolve(delivery uuid, live boolean, ref_id text, ref_url text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
DECLARE
  mine psn.deliveries;
  to_come integer;
  asked integer;
  first_open smallint;
  one_more boolean;
  goes_on boolean;
BEGIN
  SELECT d.* INTO mine FROM psn.deliveries d WHERE d.id = delivery AND d.user_id = (SELECT psn.current_user_id()) FOR NO KEY UPDATE;
  IF mine.id IS NULL OR NOT (mine.worker IS NULL OR mine.lease_until IS NULL OR mine.lease_until <= now()) THEN RETURN false; END IF;
  IF mine.state <> 'unconfirmed' AND NOT (mine.state IN ('sending', 'pending')
    -- Nobody will ask the platform before its account is connected again.
    AND EXISTS (SELECT FROM psn.accounts a WHERE a.id = mine.account_id AND a.health <> 'ok')) THEN RETURN false; END IF;
  SELECT count(*) FILTER (WHERE u.state <> 'published'), count(*) FILTER (WHERE u.state = 'sending'), min(u.position) FILTER (WHERE u.state <> 'published')
    INTO to_come, asked, first_open FROM psn.delivery_units u WHERE u.delivery_id = delivery;
  -- After a recovery each of a thread's units may be out: then the next is asked for. A thread whose other units are to come goes on.
  one_more := live AND asked > 1;
  goes_on := to_come > live::integer;
  UPDATE psn.deliveries d SET state = CASE WHEN one_more THEN 'unconfirmed' WHEN goes_on THEN 'scheduled' ELSE 'published' END,
    published_at = CASE WHEN goes_on THEN NULL ELSE now() END, wake_at = now(), late = 'publish',
    code = CASE WHEN one_more THEN d.code END, message = CASE WHEN one_more THEN d.message END,
    fence = d.fence + 1, lease_until = NULL, updated_at = now() WHERE d.id = delivery;
  IF live THEN
    UPDATE psn.delivery_units u SET state = 'published', ref_id = resolve.ref_id, ref_url = resolve.ref_url, published_at = now()
    WHERE u.delivery_id = delivery AND u.position = first_open;
  ELSE
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    WHERE u.delivery_id = delivery AND u.state <> 'published';
  END IF;
  INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
  VALUES (delivery, mine.user_id, CASE WHEN live THEN 'resolved: live' ELSE 'resolved: not live' END, mine.attempt, CASE WHEN live THEN resolve.ref_url END, 'user');
  RETURN true;
END $function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.retry(ids uuid[])
 RETURNS TABLE(delivery_id uuid)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH changed AS (
    UPDATE psn.deliveries d SET state = 'scheduled', wake_at = now(), late = 'publish', attempt = 0, code = NULL, message = NULL,
      fence = d.fence + 1, lease_until = NULL, updated_at = now()
    WHERE d.id = ANY (ids) AND d.user_id = (SELECT psn.current_user_id()) AND d.state IN ('failed', 'held', 'cancelled')
    RETURNING d.id, d.user_id
  ),
  -- A new beginning: what was uploaded may have been dropped by the platform meanwhile.
  anew AS (
    UPDATE psn.delivery_units u SET state = 'waiting', prepared = NULL, sent_at = NULL, handle = NULL
    FROM changed c WHERE u.delivery_id = c.id AND u.state <> 'published'
  )
  INSERT INTO psn.delivery_events AS e (delivery_id, user_id, event, attempt, actor)
  SELECT c.id, c.user_id, 'retried', 0, 'user' FROM changed c RETURNING e.delivery_id
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.see_incarnation()
 RETURNS TABLE(id uuid, past uuid[], seen bigint, counted boolean, parted_at timestamp with time zone, reason text, elsewhere boolean, used boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
DECLARE
  mine boolean;
BEGIN
  PERFORM FROM psn.incarnation i FOR UPDATE SKIP LOCKED;
  mine := FOUND;
  IF mine THEN UPDATE psn.incarnation i SET seen = i.seen + 1; END IF;
  RETURN QUERY SELECT i.id, i.past, i.seen, mine, i.parted_at, i.reason, EXISTS (
      SELECT FROM jsonb_each_text(i.identity) a JOIN jsonb_each_text(psn.database_identity()) b ON b.key = a.key WHERE b.value <> a.value),
    EXISTS (SELECT FROM psn.deliveries)
    FROM (SELECT true) always LEFT JOIN psn.incarnation i ON true;
END $function$
-- owner psn_definer; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.settle(changes jsonb)
 RETURNS TABLE(delivery_id uuid)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
BEGIN
  RETURN QUERY
  WITH c AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(changes) AS r(id uuid, fence bigint, state text, "wakeInMs" double precision, "leaseMs" double precision,
      code text, message text, event text, note text, actor text, unit jsonb, next jsonb, account jsonb, attempt integer)
  ),
  d AS (
    UPDATE psn.deliveries d SET
      state = c.state, updated_at = now(),
      -- A renewal says nothing new.
      code = CASE WHEN c.event IS NULL AND c.unit IS NULL THEN d.code ELSE c.code END,
      message = CASE WHEN c.event IS NULL AND c.unit IS NULL THEN d.message ELSE c.message END,
      wake_at = CASE WHEN c."wakeInMs" IS NULL THEN d.wake_at ELSE now() + least(greatest(c."wakeInMs", 0), 2678400000) * interval '1 millisecond' END,
      lease_until = now() + least(greatest(c."leaseMs", 0), 2678400000) * interval '1 millisecond',
      -- An answer that is missing is waited for by nobody: the lease only says when to ask again.
      worker = CASE WHEN c.state = 'sending' AND c.code IS NOT NULL THEN NULL ELSE d.worker END,
      published_at = CASE WHEN c.state = 'published' THEN now() ELSE d.published_at END,
      -- Counted anew, and never further than it is.
      attempt = CASE WHEN c.attempt IS NULL THEN d.attempt ELSE least(d.attempt, greatest(c.attempt, 1)) END
    FROM c WHERE d.id = c.id AND d.fence = c.fence AND d.user_id = (SELECT psn.current_user_id())
      -- The account may have been disconnected while the answer was on its way.
      AND (d.state IN ('claimed', 'sending', 'pending') OR (d.state = 'unconfirmed' AND c.state IN ('published', 'failed')))
      -- What may have been sent never counts as unsent again, but for the next unit of a thread.
      AND NOT (d.state = 'sending' AND c.state = 'claimed' AND coalesce(c.unit ->> 'state', '') <> 'published')
      -- An earlier try of a write may arrive late, under the same claim: what it speaks of is over by then.
      AND NOT EXISTS (SELECT FROM psn.delivery_units u WHERE u.delivery_id = d.id AND u.state = 'published'
        AND (u.position = (c.next ->> 'position')::smallint OR (u.position = (c.unit ->> 'position')::smallint
          AND (c.unit ->> 'state' <> 'published' OR (d.state = 'sending' AND c.state = 'claimed')))))
    RETURNING d.id, d.user_id, d.account_id, d.attempt, c.unit, c.next, c.account, c.event, c.note, c.code, c.actor
  ),
  this_unit AS (
    UPDATE psn.delivery_units u SET
      state = d.unit ->> 'state',
      prepared = CASE WHEN d.unit ? 'prepared' THEN nullif(d.unit -> 'prepared', 'null') ELSE u.prepared END,
      handle = CASE WHEN d.unit ? 'handle' THEN nullif(d.unit -> 'handle', 'null') ELSE u.handle END,
      sent_at = CASE WHEN d.unit ->> 'state' = 'waiting' THEN NULL WHEN d.unit ->> 'state' = 'sending' THEN coalesce(u.sent_at, now()) ELSE u.sent_at END,
      ref_id = coalesce(d.unit -> 'ref' ->> 'id', u.ref_id), ref_url = coalesce(d.unit -> 'ref' ->> 'url', u.ref_url),
      ref_revision = coalesce(d.unit -> 'ref' ->> 'revision', u.ref_revision),
      published_at = CASE WHEN d.unit ->> 'state' = 'published' THEN now() ELSE u.published_at END
    FROM d WHERE u.delivery_id = d.id AND u.position = (d.unit ->> 'position')::smallint
  ),
  next_unit AS (
    UPDATE psn.delivery_units u SET state = 'sending', sent_at = coalesce(u.sent_at, now())
    FROM d WHERE u.delivery_id = d.id AND u.position = (d.next ->> 'position')::smallint
  ),
  account AS (
    UPDATE psn.accounts a SET
      -- An account that was disconnected meanwhile stays so.
      health = CASE a.health WHEN 'ok' THEN coalesce(d.account ->> 'health', a.health) ELSE a.health END,
      health_reason = CASE a.health WHEN 'ok' THEN coalesce(d.account ->> 'reason', a.health_reason) ELSE a.health_reason END,
      paused_until = CASE WHEN d.account ? 'pausedForMs'
        THEN greatest(a.paused_until, now() + least(greatest((d.account ->> 'pausedForMs')::double precision, 0), 2678400000) * interval '1 millisecond') ELSE a.paused_until END,
      updated_at = now()
    FROM d WHERE a.id = d.account_id AND d.account <> 'null'
  ),
  noted AS (
    INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, unit, code, note, actor)
    SELECT d.id, d.user_id, d.event, d.attempt, (d.unit ->> 'position')::smallint, d.code, d.note, d.actor FROM d WHERE d.event IS NOT NULL
  )
  SELECT d.id FROM d;
END $function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.spent_media(age double precision, most integer)
 RETURNS TABLE(media_id uuid, user_id uuid, object_key text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  SELECT m.id, m.user_id, m.object_key FROM psn.media m
  WHERE (m.content IS NOT NULL OR m.object_key IS NOT NULL) AND NOT psn.has_parted()
    AND EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id)
    AND NOT EXISTS (SELECT FROM psn.deliveries d WHERE d.post_id = m.post_id
      AND NOT (d.state IN ('published', 'cancelled', 'failed', 'unconfirmed') AND d.updated_at <= now() - age * interval '1 millisecond'))
  ORDER BY row_number() OVER (PARTITION BY m.user_id) LIMIT most
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.stale_tokens(platforms text[], ahead double precision, idle double precision)
 RETURNS TABLE(account_id uuid, user_id uuid, platform text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  SELECT a.id, a.user_id, a.platform FROM psn.oauth_tokens t JOIN psn.accounts a ON a.id = t.account_id
  WHERE a.health = 'ok' AND a.platform = ANY (platforms) AND t.refresh_token IS NOT NULL AND t.refreshed_at IS NOT NULL
    AND (t.refreshed_at <= now() - idle * interval '1 millisecond'
      OR (t.expires_at <= now() + ahead * interval '1 millisecond' AND t.expires_at - t.refreshed_at > ahead * interval '1 millisecond'))
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.unnamed_objects(names text[])
 RETURNS TABLE(object_key text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  SELECT n.name FROM unnest(names) AS n (name)
  WHERE NOT psn.has_parted() AND NOT EXISTS (SELECT FROM psn.media m WHERE m.object_key = n.name)
$function$
-- owner owner; execute to psn_runtime
CREATE OR REPLACE FUNCTION psn.wake()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
BEGIN
  PERFORM pg_notify('psn_wake', '');
  RETURN NULL;
END $function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.wake_troubled(codes text[])
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  WITH woken AS (
    UPDATE psn.deliveries d SET wake_at = now()
    WHERE d.id = ANY (ARRAY(SELECT o.id FROM psn.deliveries o
      WHERE o.state = 'scheduled' AND o.code = ANY (codes) AND o.wake_at > now() AND o.due_at <= now() AND NOT psn.has_parted()
      FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING d.id
  )
  SELECT count(*)::integer FROM woken
$function$
-- owner psn_definer; execute to psn_service
CREATE OR REPLACE FUNCTION psn.wake_ups(concurrency jsonb, ahead double precision, most integer)
 RETURNS TABLE(delivery_id uuid, user_id uuid, account_id uuid, platform text, fence bigint, state text, at_ms double precision)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
  SELECT f.id, f.user_id, f.account_id, f.platform, f.fence, f.state, extract(epoch FROM f.at) * 1000 FROM (
    SELECT w.id, w.user_id, a.id AS account_id, a.platform, w.fence, w.state, greatest(w.at, a.paused_until) AS at,
      row_number() OVER (PARTITION BY w.user_id ORDER BY greatest(w.at, a.paused_until)) AS place
    FROM psn.accounts a CROSS JOIN LATERAL (
      SELECT d.id, d.user_id, d.fence, d.state, d.wake_at AS at FROM psn.deliveries d
        WHERE d.account_id = a.id AND d.state = 'scheduled' AND d.wake_at <= now() + ahead * interval '1 millisecond'
      UNION ALL
      SELECT d.id, d.user_id, d.fence, d.state, d.wake_at FROM psn.deliveries d
        WHERE d.account_id = a.id AND d.state = 'pending' AND d.wake_at <= now() + ahead * interval '1 millisecond'
      UNION ALL
      SELECT d.id, d.user_id, d.fence, d.state, d.lease_until FROM psn.deliveries d
        WHERE d.account_id = a.id AND d.state IN ('claimed', 'sending') AND d.lease_until <= now() + ahead * interval '1 millisecond'
    ) w
    WHERE NOT (SELECT psn.has_parted()) AND concurrency ? a.platform AND a.health = 'ok'
      AND (a.paused_until IS NULL OR a.paused_until <= now() + ahead * interval '1 millisecond')
    ORDER BY place, at LIMIT most
  ) f ORDER BY f.at
$function$
