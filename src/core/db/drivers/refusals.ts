import type { ErrorCode } from "@psn/core/errors.ts";

/*
 * What PostgreSQL, a pooler and TLS say when they refuse a connection or a statement, each with what it means and what
 * helps. The first row that fits counts. Messages may be in the server's language, so `said` only tells apart what
 * `code` and `routine` do not.
 */

export interface Refusal {
  /** A SQLSTATE (https://www.postgresql.org/docs/18/errcodes-appendix.html, 2026-11), or what TLS calls a failure. */
  readonly code: RegExp;
  /** Function of the server that raised it. */
  readonly routine?: RegExp;
  /** Message and detail of the server. */
  readonly said?: RegExp;
  readonly is: ErrorCode;
  readonly message: string;
  /** Replaces the hint of the error table. */
  readonly hint?: string;
}

const SET_URL = "psn config set DATABASE_URL";
const TRUST =
  "get the CA's certificate from the database's provider, and name its file in the address: " +
  "…?sslmode=verify-full&sslrootcert=/path/ca.pem (or set NODE_EXTRA_CA_CERTS=/path/ca.pem)";
const ALLOW =
  "as the login that set up the first hub on this server: GRANT psn_runtime, psn_service, psn_definer TO login " +
  "WITH ADMIN OPTION, where login is the one in the address";

const UNTRUSTED = [
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "CERT_UNTRUSTED",
];
const POOLER_REFUSED_LOGIN = [
  "password authentication failed",
  "SASL authentication failed",
  "no such user",
  "empty password",
  "^not allowed",
  "login rejected",
];
const POOLER_LOST_SERVER = [
  "server login",
  "cannot connect",
  "connect failed",
  "server_connect_timeout",
  "query_wait_timeout",
  "server down",
  "auth_query",
];

