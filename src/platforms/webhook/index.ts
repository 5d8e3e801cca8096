import { PsnError } from "@psn/core/errors.ts";
import type { Capabilities } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import { VISIBILITIES } from "@psn/core/types/index.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { definePlatform } from "@psn/platforms/kit/define.ts";
import { CID, withImages } from "@psn/platforms/kit/html.ts";
import { type Answer, type CallOptions, call, refusal } from "@psn/platforms/kit/http.ts";
import { mergePost } from "@psn/platforms/kit/merged.ts";
import type { WebhookEvent } from "./event.ts";
import { type Body, contentOf, withMedia } from "./media.ts";
import { profileOf, receiverOf, redirection, refuseRedirect, shownOf } from "./receiver.ts";
import { RETRIES, WEATHER } from "./schedule.ts";
import { flawOf, formerOf, sharedSecretsOf, signed } from "./secrets.ts";
import { keyOf, newKeyPair, paddedSecret, publicKeyOf, SECRET_BYTES, SECRET_HINT } from "./signing.ts";

const CAPABILITIES: Capabilities = {
  text: { max: 100_000, unit: "grapheme" },
  images: {
    max: 10,
    maxBytes: 5_000_000,
    mimes: ["image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"],
  },
  altText: 2_000,
  thread: "merge",
  markup: "html",
  visibilities: [...VISIBILITIES],
  contentWarning: true,
  duplicates: "client-id",
  concurrency: 4,
  retries: RETRIES,
};
const ABOUT = { id: "webhook", name: "Webhook", capabilities: CAPABILITIES } as const;

/**
 * Posts as signed JSON to a URL of the user's own, by the Standard Webhooks specification. `./event.ts` is what is
 * sent. `webhook-id` is the post's id at every attempt: a receiver that remembers ids takes each post once.
 */
export default definePlatform({
  ...ABOUT,
  docs: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
  unasked: "not asked: only a real post shows whether the receiver accepts posts",
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
          help:
            `the signing secret, whsec_ and base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes, or a ` +
            `whsk_ key; ${SECRET_HINT}`,
          check: (value) => void keyOf(value.trim()),
          make: newKeyPair,
          keeps: true,
        },
        {
          name: "secret-overlap",
          secret: false,
          help: "how long the current secret also signs, next to the new one, for example 24h",
          fallback: "",
        },
        {
          name: "media",
          secret: false,
          help: "how media are sent: link, inline, or auto (by their size)",
          fallback: "",
          check: (value) => void mediaByOf(value, undefined),
        },
      ],
    },
  ],

  /** Throws INPUT_INVALID for an address that redirects: a post is never sent after it. */
  async connect(form, net, known) {
    const url = receiverOf(form["url"] ?? "");
    const before = await known?.(profileOf(url).subject);
    const entered = (form["secret"] ?? "").trim();
    const access = entered || (before?.credentials?.access ?? "");
    keyOf(entered || paddedSecret(access));
    const former = formerOf(form["secret-overlap"] ?? "", { access, before: before?.credentials, now: net.now() });
    const mediaBy = mediaByOf(form["media"] ?? "", before?.profile.limits?.mediaBy);
    await refuseRedirect(url, net);
    const { handle, ...profile } = profileOf(url);
    const publicKey = publicKeyOf(access);
    return {
      credentials: { access, scopes: [], ...former },
      // A name that scripts know stays, also one from before names had a path.
      profile: {
        ...profile,
        handle: before?.profile.handle ?? handle,
        ...defined({ limits: mediaBy ? { mediaBy } : undefined }),
      },
      ...defined({ publicKey }),
    };
  },

  async identify({ profile }) {
    return profile;
  },

  /**
   * "Signing keys should be unique per endpoint for symmetric signatures" (spec, Additional considerations, 2026-11).
   */
  sole: (credentials) => sharedSecretsOf(credentials, new Date(0)),

  flaw: flawOf,

  compose: (post, limits) =>
    withMedia(
      mergePost(post, limits, ABOUT),
      post.parts.flatMap(({ media }) => media),
      limits,
    ),

  async publish({ unit, media, key, at }: PublishRequest<Body>, session) {
    // Everything that must be awaited comes first: from here to the request nothing is.
    const { parts, mediaBy, ...rest } = unit.body;
    const linked = mediaBy === "link";
    const files = new Map(
      await Promise.all(media.map(async (one) => [one.id, await contentOf(one, linked, session.now())] as const)),
    );
    const whole = parts.map((part) => ({
      text: part.text,
      ...defined({
        html:
          part.html && withImages(part.html, (id, alt) => `<img src="${CID}${files.get(id)?.sha256}" alt="${alt}">`),
      }),
      media: part.media.map(({ id, ...about }) => {
        const file = files.get(id);
        if (!file) throw new PsnError("BUG", "a unit refers to media that were not passed with it");
        return { ...about, ...file };
      }),
    }));
    const event: WebhookEvent = {
      type: "post.published",
      timestamp: at.toISOString(),
      data: { id: key, parts: whole, ...rest },
    };
    await send(session, { id: key, event, options: { effect: "publish" } });
    return { status: "published", ref: refOf(key, session) };
  },

  async remove(ref, session) {
    const event: WebhookEvent = { type: "post.removed", timestamp: session.now().toISOString(), data: { id: ref.id } };
    await send(session, { id: `${ref.id}-removed`, event, options: { effect: "none", accept: [404, 410] } });
  },
});

