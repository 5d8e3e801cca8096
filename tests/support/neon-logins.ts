import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import pg from "pg";
import { type Login, SqlFailure } from "./neon-sql.ts";

/*
 * How Neon's proxy lets a login in: it asks its control plane for the role's secret, keeps the answer for four minutes,
 * that there is no such role too, and compares the password itself (proxy/src/cache/project_info.rs, ttl=4m by default;
 * only messages by Redis clear it). Here the control plane is the server's own catalogue.
 */

/** The proxy's `--project-info-cache` (ttl=4m), in milliseconds. */
export const SECRET_TTL_MS = 240_000;

/** Sentences of the proxy that blame the caller, so that over HTTP they are a 400 (ErrorKind::User). */
const BLAMES = [
  "password authentication failed",
  "VPC endpoint ID",
  "Endpoint ID is not",
  "The requested endpoint",
  "The endpoint has been disabled",
];

/** The proxy's own answer to a login, as HTTP gives it. */
export const refusal = (message: string): SqlFailure =>
  new SqlFailure(BLAMES.some((words) => message.startsWith(words)) ? 400 : 500, message);

interface Secret {
  readonly value: string | undefined;
  readonly until: number;
}

/** RFC 5802 section 3, against what pg_authid has: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey. */
function isPassword(password: string, secret: string): boolean {
  const [, iterations, salt = "", stored] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):/.exec(secret) ?? [];
  const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(iterations), 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  return createHash("sha256").update(clientKey).digest("base64") === stored;
}

export interface Logins {
  /** What the proxy refuses the login with; undefined where it lets it in. */
  refused(login: Pick<Login, "user" | "password">): Promise<SqlFailure | undefined>;
  /** As a message by Redis does. */
  forget(): void;
  end(): Promise<void>;
}

/** @param superuserUrl who may read pg_authid */
export function createLogins(superuserUrl: string, now: () => number): Logins {
  const secrets = new Map<string, Secret>();
  const verified = new Set<string>();
  let plane: Promise<pg.Client> | undefined;

  const connected = (): Promise<pg.Client> => {
    plane ??= (async () => {
      const client = new pg.Client({ connectionString: superuserUrl, ssl: false });
      client.on("error", () => {
        plane = undefined;
      });
      await client.connect();
      return client;
    })();
    return plane;
  };

  /** Undefined where the control plane has no answer: then it is the compute that says no. */
  const secretOf = async (user: string): Promise<Secret | undefined> => {
    const kept = secrets.get(user);
    if (kept && kept.until > now()) return kept;
    try {
      const client = await connected();
      const { rows } = await client.query<{ secret: string | null }>(
        "SELECT rolpassword AS secret FROM pg_authid WHERE rolname = $1",
        [user],
      );
      const secret = { value: rows[0]?.secret ?? undefined, until: now() + SECRET_TTL_MS };
      secrets.set(user, secret);
      return secret;
    } catch {
      plane = undefined;
      return undefined;
    }
  };

  return {
    refused: async ({ user, password }) => {
      const secret = await secretOf(user);
      if (!secret) return undefined;
      const key = JSON.stringify([secret.value, password]);
      const good = secret.value !== undefined && (verified.has(key) || isPassword(password, secret.value));
      if (good) verified.add(key);
      return good ? undefined : refusal(`password authentication failed for user '${user}'`);
    },
    forget: () => secrets.clear(),
    end: async () => {
      await plane?.then((client) => client.end()).catch(() => undefined);
    },
  };
}
