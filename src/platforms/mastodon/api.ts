import type { Net, Session } from "@psn/core/types/platform.ts";
import { type Answer, type CallOptions, call } from "@psn/platforms/kit/http.ts";
import { Writable } from "@psn/platforms/kit/writable.ts";
import { z } from "zod";

/** Mastodon's ids are strings; a few servers that speak its API send numbers. */
const Id = z.union([Writable, z.number().transform(String)]);

/** Anything by its id alone. */
export const Named = z.object({ id: Id });

/** https://docs.joinmastodon.org/entities/Account/ (2026-11). */
export const Account = z.object({ id: Id, username: Writable, url: z.url({ protocol: /^https?$/, normalize: true }) });

/** What psn reads of a https://docs.joinmastodon.org/entities/Status/ (2026-11). */
export const Status = z.object({
  id: Id,
  /** Null for a post that came from elsewhere; `uri` is there always. */
  url: z.string().nullish(),
  uri: z.string().nullish(),
  created_at: z.string(),
  content: z.string().nullish(),
  spoiler_text: z.string().nullish(),
  in_reply_to_id: Id.nullish(),
  visibility: z.string().nullish(),
  reblog: z.unknown().optional(),
  media_attachments: z.array(z.unknown()).nullish(),
  account: z.object({ id: Id }).nullish(),
});
export type Status = z.output<typeof Status>;

/** https://docs.joinmastodon.org/entities/StatusSource/ (2026-11): what the author typed. */
export const StatusSource = z.object({ text: z.string(), spoiler_text: z.string().nullish() });

/** https://docs.joinmastodon.org/entities/MediaAttachment/ (2026-11). */
export const MediaAttachment = Named;

export type Caller = Net & {
  readonly credentials: Session["credentials"];
  readonly profile: Pick<Session["profile"], "home">;
};

/**
 * One request to the account's own server, with its token, over a connection of its own: some servers close a
 * connection after each answer without saying so (snac), and a post sent into a closed one looks like a lost answer.
 * Throws what `call` throws.
 */
export function api(session: Caller, path: string, options: CallOptions): Promise<Answer> {
  const headers = {
    accept: "application/json",
    ...plain(options.headers),
    authorization: `Bearer ${session.credentials.access}`,
  };
  return call(session, new URL(path, session.profile.home), {
    ...options,
    headers,
    keepalive: false,
    moved: redirection,
  });
}

/** What helps where the server has another address now. */
export const redirection = ({ origin }: URL): string => `psn connect mastodon --server ${origin}`;

function plain(headers: CallOptions["headers"]): Record<string, string> {
  return Object.fromEntries(new Headers(headers));
}

/** What psn knows an account by: an id is its server's own, and two servers may give the same. */
export const subjectOf = (id: string, home: string): string => `${id}@${new URL(home).host}`;
/** The server's own id in it. */
export const idOf = (subject: string): string => subject.split("@")[0] ?? subject;
