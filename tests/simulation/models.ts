import { PsnError } from "@psn/core/errors.ts";
import type { Capabilities } from "@psn/core/types/capabilities.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { Outcome, Platform, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { bodyOf, call, parse, refusal } from "@psn/platforms/kit/http.ts";
import { prepareUploads, type Told } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";

/*
 * A platform for each way in which a lost answer is settled, as an adapter that is written with the kit of the real
 * ones. What their servers do is in servers.ts.
 */

export interface Traits {
  readonly duplicates: Capabilities["duplicates"];
  /** The server knows a key again and makes nothing new for it. */
  readonly honours: boolean;
  readonly lookup: boolean;
  readonly refresh: boolean;
  /** A post is public some time after it was accepted. */
  readonly pending: boolean;
  /** Media go with the post itself, as a webhook's do. */
  readonly mediaWithin: boolean;
  /** A unit is a container first, on which the server works for a while before it can be published. */
  readonly container: boolean;
  readonly concurrency: number;
}

const usual: Traits = {
  duplicates: "client-id",
  honours: true,
  lookup: true,
  refresh: true,
  pending: false,
  mediaWithin: false,
  container: false,
  concurrency: 2,
};

export const MODELS = {
  chosen: usual,
  webhook: { ...usual, lookup: false, refresh: false, mediaWithin: true, concurrency: 1 },
  slowly: { ...usual, pending: true },
  contained: { ...usual, container: true },
  keyed: { ...usual, duplicates: "idempotency-key" },
  keyless: { ...usual, duplicates: "idempotency-key", honours: false },
  refusing: { ...usual, duplicates: "refused", honours: false, lookup: false },
  searched: { ...usual, duplicates: "lookup", honours: false },
  blind: { ...usual, duplicates: "ask-human", honours: false, lookup: false },
} as const satisfies Record<string, Traits>;
export type ModelId = keyof typeof MODELS;

const Said = z.object({ id: z.string().nullable().optional(), job: z.string().optional() });
/** Null where it holds none: an answer that names neither is no answer. */
const Found = z.object({ id: z.string().nullable() });
const Tokens = z.object({ access: z.string(), refresh: z.string() });
const Removed = z.object({ removed: z.literal(true) });
const Uploaded = z.object({ id: z.string() });
const Working = Uploaded.extend({ ready: z.boolean() });
const Duplicate = z.object({ duplicate: z.string() });