export const REFUSALS: readonly Refusal[] = [
  // TLS: the codes of Node's and Bun's tls (https://nodejs.org/api/tls.html#x509-certificate-error-codes, 2026-11).
  {
    code: new RegExp(`^(${UNTRUSTED.join("|")})$`),
    is: "DB_TLS",
    message: "the database's certificate is signed by a CA that this machine does not trust",
    hint: TRUST,
  },
  {
    code: /^DEPTH_ZERO_SELF_SIGNED_CERT$/,
    is: "DB_TLS",
    message: "the database's certificate is self-signed, and this machine does not trust it",
    hint:
      "copy the server's certificate here, and name its file in the address: " +
      "…?sslmode=verify-full&sslrootcert=/path/server.crt (or set NODE_EXTRA_CA_CERTS=/path/server.crt)",
  },
  {
    code: /^CERT_HAS_EXPIRED$/,
    is: "DB_TLS",
    message: "the database's certificate has expired",
    hint: "renew the server's certificate; if it is still valid, set this machine's clock (ntp)",
  },
  {
    code: /^CERT_NOT_YET_VALID$/,
    is: "DB_TLS",
    message: "the database's certificate is not valid yet",
    hint: "set this machine's clock (ntp)",
  },
  {
    code: /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/,
    is: "DB_TLS",
    message: "the database's certificate is for another host name than the one in the address",
    hint: `use the host name that the certificate was issued for: ${SET_URL}`,
  },
  {
    code: /^(CERT_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|UNABLE_TO_)/,
    is: "DB_TLS",
    message: "the database's certificate cannot be verified",
    hint: TRUST,
  },
  {
    code: /^(ERR_SSL_|ERR_TLS_|EPROTO$)/,
    said: /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_NUMBER|NO_SHARED_CIPHER|HANDSHAKE_FAILURE/i,
    is: "DB_TLS",
    message: "the database and psn support no common version of TLS",
    hint: "allow TLS 1.2 or newer on the server: ssl_max_protocol_version in its postgresql.conf",
  },
  {
    code: /^(ERR_SSL_|ERR_TLS_|ERR_BORINGSSL$|EPROTO$)/,
    is: "DB_TLS",
    message: "psn could not make an encrypted connection to the database",
    hint: "check the server's TLS settings, and the files that sslrootcert, sslcert and sslkey name in the address",
  },
  // A login that is not let in.
  {
    code: /^28000$/,
    said: /no encryption/,
    is: "DB_REFUSED",
    message: "the database server does not accept this login over an unencrypted connection",
    hint:
      `add sslmode=require to the address: ${SET_URL}; if that is refused too, the server's pg_hba.conf has no line ` +
      "for this login",
  },
  {
    code: /^28000$/,
    said: /SSL encryption/,
    is: "DB_REFUSED",
    message: "the database server's pg_hba.conf does not accept this login from this machine",
    hint: "add a line for this login and this machine's address to the server's pg_hba.conf, and reload the server",
  },
  {
    code: /^28000$/,
    said: /client certificate/,
    is: "DB_REFUSED",
    message: "the database server asks for a client certificate",
    hint: "name its files in the address: …?sslmode=verify-full&sslcert=/path/client.crt&sslkey=/path/client.key",
  },
  {
    code: /^28000$/,
    routine: /^InitializeSessionUserId$/,
    is: "DB_REFUSED",
    message: "the database does not allow this role to log in, or has no such role",
    hint: `ALTER ROLE … LOGIN, or use another login: ${SET_URL}`,
  },
  { code: /^28P01$/, is: "DB_REFUSED", message: "the database refused the login: wrong user or password" },
  {
    code: /^28/,
    is: "DB_REFUSED",
    message: "the database refused the login: wrong user or password, or not allowed from this machine",
  },
  {
    code: /^3D000$/,
    is: "DB_REFUSED",
    message: "the server has no database of the name in the address: create it there, or correct the address",
  },
  {
    code: /^55000$/,
    routine: /^CheckMyDatabase$/,
    is: "DB_REFUSED",
    message: "this database is closed to all connections (ALLOW_CONNECTIONS false)",
    hint: "ALTER DATABASE … ALLOW_CONNECTIONS true, or use another database",
  },
  {
    code: /^F0000$/,
    is: "DB_REFUSED",
    message: "the database server's login settings are wrong, so it accepts no login",
    hint: "the server's log says what is wrong",
  },
  // What a login lacks. PostgreSQL 14 and 15 have another function for a grant of a role than 16.
  {
    code: /^42501$/,
    routine: /^(check_role_membership_authorization|AddRoleMems)$/,
    is: "DB_REFUSED",
    message:
      "this login is not allowed to grant psn's roles: it lacks the ADMIN OPTION on them, because another login " +
      "created them for another hub",
    hint: ALLOW,
  },
  {
    code: /^42501$/,
    routine: /^CreateRole$/,
    is: "DB_REFUSED",
    message: "this login is not allowed to create roles, and psn needs three roles for its permissions",
    hint:
      "as a superuser: ALTER ROLE login CREATEROLE, where login is the one in the address; or use a login with " +
      "this right",
  },
  {
    code: /^42501$/,
    routine: /^AlterRole$/,
    is: "DB_REFUSED",
    message: "this login is not allowed to change psn's login, which another login created",
    hint: "use the owner's login that ran psn init first: psn config set DATABASE_OWNER_URL",
  },
  {
    code: /^42501$/,
    routine: /^CheckMyDatabase$/,
    is: "DB_REFUSED",
    message: "this login is not allowed to connect to this database",
    hint: "as the database's owner: GRANT CONNECT ON DATABASE name TO login",
  },
  {
    code: /^42501$/,
    said: /for database/,
    is: "DB_REFUSED",
    message: "this login is not allowed to create a schema in this database",
    hint: "as the database's owner: GRANT CREATE ON DATABASE name TO login",
  },
  {
    code: /^42501$/,
    said: /set role/,
    is: "DB_REFUSED",
    message: "this login is not a member of psn's roles: psn did not create it",
    hint: `use the login that psn init created, or run psn init again: ${SET_URL}`,
  },
  { code: /^42501$/, is: "DB_REFUSED", message: "the database does not allow this login to do that" },
  { code: /^0LP01$/, is: "DB_REFUSED", message: "the database does not allow this grant of a role" },
  // No room, or not now.
  {
    code: /^53300$/,
    is: "DB_UNREACHABLE",
    message: "the database server accepts no more connections of this login",
    hint:
      "end other programs that are connected, or raise max_connections or the login's CONNECTION LIMIT; a psn " +
      "process uses up to 8",
  },
  {
    code: /^57P03$/,
    is: "DB_UNREACHABLE",
    message: "the database server is starting up or shutting down, and accepts no connections yet",
    hint: "try again in a moment",
  },
  // pgbouncer puts every refusal of its own under 08P01 (src/client.c and src/objects.c of 1.18).
  {
    code: /^08P01$/,
    said: new RegExp(POOLER_REFUSED_LOGIN.join("|"), "i"),
    is: "DB_REFUSED",
    message:
      "the pooler refused the login: wrong user or password, or the pooler does not know the user or the database",
    hint:
      `correct the address: ${SET_URL}; a pooler must also know the login that psn makes: auth_query in its ` +
      "settings, or a line in its auth_file",
  },
  {
    code: /^08P01$/,
    said: /no such database|database .* (does not exist|is disabled)/i,
    is: "DB_REFUSED",
    message: "the pooler has no database of the name in the address",
    hint: `add the database to the pooler's settings, or correct its name: ${SET_URL}`,
  },
  {
    code: /^08P01$/,
    said: /(SSL|TLS)( connection)? required|TLS client certificate/i,
    is: "DB_REFUSED",
    message: "the pooler accepts only encrypted connections",
    hint: `add sslmode=require to the address: ${SET_URL}`,
  },
  {
    code: /^08P01$/,
    said: /unsupported startup parameter/i,
    is: "DB_REFUSED",
    message: "the pooler does not accept a parameter of the address, such as options",
    hint: `remove the parameter from the address: ${SET_URL}; or name it in the pooler's ignore_startup_parameters`,
  },
  {
    code: /^08P01$/,
    said: /transaction blocks not allowed/i,
    is: "DB_REFUSED",
    message: "the pooler runs in statement mode, which has no transactions, and psn needs transactions",
    hint: `switch the pooler to transaction or session mode, or use the server's own address: ${SET_URL}`,
  },
  {
    code: /^08P01$/,
    said: /no more connections allowed/i,
    is: "DB_UNREACHABLE",
    message: "the pooler accepts no more connections",
    hint:
      "end other programs that are connected, or raise max_client_conn in the pooler's settings; a psn process uses " +
      "up to 8",
  },
  {
    code: /^08P01$/,
    said: new RegExp(POOLER_LOST_SERVER.join("|"), "i"),
    is: "DB_UNREACHABLE",
    message: "the pooler answers, but it cannot reach the database server or cannot log in there",
    hint: "the pooler's log says why",
  },
  { code: /^08P01$/, is: "DB_UNREACHABLE", message: "the database or its pooler ended the connection" },
  { code: /^(08|57P0|57014)/, is: "DB_UNREACHABLE", message: "the database does not answer" },
  // 55P03 lock_not_available
  { code: /^55P03$/, is: "DB_LOCKED", message: "another session holds a lock that psn needs, and does not release it" },
  // PSN01 and PSN02 are raised by psn.assert_schema.
  {
    code: /^PSN02$/,
    is: "SCHEMA_NEWER",
    message: "the database has migrations that this version of psn does not know",
  },
  {
    code: /^(PSN01|3F000|42P01|42883|42703)$/,
    is: "SCHEMA_OUTDATED",
    message: "the database lacks a table, column or function that this version of psn needs",
  },
];
