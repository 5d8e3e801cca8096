/*
 * Everything in a database that decides who may read and write psn's rows, one fact a row, as any login may ask the
 * catalogue. `kind` and `name` say what it is; `says` how it is, in parts that `; ` separates; `undo` is the SQL that
 * takes it away. The schema's owner is called `owner`, and the words are the same on Postgres 14 to 18, on Neon
 * and in the embedded database.
 *
 * What a server and the hub's login add of their own is a fact only where it gives somebody a way in.
 */

export interface Fact {
  readonly kind: string;
  readonly name: string;
  readonly says: string;
  readonly undo: string | null;
}

/** For the transaction of the facts: the catalogue writes out the schema of every name. */
export const PLAIN_NAMES = "set_config('search_path', '', true)";

const OWNER = "(SELECT owner FROM psn)";
const OURS = "('psn_runtime', 'psn_service', 'psn_definer')";
const who = (role: string) =>
  `CASE WHEN ${role} = 0 THEN 'PUBLIC' WHEN ${role} = ${OWNER} THEN 'owner' ELSE ${role}::regrole::text END`;

/** The attributes of a role that reach further than its grants. */
const attributes = (role: string) =>
  `concat_ws('; ', ${["super", "bypassrls", "createrole", "createdb", "replication"]
    .map((name) => `CASE WHEN ${role}.rol${name} THEN '${name === "super" ? "SUPERUSER" : name.toUpperCase()}' END`)
    .join(", ")})`;

/** What an access list gives to others than its owner. `of` is written behind each privilege: a column. */
const granted = (
  target: string,
  {
    from,
    acl,
    owner,
    of = "''",
  }: { readonly from: string; readonly acl: string; readonly owner: string; readonly of?: string | undefined },
) =>
  `SELECT ${target} AS target, a.grantee,
     a.privilege_type || ${of} || CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END AS privilege
   FROM ${from} CROSS JOIN LATERAL aclexplode(${acl}) AS a WHERE a.grantee <> ${owner}`;

/** Settings that change whose rows a statement reaches or what runs with it. */
const SETTINGS =
  "^(role|session_authorization|row_security|session_replication_role|(session|local)_preload_libraries|app\\..*)=";

/**
 * A membership that came with making the role: it may be granted on, and gives nothing by itself (Postgres 16 and
 * later).
 */
const MAKERS =
  "(to_jsonb(m) ->> 'inherit_option' = 'false' AND to_jsonb(m) ->> 'set_option' = 'false' AND m.grantor = 10 AND " +
  "r.rolcreaterole)";

/**
 * Whether a role belongs to another hub of this server: it may enter, or owns, another database by name, and not this
 * one.
 */
const ELSEWHERE = `(
    SELECT coalesce(bool_or(d.datname <> current_database()) AND NOT bool_or(d.datname = current_database()), false)
    FROM pg_catalog.pg_database d
    WHERE d.datdba = r.oid OR EXISTS (SELECT FROM aclexplode(d.datacl) AS a WHERE a.grantee = r.oid))`;

/** The columns of psn's tables, for what they grant. */
const COLUMNS = "rel JOIN pg_catalog.pg_attribute c ON c.attrelid = rel.id AND NOT c.attisdropped";
const COLUMN_GRANTS = granted("rel.target", {
  from: COLUMNS,
  acl: "c.attacl",
  owner: "rel.relowner",
  of: "format(' (%I)', c.attname)",
});
const FUNCTION_ACL = "coalesce(func.proacl, acldefault('f', func.proowner))";

