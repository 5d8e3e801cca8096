import type { Fact } from "./facts.ts";
import { knownMigrations } from "./migrations.ts";

/** The SQL, run by the tables' owner, that makes a fact again what it must be; empty where none is safe to name. */
export function mend(is: Fact | undefined, must: Fact | undefined): readonly string[] {
  const undo = is?.undo ? [is.undo] : [];
  if (!must) return undo;
  const { kind, name, says } = must;
  const [what, on] = name.split(/ (?:on|to) (?=[^ ]+$)/);
  switch (kind) {
    case "grant":
      return [...undo, `GRANT ${says} ON ${what} TO ${on === "owner" ? "CURRENT_USER" : on}`];
    case "policy":
      return [...undo, `CREATE POLICY ${what} ON ${on} ${says}`];
    case "constraint":
      return [...undo, `ALTER TABLE ${on} ADD CONSTRAINT ${what} ${says}`];
    case "trigger":
    case "index":
      return [...undo, says];
    case "role":
      return [`ALTER ROLE ${name} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION`];
    case "member":
      return [`GRANT ${name.split(" of ").reverse().join(" TO ")}`];
    case "function":
      return functionOf(name, says.split("; "));
    case "sequence":
      return is ? [`ALTER SEQUENCE ${name} OWNER TO CURRENT_USER`] : [];
    case "table":
      return is ? tableOf(name, says) : [];
    default:
      return [];
  }
}

function tableOf(name: string, says: string): readonly string[] {
  const security = says.includes("enabled and forced") ? ["ENABLE", "FORCE"] : [];
  return [
    `ALTER TABLE ${name} OWNER TO CURRENT_USER`,
    ...security.map((word) => `ALTER TABLE ${name} ${word} ROW LEVEL SECURITY`),
  ];
}

/** As the newest migration that defines it has it, and with the owner and the settings that later ones gave it. */
function functionOf(name: string, parts: readonly string[]): readonly string[] {
  const begins = new RegExp(
    `^CREATE (?:OR REPLACE )?FUNCTION ${name.slice(0, name.indexOf("(")).replace(".", "\\.")}\\(`,
    "m",
  );
  const newest = knownMigrations()
    .flatMap(({ statements }) => statements)
    .findLast((statement) => begins.test(statement));
  if (newest === undefined) return [];
  const owner = parts.find((part) => part.startsWith("owned by "))?.slice("owned by ".length) ?? "owner";
  const settings = parts.flatMap((part) => {
    const [, setting, value] = /^SET ([^=]+)=(.*)$/.exec(part) ?? [];
    return setting === undefined ? [] : [`ALTER FUNCTION ${name} SET ${setting} = '${value === '""' ? "" : value}'`];
  });
  return [
    newest.replace(/CREATE (?:OR REPLACE )?FUNCTION/, "CREATE OR REPLACE FUNCTION"),
    `ALTER FUNCTION ${name} RESET ALL`,
    ...settings,
    // Only who may make objects in the schema can be given one there.
    ...(owner === "owner"
      ? [`ALTER FUNCTION ${name} OWNER TO CURRENT_USER`]
      : [
          `GRANT CREATE ON SCHEMA psn TO ${owner}`,
          `ALTER FUNCTION ${name} OWNER TO ${owner}`,
          `REVOKE CREATE ON SCHEMA psn FROM ${owner}`,
        ]),
  ];
}
