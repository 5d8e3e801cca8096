import { createHash } from "node:crypto";
import type { AuthorizeRequest, Platform } from "@psn/core/types/platform.ts";
import x from "@psn/platforms/x.ts";
import { startX, type XFake } from "../support/x.ts";
import type { Target } from "./ground.ts";
import type { Psn } from "./process.ts";

/*
 * Accounts that connect in the browser. The adapters know their platform's own address; a process of the suite is sent to the server
 * on this machine by `PSN_ORIGINS`, as anybody's may be.
 */

const REDIRECT = "http://127.0.0.1:8910/callback";
const VERIFIER = "a-verifier-that-nobody-needs-to-guess-here-at-all";

/** The settings of every process on a hub with these servers. */
export const oauthEnv = (server: XFake): Readonly<Record<string, string>> => ({
  PSN_ORIGINS: `https://api.x.com=${server.origin}`,
  X_CLIENT_ID: server.app.id,
  X_CLIENT_SECRET: server.app.secret ?? "",
});

/** No limits but those that the suite is about. */
export const startXServer = (): Promise<XFake> => startX({ posts: Number.MAX_SAFE_INTEGER, processing: 0 }, { redirects: [REDIRECT] });

export async function connectX(psn: Psn, server: XFake): Promise<Target> {
  const consent = () => consentTo(x, server.app, server.consent);
  const accountId = await psn.connect("x", await consent());
  return {
    name: "x",
    platform: "x",
    accountId,
    duplicates: "lookup",
    prepares: true,
    threads: true,
    origin: server.origin,
    path: "/2/tweets",
    holds: async () => server.posts.map(({ id, text, parent, media }) => ({ id, text, parent, media: media.length })),
    expire: async (by) => {
      await by.ask({ do: "storeAccess", accountId, access: "a token that is no more" });
    },
    reconnect: async (by) => {
      await by.connect("x", await consent());
    },
  };
}

/** What the person and the browser do. */
async function consentTo(platform: Platform, app: XFake["app"], person: XFake["consent"]) {
  const { authorize } = platform;
  if (!authorize) throw new Error("this platform does not connect in the browser");
  const challenge = createHash("sha256").update(VERIFIER).digest("base64url");
  const { id, secret } = app;
  const request: AuthorizeRequest = {
    form: {},
    app: { id, ...(secret === undefined ? {} : { secret }) },
    redirectUri: REDIRECT,
    state: "state",
    challenge,
  };
  const net = { fetch: () => Promise.reject(new Error("not asked")), now: () => new Date(), signal: new AbortController().signal };
  const { url } = await authorize(request, net);
  const answer = await person(url);
  return { answer: { ...request, code: answer["code"] ?? "", verifier: VERIFIER, answer } };
}
