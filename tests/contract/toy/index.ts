import { PsnError } from "@psn/core/errors.ts";
import type { Profile } from "@psn/core/types/account.ts";
import type { Capabilities } from "@psn/core/types/capabilities.ts";
import type { Preparation, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { type Shape, shaped } from "@psn/platforms/kit/compose.ts";
import { definePlatform } from "@psn/platforms/kit/define.ts";
import { parse } from "@psn/platforms/kit/http.ts";
import { apiOf, type Caller, json } from "@psn/platforms/kit/refusals.ts";
import { prepareUploads } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";

/* A network that does not exist, as small as an adapter can be: a post is put under the key that psn chose. */

const HOME = "https://toy.example";
const Id = z.string().regex(/^[\w-]{1,64}$/);

type Body = { readonly text: string };

const CAPABILITIES: Capabilities = {
  text: { max: 200, unit: "grapheme" },
  images: { max: 2, maxBytes: 1_000_000, mimes: ["image/png"], maxPixels: 4_000_000 },
  altText: 100,
  thread: "reply-chain",
  visibilities: ["public"],
  contentWarning: false,
  duplicates: "client-id",
  concurrency: 3,
};
const SHAPE: Shape<Body> = {
  id: "toy",
  name: "Toy",
  capabilities: CAPABILITIES,
  unit: ({ text }) => ({ body: { text } }),
};

const { api } = apiOf({
  origin: HOME,
  reason: z
    .object({ error: z.string() })
    .transform(({ error }) => ({ codes: [], words: error }))
    .catch({ codes: [], words: "" }),
  rules: [{ when: { words: /asleep/ }, means: { code: "PLATFORM_DOWN", says: "Toy is asleep" } }],
});

export const toy = definePlatform({
  ...shaped(SHAPE),
  docs: "https://toy.example/docs",
  scopes: { prepare: ["write"], publish: ["write"], remove: ["write"] },
  auth: [{ kind: "form", fields: [{ name: "token", secret: true, help: "a token of Toy" }] }],

  async connect(form, net) {
    const access = form["token"] ?? "";
    if (access === "") throw new PsnError("INPUT_REQUIRED", "Toy needs a token");
    const credentials = { access, scopes: ["read", "write"] };
    return { credentials, profile: await profileOf({ ...net, credentials }) };
  },
  identify: (session) => profileOf(session),
  prepare: (request: PublishRequest<Body>, session) => upload(request, session),

  async publish({ unit, prepared, key, parent, media }: PublishRequest<Body>, session) {
    const ids = z.array(Id).catch([]).parse(prepared);
    const files = ids.map((id, index) => ({ id, alt: media[index]?.alt ?? "" }));
    const body = { text: unit.body.text, files, ...(parent ? { parent: parent.id } : {}) };
    const answer = await api(session, `/posts/${key}`, { ...json(body), effect: "publish" });
    return { status: "published", ref: refOf(parse(answer, z.object({ id: Id })).id) };
  },

  async locate(url, session) {
    const id = url.startsWith(`${HOME}/posts/`) ? url.slice(`${HOME}/posts/`.length) : "";
    if (!Id.safeParse(id).success) return undefined;
    const answer = await api(session, `/posts/${id}`, { effect: "none", accept: [404] });
    return answer.status === 404 ? undefined : refOf(id);
  },

  async remove({ id }, session) {
    const path = `/posts/${encodeURIComponent(id)}`;
    const answer = await api(session, path, { method: "DELETE", effect: "none", accept: [404] });
    if (answer.status !== 404) parse(answer, z.object({ id: Id }));
  },
});

async function profileOf(session: Caller): Promise<Profile> {
  const { id, name } = parse(await api(session, "/me", { effect: "none" }), z.object({ id: Id, name: z.string() }));
  return { subject: id, handle: name, url: `${HOME}/@${name}`, home: HOME };
}

function upload({ media, handle }: PublishRequest<Body>, session: Session): Promise<Preparation> {
  const start = async (file: Media) => {
    const body = await file.open();
    const headers = { "content-type": file.mime };
    const answer = await api(session, "/files", { method: "POST", headers, body, effect: "none" });
    return { id: parse(answer, z.object({ id: Id })).id, told: { status: "ready" } as const };
  };
  const overdue = () => "Toy is still processing a file";
  return prepareUploads({ files: media, id: Id, start, finish: async (ids) => [...ids], overdue }, handle, session);
}

const refOf = (id: string): Ref => ({ id, url: `${HOME}/posts/${id}` });
