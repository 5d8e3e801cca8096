import { type Answer, type CallOptions, call } from "@psn/platforms/kit/http.ts";
import { z } from "zod";
import { type Caller, refusalOf } from "./refusals.ts";

/** `graph.threads.com` answers the same (https://developers.facebook.com/documentation/threads/overview, 2026-11). */
export const API = "https://graph.threads.net";
const VERSION = "/v1.0";
/** Where accounts live, and where people see them since Threads moved to .com. */
export const HOME = "https://www.threads.net";
export const SITE = "https://www.threads.com";

/** A decimal of some 17 digits, as text: a number would lose its last digits. */
export const Id = z.string().regex(/^\d{1,25}$/);

/**
 * What makes something answers with its id (https://developers.facebook.com/documentation/threads/reference/publishing,
 * 2026-11).
 */
export const Created = z.object({ id: Id });

/** GET /me (https://developers.facebook.com/documentation/threads/reference/user, 2026-11). */
export const Me = z.object({ id: Id, username: z.string().regex(/^[\w.]{1,50}$/) });

/**
 * What psn reads of a post (https://developers.facebook.com/documentation/threads/reference/media-retrieval, 2026-11).
 */
export const Thread = z.object({
  id: Id,
  media_type: z.string(),
  timestamp: z.string(),
  text: z.string().nullish(),
  permalink: z.string().nullish(),
  children: z.object({ data: z.array(z.object({ id: z.string() })) }).nullish(),
  replied_to: z.object({ id: z.string() }).nullish(),
});
export type Thread = z.output<typeof Thread>;

/** A page of posts; the last one says no `after`, or is followed by an empty one. */
export const Threads = z.object({
  data: z.array(Thread),
  paging: z.object({ cursors: z.object({ after: z.string().min(1).nullish() }).nullish() }).nullish(),
});

/** Graph explains a refusal in the body, whatever its status. */
const EXPLAINED: readonly number[] = Array.from({ length: 200 }, (_, index) => 400 + index);

/** Where the API itself has another address, only a newer psn knows it. */
const UPDATE = "update psn";

/**
 * One request with the account's token, which goes in a header: Graph's addresses may be logged on the way. Throws what
 * `call` throws, and Graph's own refusals by their code (`refusalOf`).
 */
export async function api(session: Caller, path: string, options: CallOptions): Promise<Answer> {
  const headers = {
    accept: "application/json",
    ...Object.fromEntries(new Headers(options.headers)),
    authorization: `Bearer ${session.credentials.access}`,
  };
  const accept = options.accept ?? [];
  const answer = await call(session, `${API}${VERSION}${path}`, {
    ...options,
    headers,
    accept: EXPLAINED,
    moved: () => UPDATE,
  });
  if (answer.status >= 400 && !accept.includes(answer.status)) throw refusalOf(answer, session);
  return answer;
}

/** A form, and the header that says so. */
export function form(fields: Readonly<Record<string, string>>): Pick<CallOptions, "method" | "headers" | "body"> {
  return {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  };
}
