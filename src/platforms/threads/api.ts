import type { CallOptions } from "@psn/platforms/kit/http.ts";
import { apiOf } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";
import { refusalOf } from "./refusals.ts";

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

/** One request with the account's token. Throws what `call` throws, and Graph's own refusals by their code. */
export const api = apiOf({ origin: `${API}${VERSION}`, refusalOf });

/** A form, and the header that says so. */
export function form(fields: Readonly<Record<string, string>>): Pick<CallOptions, "method" | "headers" | "body"> {
  return {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  };
}
