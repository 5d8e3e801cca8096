import { asOwner, type TestDatabase } from "../support/databases.ts";

/*
 * The schema as the catalogue has it, in a text that is the same on every server of one PostgreSQL version: no pg_dump,
 * whose words change with its own version and which the embedded database has not. Whoever ran the migrations is called
 * `owner`.
 */

/** Who may do what: an access list without those rights an owner has anyway. */
const grants = (acl: string, owner: string) => `(
  SELECT coalesce(string_agg(format('%s to %s', lower(privileges), grantee), '; '
    ORDER BY grantee, privileges), '') FROM (
    SELECT CASE WHEN a.grantee = 0 THEN 'public' ELSE a.grantee::regrole::text END AS grantee,
      string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges
    FROM aclexplode(${acl}) AS a WHERE a.grantee <> ${owner} GROUP BY 1) AS g)`;

const ownerName = (owner: string) =>
  `CASE WHEN ${owner} = (SELECT nspowner FROM pg_namespace WHERE nspname = 'psn') THEN 'owner' ELSE ` +
  `${owner}::regrole::text END`;

const IN_SCHEMA = "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'psn'";

const SECTIONS: readonly string[] = [
  // Roles, and who is a member of whom; the owner's own membership is told by migrate.test.ts.
  `SELECT format('ROLE %s%s%s%s%s', rolname, CASE WHEN rolcanlogin THEN ' login' END,
     CASE WHEN rolsuper THEN ' superuser' END, CASE WHEN rolbypassrls THEN ' bypassrls' END,
     CASE WHEN rolcreaterole THEN ' createrole' END) AS line
   FROM pg_roles WHERE rolname IN ('psn_runtime', 'psn_service', 'psn_definer') ORDER BY rolname`,
  `SELECT format('MEMBER %s of %s', m.member::regrole, m.roleid::regrole) AS line FROM pg_auth_members m
   WHERE m.member::regrole::text LIKE 'psn\\_%' AND m.member::regrole::text NOT LIKE 'psn\\_test\\_%' ORDER BY 1`,
  `SELECT format('SCHEMA psn (%s)', ${grants("n.nspacl", "n.nspowner")}) AS line FROM pg_namespace n WHERE ` +
    "n.nspname = 'psn'",
  `SELECT format(E'TABLE %s (%s)%s%s\\n  owner %s; %s\\n%s', c.relname, c.relkind,
     CASE WHEN c.relrowsecurity THEN ' row security' END,
     CASE WHEN c.relforcerowsecurity
       THEN ' forced' END, ${ownerName("c.relowner")}, ${grants("c.relacl", "c.relowner")},
     (SELECT string_agg(format('  %s %s%s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod), CASE
       WHEN a.attnotnull THEN ' not null' END,
        CASE WHEN a.attidentity <> ''
          THEN ' identity ' || a.attidentity::text END, ' default ' || pg_get_expr(d.adbin, d.adrelid),
        CASE WHEN a.attacl IS NOT NULL THEN format(' (%s)', ${grants("a.attacl", "c.relowner")}) END), E'\\n'
          ORDER BY a.attnum)
      FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) AS line
   FROM pg_class c ${IN_SCHEMA} WHERE c.relkind NOT IN ('i', 'S') ORDER BY c.relname COLLATE "C"`,
  `SELECT format('SEQUENCE %s', c.relname) AS line FROM pg_class c ${IN_SCHEMA} WHERE c.relkind = 'S' ORDER BY ` +
    `c.relname COLLATE "C"`,
  `SELECT format('CONSTRAINT %s.%s %s', c.relname, k.conname, pg_get_constraintdef(k.oid)) AS line
   FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid ${IN_SCHEMA} WHERE k.contype <> 'n'
     ORDER BY c.relname COLLATE "C", k.conname COLLATE "C"`,
  `SELECT pg_get_indexdef(c.oid) AS line FROM pg_class c ${IN_SCHEMA} WHERE c.relkind = 'i' ORDER BY c.relname ` +
    `COLLATE "C"`,
  `SELECT format(E'POLICY %s.%s %s %s to %s\\n  using (%s)\\n  with check (%s)', tablename, policyname,
     lower(permissive), lower(cmd), array_to_string(roles, ', '), qual, with_check) AS line
   FROM pg_policies WHERE schemaname = 'psn' ORDER BY tablename COLLATE "C", policyname COLLATE "C"`,
  `SELECT pg_get_triggerdef(t.oid) AS line FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid ${IN_SCHEMA}
   WHERE NOT t.tgisinternal ORDER BY t.tgname COLLATE "C"`,
  // The texts are src/core/db/functions, which tests/db/functions.test.ts holds the migrations against.
  `SELECT format('FUNCTION %s; owner %s; %s; md5 of its definition %s', p.oid::regprocedure, ${ownerName("p.proowner")},
     ${grants("coalesce(p.proacl, acldefault('f', p.proowner))", "p.proowner")}, md5(pg_get_functiondef(p.oid))) AS line
   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'psn' ORDER BY p.proname COLLATE "C"`,
];

export async function dumpSchema(db: Pick<TestDatabase, "owner">): Promise<string> {
  const parts = [
    "-- What the migrations make of a database: written by tests/db/migrate.test.ts with PSN_GOLDEN=write, never " +
      "by hand.",
  ];
  for (const section of SECTIONS)
    parts.push((await asOwner<{ line: string }>(db, section)).map(({ line }) => line.trimEnd()).join("\n"));
  return `${parts.join("\n\n")}\n`;
}