/** What every fact is made of. `login`: whether the session's login is one of its own. */
const sources = (login: boolean): string => `
WITH psn AS (
  SELECT n.oid, n.nspowner AS owner, n.nspacl FROM pg_catalog.pg_namespace n WHERE n.nspname = 'psn'
),
login AS (
  SELECT r.* FROM pg_catalog.pg_roles r WHERE ${login} AND r.rolname = session_user
),
rel AS (
  SELECT c.*, c.oid AS id,
    CASE WHEN c.relkind = 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass AS target
  FROM pg_catalog.pg_class c JOIN psn ON psn.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f', 'S', 'v', 'm')
),
func AS (
  SELECT p.*, p.oid AS id, format('psn.%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) AS name,
    CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS word
  FROM pg_catalog.pg_proc p JOIN psn ON psn.oid = p.pronamespace
),
acl AS (
  ${granted("'SCHEMA psn'", { from: "psn", acl: "psn.nspacl", owner: "psn.owner" })}
  UNION ALL ${granted("rel.target", { from: "rel", acl: "rel.relacl", owner: "rel.relowner" })}
  UNION ALL ${COLUMN_GRANTS}
  UNION ALL ${granted("func.word || ' ' || func.name", { from: "func", acl: FUNCTION_ACL, owner: "func.proowner" })}
),
rewritten AS (
  SELECT w.ev_class, w.oid, w.rulename,
    string_agg(DISTINCT d.refobjid::regclass::text, ', ') FILTER (WHERE rel.id IS NOT NULL) AS reads
  FROM pg_catalog.pg_rewrite w
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
  LEFT JOIN rel ON rel.id = d.refobjid
  GROUP BY 1, 2, 3
),
members AS (
  SELECT r.oid, r.rolname, r.rolcanlogin, g.oid AS of, g.rolname AS of_name, ${attributes("r")} AS may,
    ${ELSEWHERE} AS elsewhere
  FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles r ON r.oid = m.member
  JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
  WHERE r.oid <> ${OWNER} AND NOT ${MAKERS}
    AND (NOT r.rolsuper OR r.oid IN (SELECT oid FROM login))
    AND (NOT r.rolcanlogin OR has_database_privilege(r.oid, current_database(), 'CONNECT'))
)`;

/** Roles, grants, and tables with all that belongs to them. */
const TABLES = `
SELECT 'role' AS kind, r.rolname::text AS name,
  CASE WHEN r.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END
    || coalesce('; ' || nullif(${attributes("r")}, ''), '') AS says,
  NULL AS undo
FROM pg_catalog.pg_roles r
WHERE r.rolname IN ${OURS}

UNION ALL
SELECT 'grant', format('%s to %s', acl.target, ${who("acl.grantee")}),
  string_agg(acl.privilege, ', ' ORDER BY acl.privilege COLLATE "C"),
  format('REVOKE ALL ON %s FROM %s', acl.target,
    CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END)
FROM acl
GROUP BY acl.target, acl.grantee

UNION ALL
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, id::regclass::text,
  concat_ws('; ',
    'owned by ' || ${who("c.relowner")},
    CASE WHEN c.relkind <> 'S' THEN 'row security ' ||
      CASE WHEN NOT c.relrowsecurity THEN 'not enabled'
        WHEN c.relforcerowsecurity THEN 'enabled and forced' ELSE 'not forced' END END,
    CASE WHEN c.relkind NOT IN ('r', 'S') THEN 'of kind ' || c.relkind::text END,
    CASE WHEN c.relpersistence <> 'p' THEN 'unlogged' END,
    (SELECT 'inherits ' || string_agg(i.inhparent::regclass::text, ', ' ORDER BY 1)
      FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.id),
    (SELECT 'inherited by ' || string_agg(i.inhrelid::regclass::text, ', ' ORDER BY 1)
      FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.id)),
  format('DROP %s', c.target)
FROM rel c
WHERE c.relkind NOT IN ('v', 'm')

UNION ALL
SELECT 'columns of', rel.id::regclass::text,
  string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN 'NOT NULL' END,
    CASE WHEN a.attidentity <> '' THEN 'IDENTITY ' || a.attidentity::text END,
    CASE WHEN a.attgenerated <> '' THEN 'GENERATED' END,
    'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)), '; ' ORDER BY a.attnum),
  NULL
FROM rel
JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.id AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE rel.relkind IN ('r', 'p', 'f')
GROUP BY rel.id

UNION ALL
SELECT 'constraint', format('%I on %s', k.conname, k.conrelid::regclass), pg_get_constraintdef(k.oid),
  format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname)
FROM pg_catalog.pg_constraint k
WHERE k.contype NOT IN ('n', 't')
  AND (k.conrelid IN (SELECT id FROM rel) OR k.confrelid IN (SELECT id FROM rel))

UNION ALL
SELECT 'index', i.indexrelid::regclass::text,
  pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END,
  format('DROP INDEX %s', i.indexrelid::regclass)
FROM pg_catalog.pg_index i JOIN rel ON rel.id = i.indrelid
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
  WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid)

UNION ALL
SELECT 'policy', format('%I on %s', p.polname, p.polrelid::regclass),
  concat_ws(' ',
    'AS', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
    'FOR', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
      WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    'TO', (SELECT string_agg(${who("t.role")}, ', ' ORDER BY t.role::regrole::text COLLATE "C")
      FROM unnest(p.polroles) AS t(role)),
    format('USING (%s)', pg_get_expr(p.polqual, p.polrelid)),
    CASE WHEN p.polwithcheck IS NOT NULL
      THEN format('WITH CHECK (%s)', pg_get_expr(p.polwithcheck, p.polrelid)) END),
  format('DROP POLICY %I ON %s', p.polname, p.polrelid::regclass)
FROM pg_catalog.pg_policy p JOIN rel ON rel.id = p.polrelid

UNION ALL
SELECT 'trigger', format('%I on %s', t.tgname, t.tgrelid::regclass),
  pg_get_triggerdef(t.oid) || CASE WHEN t.tgenabled = 'O' THEN '' ELSE '; not in its usual state' END,
  format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
FROM pg_catalog.pg_trigger t JOIN rel ON rel.id = t.tgrelid
WHERE NOT t.tgisinternal

UNION ALL
SELECT 'foreign keys of', rel.id::regclass::text, 'not enforced',
  format('ALTER TABLE %s ENABLE TRIGGER ALL', rel.id::regclass)
FROM rel
WHERE EXISTS (SELECT FROM pg_catalog.pg_trigger t
  WHERE t.tgrelid = rel.id AND t.tgisinternal AND t.tgenabled <> 'O')`;