function model(id: ModelId): Platform {
  const { duplicates, lookup, refresh, pending, mediaWithin, container, concurrency }: Traits = MODELS[id];
  const origin = `https://${id}.example`;
  const refOf = (name: string): Ref => ({ id: name, url: `${origin}/${name}` });
  const outcomeOf = ({ id: name, job }: z.output<typeof Said>): Outcome => {
    if (job !== undefined) return { status: "pending", handle: job, checkAfterMs: 5_000 };
    if (!name) throw new PsnError("PLATFORM_CHANGED", "the answer names no post");
    return { status: "published", ref: refOf(name) };
  };
  const ask = (
    session: Session,
    path: string,
    method: string,
    body?: Json,
    rest: { effect?: "publish"; accept?: readonly number[] } = {},
  ) =>
    call(session, `${origin}${path}`, {
      effect: rest.effect ?? "none",
      method,
      accept: rest.accept ?? [],
      headers: { authorization: `Bearer ${session.credentials.access}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const login = async (session: Session, path: string, body: Json) => {
    const { access, refresh: next } = parse(await ask(session, path, "POST", body), Tokens);
    return { access, refresh: next, scopes: [] };
  };
  // Longer than `prepareUploads` waits within one call.
  const toldOf = ({ ready }: z.output<typeof Working>): Told =>
    ready ? { status: "ready" } : { status: "working", checkAfterMs: 5_000 };
  const contain = (handle: PublishRequest["handle"], session: Session) =>
    prepareUploads(
      {
        files: [undefined],
        id: z.string(),
        start: async () => {
          const made = parse(await ask(session, "/media", "POST", {}), Working);
          return { id: made.id, told: toldOf(made) };
        },
        ask: async (made) => toldOf(parse(await ask(session, `/media/${made}`, "GET"), Working)),
        finish: async (ids) => [...ids],
        overdue: () => "the server is still at work",
      },
      handle,
      session,
    );
  const send = async (request: PublishRequest, session: Session): Promise<Outcome> => {
    const { unit, key, at, root, parent, prepared, media, again } = request;
    const sizes: number[] = [];
    if (mediaWithin) for (const one of media) sizes.push((await one.open()).size);
    const body = {
      key,
      text: unit.text,
      at: at.toISOString(),
      root: root?.id ?? null,
      parent: parent?.id ?? null,
      media: mediaWithin ? sizes : prepared,
    };
    const answer = await ask(session, "/posts", "POST", body, { effect: "publish", accept: [409] });
    if (answer.status !== 409) return outcomeOf(parse(answer, Said));
    const duplicate = Duplicate.safeParse(bodyOf(answer));
    if (again && duplicate.success) return { status: "published", ref: refOf(duplicate.data.duplicate) };
    throw refusal(answer, session);
  };
  return {
    id,
    name: id,
    docs: "https://example.com",
    capabilities: {
      text: { max: 500, unit: "grapheme" },
      altText: 100,
      thread: "reply-chain",
      visibilities: ["public"],
      contentWarning: false,
      images: { max: 4, maxBytes: 1_000_000, mimes: ["image/png"] },
      duplicates,
      concurrency,
    },
    auth: [{ kind: "form", fields: [{ name: "name", secret: false, help: "the account" }] }],
    connect: async ({ name = "" }, net) => {
      const profile = { subject: name, handle: name, url: `${origin}/${name}`, home: origin };
      return {
        profile,
        credentials: await login({ ...net, profile, credentials: { access: `${name}/0`, scopes: [] } }, "/login", {}),
      };
    },
    identify: async ({ profile }) => profile,
    compose: ({ parts }) => {
      const [first, ...others] = parts.map(({ text, media }) => ({
        body: { text },
        text,
        length: text.length,
        media: media.map((one) => one.id),
        prepare: container || (media.length > 0 && !mediaWithin),
      }));
      return first
        ? { ok: true, units: [first, ...others] }
        : { ok: false, issues: [{ code: "text.empty", message: "nothing" }] };
    },
    publish: send,
    remove: async ({ id: name }, session) => {
      const answer = await ask(session, `/posts/${name}`, "DELETE", undefined, { accept: [404] });
      if (answer.status !== 404) parse(answer, Removed);
    },
    locate: async (url) => (url.startsWith(`${origin}/`) ? refOf(url.slice(origin.length + 1)) : undefined),
    ...(mediaWithin
      ? {}
      : {
          prepare: async ({ media, handle }, session) => {
            if (container) return contain(handle, session);
            const ids: string[] = [];
            for (const one of media) {
              const { size } = await one.open();
              ids.push(parse(await ask(session, "/media", "POST", { size }), Uploaded).id);
            }
            return { status: "prepared", prepared: ids };
          },
        }),
    ...(pending
      ? {
          poll: async (handle, session) => outcomeOf(parse(await ask(session, `/jobs/${String(handle)}`, "GET"), Said)),
        }
      : {}),
    ...(lookup
      ? {
          lookup: async ({ key }, session) => {
            const { id: found } = parse(await ask(session, `/posts?key=${key}`, "GET"), Found);
            return found ? refOf(found) : undefined;
          },
        }
      : {}),
    ...(refresh
      ? {
          refresh: async (session) =>
            login(session, "/refresh", { refresh: session.credentials.refresh ?? "" }).catch((error: unknown) => {
              if (error instanceof PsnError && error.code === "PLATFORM_REJECTED")
                throw new PsnError("AUTH_REVOKED", "the session has ended");
              throw error;
            }),
        }
      : {}),
  };
}

export const PLATFORMS: ReadonlyMap<string, Platform> = new Map(
  Object.keys(MODELS).map((id) => [id, model(id as ModelId)]),
);