type MediaBy = "link" | "inline" | undefined;

/** `kept`: what the account has, where nothing is entered. */
function mediaByOf(entered: string, kept: MediaBy): MediaBy {
  const value = entered.trim();
  if (value === "") return kept;
  if (value === "auto") return undefined;
  if (value === "link" || value === "inline") return value;
  throw new PsnError("INPUT_INVALID", `--media must be one of link, inline, auto, not ${value}`, {
    hint: "omit it, and psn decides by the size",
  });
}

/**
 * Signs and posts one event. The timestamp is the attempt's and the id the event's (spec, Webhook metadata, 2026-11).
 */
async function send(
  session: Session,
  { id, event, options }: { readonly id: string; readonly event: WebhookEvent; readonly options: CallOptions },
): Promise<void> {
  const body = JSON.stringify(event);
  const timestamp = Math.floor(session.now().getTime() / 1000);
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signed(session.credentials, { now: session.now(), id, timestamp, body }),
    // The status is all that counts: nothing of the answer needs to be unpacked.
    "accept-encoding": "identity",
  };
  const { accept = [], ...rest } = options;
  const judged = [...accept, ...WEATHER, 401, 410];
  const init = { ...rest, method: "POST", headers, body, needsBody: false, accept: judged, moved: redirection };
  const answer = await call(session, session.profile.home, init);
  if (answer.status < 300 || accept.includes(answer.status)) return;
  throw judgement(answer, session);
}

function judgement(answer: Answer, session: Session): PsnError {
  const { host, status } = answer;
  const said = refusal(answer, session);
  const details = { status };
  if (status === 401)
    return new PsnError("AUTH_EXPIRED", `${host} answered 401: it does not accept psn's signature`, {
      cause: said,
      details,
      hint: "psn connect webhook, with the secret that the receiver has",
    });
  // "410 Gone: … no longer interested in receiving webhooks from this source. Sender should disable the endpoint."
  if (status === 410)
    return new PsnError("AUTH_REVOKED", `${host} answered 410: it accepts no more posts`, { cause: said, details });
  // Its own time limit: it may have read the event.
  if (status === 408) return said;
  const pause = said.retryAfterMs;
  return new PsnError("PLATFORM_DOWN", said.message, {
    cause: said,
    details,
    ...defined({ retryAfterMs: pause }),
  });
}

function refOf(key: string, { profile }: Session): Ref {
  return { id: key, url: `${shownOf(new URL(profile.home))}#${key}` };
}
