import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { type Answer, bodyOf, call, type Effect, refusal } from "@psn/platforms/kit/http.ts";
import { signing } from "./dpop.ts";

export type Caller = Net & Partial<Pick<Session, "credentials">>;

interface Options {
  /** For a query; a call without it is a procedure. */
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Json | Blob;
  /** The media type of a `Blob`. */
  readonly type?: string;
  readonly token?: string;
  readonly effect?: Effect;
  readonly timeoutMs?: number;
  /** XRPC error names to hand back in place of throwing. */
  readonly accept?: readonly string[];
}

/**
 * https://atproto.com/specs/xrpc (2026-11): the names a PDS gives these with status 400, and not 401 (measured,
 * 0.4.217).
 */
const EXPIRED = ["ExpiredToken", "InvalidToken"];
const GONE = ["AccountTakedown", "AccountDeactivated", "AccountNotFound"];

/**
 * One XRPC call (https://atproto.com/specs/xrpc, 2026-11). Throws as `call` does, and AUTH_EXPIRED and AUTH_REVOKED by
 * name.
 */
export async function xrpc(
  caller: Caller,
  { home, method, options }: { readonly home: string; readonly method: string; readonly options: Options },
): Promise<Answer> {
  const { query, body, token, effect = "none", accept = [], timeoutMs } = options;
  const url = new URL(`/xrpc/${method}`, home);
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
  const headers = new Headers({ accept: "application/json" });
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (body !== undefined)
    headers.set(
      "content-type",
      body instanceof Blob ? (options.type ?? "application/octet-stream") : "application/json",
    );
  const signed =
    token !== undefined && caller.credentials?.access === token
      ? await signing({ ...caller, credentials: caller.credentials })
      : undefined;
  const answer = await call(signed ? { ...caller, fetch: signed } : caller, url, {
    method: query ? "GET" : "POST",
    headers,
    ...defined({ body: body === undefined ? undefined : body instanceof Blob ? body : JSON.stringify(body) }),
    effect,
    ...defined({ timeoutMs }),
    accept: [400, 401, 403, 404],
    // Where the account lives is asked of its identity anew.
    moved: () => "psn connect bluesky",
  });
  if (answer.status < 400) return answer;
  const name = errorName(answer);
  if (name !== undefined && accept.includes(name)) return answer;
  const error = refusal(answer, caller);
  if (name !== undefined && EXPIRED.includes(name)) return fail("AUTH_EXPIRED", error);
  if (name !== undefined && GONE.includes(name)) return fail("AUTH_REVOKED", error);
  throw error;
}

/** The error's name in an answer that was handed back; undefined on success or when it has none. */
export function errorName(answer: Answer): string | undefined {
  if (answer.status < 400) return undefined;
  const body = bodyOf(answer);
  const name: unknown = typeof body === "object" && body !== null ? Reflect.get(body, "error") : undefined;
  return typeof name === "string" ? name : undefined;
}

function fail(code: "AUTH_EXPIRED" | "AUTH_REVOKED", error: PsnError): never {
  throw new PsnError(code, error.message, { details: error.details });
}
