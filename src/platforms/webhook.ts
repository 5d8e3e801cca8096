import { createHash, createHmac } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import type { Profile } from "@psn/core/types/account.ts";
import { type Json, VISIBILITIES } from "@psn/core/types/index.ts";
import type { Net, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { isConfidential } from "./kit/address.ts";
import { definePlatform } from "./kit/define.ts";
import { type CallOptions, call, isRedirect, REDIRECTS, refusal, targetOf } from "./kit/http.ts";
import { type Merged, mergePost } from "./kit/merged.ts";

/**
 * Posts as signed JSON to a URL of the user's own, by the Standard Webhooks specification.
 *
 *   { "type": "post.published", "timestamp": "2026-11-02T12:00:00.000Z", "data": {
 *       "id": "<uuid>", "parts": [{ "text": "…", "media": [{ "mime": "image/png", "bytes": 70, "width": 1, "height": 1,
 *       "alt": "…", "sha256": "<hex>", "data": "<base64>" }] }], "visibility": "public", "language": "en",
 *       "contentWarning": "…", "title": "…" } }
 *
 * and `{ "type": "post.removed", "timestamp": "…", "data": { "id": "<uuid>" } }` when it is taken back. What a post does not
 * have is left out. `webhook-id` is the post's id at every attempt: a receiver that remembers ids takes each post once.
 */
const VISIBLE = [...VISIBILITIES];

/** "At least 24 bytes (192 bits, 512 maximum)" (spec/standard-webhooks.md, Signature scheme, 2026-11). */
const SECRET_BYTES = { least: 24, most: 64 } as const;
const SECRET_HINT = 'make one with: echo "whsec_$(openssl rand -base64 32)", and give the same to the receiver';

export default definePlatform({
  id: "webhook",
  name: "Webhook",
  docs: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
  capabilities: {
    text: { max: 100_000, unit: "grapheme" },
    images: { max: 10, maxBytes: 5_000_000, mimes: ["image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"] },
    altText: 2_000,
    thread: "merge",
    visibilities: VISIBLE,
    contentWarning: true,
    duplicates: "client-id",
    concurrency: 4,
  },
  namesakes: true,
  auth: [
    {
      kind: "form",
      fields: [
        {
          name: "url",
          secret: false,
          help: "the receiver, https:// or http:// on this machine; it is shown in lists, so keep tokens out of it",
          known: ({ home }) => home,
          check: (value) => void receiverOf(value),
        },
        {
          name: "secret",
          secret: true,
          help: `the signing secret, whsec_ and base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes; ${SECRET_HINT}`,
          check: (value) => void keyOf(value.trim()),
        },
      ],
    },
  ],

  /** Throws INPUT_INVALID for an address that redirects: a post is never sent after it. */
  async connect(form, net) {
    const url = receiverOf(form["url"] ?? "");
    const access = form["secret"]?.trim() ?? "";
    keyOf(access);
    await refuseRedirect(url, net);
    return { credentials: { access, scopes: [] }, profile: profileOf(url) };
  },

  async identify({ profile }) {
    return profileOf(new URL(profile.home));
  },

  compose: (post, limits) => mergePost(post, limits, VISIBLE),

  async publish({ unit, media, key, at }: PublishRequest<Merged>, session) {
    // Everything that must be awaited comes first: from here to the request nothing is.
    const files = new Map(await Promise.all(media.map(async (one) => [one.id, await contentOf(one)] as const)));
    const { parts, ...rest } = unit.body;
    const whole = parts.map((part) => ({ text: part.text, media: part.media.map(({ id, ...about }) => ({ ...about, ...files.get(id) })) }));
    const body = { type: "post.published", timestamp: at.toISOString(), data: { id: key, parts: whole, ...rest } };
    await send(session, key, body, { effect: "publish" });
    return { status: "published", ref: refOf(key, session) };
  },

  async remove(ref, session) {
    const body = { type: "post.removed", timestamp: session.now().toISOString(), data: { id: ref.id } };
    await send(session, `${ref.id}-removed`, body, { effect: "none", accept: [404, 410] });
  },
});

/** Signs and posts one event. The timestamp is the attempt's and the id the event's (spec, Webhook metadata, 2026-11). */
async function send(session: Session, id: string, event: Json, options: CallOptions): Promise<void> {
  const body = JSON.stringify(event);
  const timestamp = Math.floor(session.now().getTime() / 1000);
  const signature = createHmac("sha256", keyOf(session.credentials.access)).update(`${id}.${timestamp}.${body}`).digest("base64");
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": `v1,${signature}`,
    // The status is all that counts: nothing of the answer needs to be unpacked.
    "accept-encoding": "identity",
  };
  const { accept = [], ...rest } = options;
  const answer = await call(session, session.profile.home, {
    ...rest,
    method: "POST",
    headers,
    body,
    needsBody: false,
    accept: [...accept, 410],
    moved,
  });
  if (answer.status < 300 || accept.includes(answer.status)) return;
  // "410 Gone: … no longer interested in receiving webhooks from this source. Sender should disable the endpoint."
  throw new PsnError("AUTH_REVOKED", `${answer.host} answered 410: it wants no more posts`, {
    cause: refusal(answer, session),
    details: { status: 410 },
  });
}