/** What runs or reads beside the tables: triggers on events, views, rules, publications, functions. */
const CODE = `
SELECT 'event trigger', format('%I', e.evtname), format('on %s; runs %s', e.evtevent, e.evtfoid::regproc),
  format('DROP EVENT TRIGGER %I', e.evtname)
FROM pg_catalog.pg_event_trigger e JOIN pg_catalog.pg_roles r ON r.oid = e.evtowner
WHERE e.evtowner = ${OWNER} OR NOT r.rolsuper

UNION ALL
SELECT 'view', w.ev_class::regclass::text, 'reads ' || coalesce(w.reads, 'nothing of psn'),
  format('DROP %s %s', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, w.ev_class::regclass)
FROM rewritten w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
WHERE w.rulename = '_RETURN' AND (w.reads IS NOT NULL OR c.relnamespace = (SELECT oid FROM psn))

UNION ALL
SELECT 'rule', format('%I on %s', w.rulename, w.ev_class::regclass), pg_get_ruledef(w.oid),
  format('DROP RULE %I ON %s', w.rulename, w.ev_class::regclass)
FROM rewritten w
WHERE w.rulename <> '_RETURN' AND (w.reads IS NOT NULL OR w.ev_class IN (SELECT id FROM rel))

UNION ALL
SELECT 'publication', format('%I', p.pubname),
  'sends ' || string_agg(p.tablename::text, ', ' ORDER BY p.tablename),
  format('DROP PUBLICATION %I', p.pubname)
FROM pg_catalog.pg_publication_tables p
WHERE p.schemaname = 'psn'
GROUP BY p.pubname

UNION ALL
SELECT 'function', f.name,
  concat_ws('; ',
    'owned by ' || ${who("f.proowner")},
    CASE WHEN f.prosecdef THEN 'SECURITY DEFINER' ELSE 'SECURITY INVOKER' END,
    CASE f.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
    CASE WHEN f.proisstrict THEN 'STRICT' END,
    CASE WHEN f.proleakproof THEN 'LEAKPROOF' END,
    'LANGUAGE ' || (SELECT l.lanname FROM pg_catalog.pg_language l WHERE l.oid = f.prolang),
    'RETURNS ' || pg_get_function_result(f.id),
    (SELECT string_agg('SET ' || s, '; ' ORDER BY n) FROM unnest(f.proconfig) WITH ORDINALITY AS c(s, n)),
    CASE WHEN f.pronargdefaults > 0 THEN 'arguments ' || pg_get_function_arguments(f.id) END,
    'body ' || left(encode(sha256(convert_to(
      coalesce(pg_get_function_sqlbody(f.id), f.prosrc), 'UTF8')), 'hex'), 16)),
  format('DROP %s %s', f.word, f.name)
FROM func f
WHERE f.prokind <> 'a'

UNION ALL
SELECT 'function', p.oid::regprocedure::text, 'SECURITY DEFINER; reaches psn as ' || p.proowner::regrole,
  format('DROP ROUTINE %s', p.oid::regprocedure)
FROM pg_catalog.pg_proc p
WHERE p.prosecdef AND p.pronamespace <> (SELECT oid FROM psn)
  AND (p.proowner = 'psn_definer'::regrole
    OR concat_ws(' ', p.prosrc, p.proconfig::text, pg_get_function_sqlbody(p.oid)) ~* '\\mpsn\\M')`;

/** Who gets rights later, who belongs to whom, and the settings that change what a statement reaches. */
const RIGHTS = `
SELECT 'default privileges',
  concat_ws(' ', 'FOR ROLE', ${who("d.defaclrole")},
    CASE WHEN d.defaclnamespace <> 0 THEN 'IN SCHEMA psn' END, 'ON', o.word),
  coalesce((
    SELECT string_agg(format('%s to %s', a.privilege_type, ${who("a.grantee")}), ', '
      ORDER BY a.grantee, a.privilege_type)
    FROM aclexplode(d.defaclacl) AS a WHERE a.grantee <> d.defaclrole), 'for nobody else'),
  concat_ws(' ', 'ALTER DEFAULT PRIVILEGES FOR ROLE', d.defaclrole::regrole,
    CASE WHEN d.defaclnamespace <> 0 THEN 'IN SCHEMA psn' END, 'REVOKE ALL ON', o.word, 'FROM',
    (SELECT string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', ')
      FROM aclexplode(d.defaclacl) AS a WHERE a.grantee <> d.defaclrole))
FROM pg_catalog.pg_default_acl d
CROSS JOIN LATERAL (SELECT CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
  WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END AS word) o
WHERE d.defaclnamespace = (SELECT oid FROM psn)
  OR d.defaclnamespace = 0 AND (d.defaclrole IN (${OWNER}, 'psn_definer'::regrole)
    OR d.defaclrole IN (SELECT oid FROM login))

-- A member's login cannot tell which login is the hub's.
UNION ALL
SELECT CASE WHEN m.elsewhere AND m.rolcanlogin THEN 'neighbour' ELSE 'member' END,
  format('%I of %I', m.rolname, m.of_name),
  concat_ws('; ', 'member', nullif(m.may, '')),
  CASE WHEN m.elsewhere AND m.rolcanlogin
    THEN format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database())
    ELSE format('REVOKE %I FROM %I', m.of_name, m.rolname) END
FROM members m
WHERE m.of_name IN ('psn_service', 'psn_definer') AND (m.of_name = 'psn_definer'
    OR m.oid NOT IN (SELECT oid FROM login) AND pg_has_role(session_user, 'psn_service', 'MEMBER'))
  OR m.of_name = 'psn_runtime' AND (m.rolname = 'psn_service' OR NOT m.rolcanlogin
    OR m.may ~ 'SUPERUSER|BYPASSRLS|REPLICATION')
  OR m.of = ${OWNER} OR m.of IN (SELECT oid FROM login)
  OR m.rolname IN ${OURS} AND m.of_name NOT IN ${OURS}
  OR m.oid IN (SELECT oid FROM login) AND m.of_name NOT IN ${OURS}

UNION ALL
SELECT 'login', l.rolname::text,
  concat_ws('; ', nullif(${attributes("l")}, ''), CASE WHEN l.oid = ${OWNER} THEN 'owner of the tables' END),
  CASE WHEN l.oid = ${OWNER} THEN NULL
    ELSE format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION', l.rolname) END
FROM login l
WHERE l.oid = ${OWNER} OR ${attributes("l")} <> ''

UNION ALL
SELECT 'setting', format('%s of %s', split_part(c.s, '=', 1), coalesce(r.rolname::text, 'the database')), c.s,
  format('ALTER %s RESET %s',
    CASE WHEN r.oid IS NULL THEN format('DATABASE %I', current_database())
      ELSE format('ROLE %I%s', r.rolname,
        CASE WHEN s.setdatabase <> 0 THEN format(' IN DATABASE %I', current_database()) END) END,
    split_part(c.s, '=', 1))
FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS c(s)
WHERE (s.setdatabase = 0
    OR s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()))
  AND (s.setrole = 0 OR r.rolname IN ${OURS} OR r.oid IN (SELECT oid FROM login))
  AND (c.s ~* '${SETTINGS}' OR c.s ~* '^search_path=' AND (s.setrole <> 0 OR c.s ~* 'pg_catalog'))`;

/** `login`: whether the session's login is one of its own, which the embedded database has not. */
export const factsQuery = (login: boolean): string =>
  `${sources(login)}\n${[TABLES, CODE, RIGHTS].join("\n\nUNION ALL")}`;