/** Longest wait for the answer to a question that need not be answered, in milliseconds. */
const PROBE_MS = 5_000;

/**
 * Asks by HEAD, which has no body, no event's headers and no signature, so that nothing can be taken for an event. Only a redirect
 * refuses: a receiver may know no HEAD, or not be up yet.
 */
async function refuseRedirect(url: URL, net: Net): Promise<void> {
  net.signal.throwIfAborted();
  const options = { method: "HEAD", effect: "none", timeoutMs: PROBE_MS, accept: REDIRECTS } as const;
  const answer = await call(net, url, options).catch(() => undefined);
  net.signal.throwIfAborted();
  const to = answer && isRedirect(answer) ? targetOf(answer) : undefined;
  if (!to) return;
  throw new PsnError("INPUT_INVALID", `${url.host} redirects to ${to.href}`, { hint: moved(to) });
}

/** What helps where the receiver has another address now. Its query, which is left out of `to`, may hold a secret. */
function moved({ href }: URL): string {
  return `psn connect webhook ${/^[\w:/.~%@+=,-]+$/.test(href) ? href : `'${href.replaceAll("'", "%27")}'`}`;
}

async function contentOf(media: Media): Promise<{ readonly sha256: string; readonly data: string }> {
  const content = Buffer.from(await (await media.open()).arrayBuffer());
  return { sha256: createHash("sha256").update(content).digest("hex"), data: content.toString("base64") };
}

function receiverOf(entered: string): URL {
  const hint = "give the whole address, for example https://example.com/hooks/psn";
  if (entered.trim() === "") throw new PsnError("INPUT_REQUIRED", "a webhook needs the url of its receiver", { hint });
  const url = URL.parse(entered.trim());
  if (!url || !["https:", "http:"].includes(url.protocol))
    throw new PsnError("INPUT_INVALID", "the url of a webhook begins with https://", { hint });
  if (url.username !== "" || url.password !== "") {
    throw new PsnError("INPUT_INVALID", "the url of a webhook must not hold a name or a password", {
      hint: "leave out what stands before the @; the signature proves who sends",
    });
  }
  if (!isConfidential(url)) {
    throw new PsnError("INPUT_INVALID", `http:// is only for this machine, and ${url.hostname} is another`, { hint: "use https://" });
  }
  url.hash = "";
  return url;
}

/** The bytes of a `whsec_` secret. Never says what was given. */
function keyOf(secret: string): Buffer {
  if (secret === "") throw new PsnError("INPUT_REQUIRED", "a webhook needs a signing secret", { hint: SECRET_HINT });
  const [, encoded = ""] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const key = Buffer.from(encoded, "base64");
  const whole = key.toString("base64").replace(/=+$/, "") === encoded.replace(/=+$/, "");
  if (whole && key.length >= SECRET_BYTES.least && key.length <= SECRET_BYTES.most) return key;
  throw new PsnError("INPUT_INVALID", `a signing secret is whsec_ and base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes`, {
    hint: SECRET_HINT,
  });
}

function profileOf(url: URL): Profile {
  const subject = createHash("sha256").update(url.href).digest("hex").slice(0, 16);
  return { subject, handle: url.host, url: shownOf(url), home: url.href };
}

/** Without the query: it may say more than a list should show. */
function shownOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function refOf(key: string, { profile }: Session): Ref {
  return { id: key, url: `${shownOf(new URL(profile.home))}#${key}` };
}
