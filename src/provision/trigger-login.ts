import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { z } from "zod";
import { ask, understood, type Vendor } from "./request.ts";
import { type Connection, dashboardOf, triggerVendor } from "./trigger.ts";

/*
 * Logging in at Trigger.dev as its CLI of 4.8.3 does (commands/login.js, utilities/loginApproval.js): the server keeps
 * the challenge of a verifier that only this process has, and the browser that approves brings the code: to a port of
 * this machine, or by the user's hand. A server before approval codes is asked for the token until it has one.
 */

/** An authorization code counts ten minutes (commands/login.js, AUTHORIZATION_CODE_TTL_MS), in milliseconds. */
const LIMIT_MS = 600_000;
const POLL_MS = 1000;
/** How often a code may be pasted wrong. */
const PASTES = 5;

export interface LogIn extends Omit<Connection, "signal"> {
  readonly signal: AbortSignal;
  /** Shows the user the address, and opens it where there is a browser. */
  readonly openBrowser: (url: string) => unknown;
  /** Asks for the code that the page shows. Undefined: the user gives up. */
  readonly paste: (question: string, signal: AbortSignal) => Promise<string | undefined>;
  /** False where no browser can come back to this machine: the user pastes a code. */
  readonly callback?: boolean;
}

const Begun = z.object({
  url: z.url({ protocol: /^https?$/ }),
  authorizationCode: z.string(),
  approval: z.enum(["callback", "paste"]).optional(),
});
const Token = z.object({ token: z.object({ token: z.string().regex(/^tr_pat_\S+$/) }).nullable() });

interface Proof {
  readonly codeVerifier: string;
  readonly approvalCode: string;
}

/** What the server says to a code: the token, not yet, or no. */
type Verdict = { readonly token: string } | "waiting" | "refused";

/**
 * A personal access token, by the user's browser. Throws VENDOR_AUTH when it is refused or takes too long, INTERRUPTED,
 * VENDOR_….
 */
export async function logIn(options: LogIn): Promise<string> {
  const { url, signal, sleep, callback = true } = options;
  if (signal.aborted) throw interrupted();
  // Ends what is still waiting when one of the others is through.
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const caller = triggerVendor({ url, fetch: options.fetch, sleep, signal: stop }, undefined);
  const door = callback ? await openDoor() : undefined;
  try {
    const late = sleep(LIMIT_MS, stop).then(() => {
      throw signal.aborted ? interrupted() : refused(url, "the login was not confirmed within ten minutes");
    });
    const stopped = new Promise<never>((_, reject) => {
      stop.addEventListener("abort", () => reject(interrupted()), { once: true });
    });
    return await Promise.race([approved(options, { caller, door, stop }), late, stopped]);
  } catch (error) {
    if (signal.aborted && !(error instanceof PsnError && error.code === "INTERRUPTED")) throw interrupted();
    throw error;
  } finally {
    over.abort();
    await door?.close();
  }
}

async function approved(
  { url, openBrowser, paste, sleep }: LogIn,
  { caller, door, stop }: { readonly caller: Vendor; readonly door: Door | undefined; readonly stop: AbortSignal },
) {
  const codeVerifier = randomBytes(32).toString("base64url");
  const codeChallenge = createHash("sha256").update(codeVerifier).digest("base64url");
  const path = "/api/v1/authorization-code";
  const wish = {
    codeChallenge,
    codeChallengeMethod: "S256",
    ...defined({ callbackPort: door === undefined ? undefined : door.port }),
  };
  const begun = understood(caller, {
    answer: await ask(caller, { method: "POST", path, body: wish, repeat: true }),
    schema: Begun,
    path,
  });
  const exchange = (proof?: Proof) => exchanged(caller, { authorizationCode: begun.authorizationCode, ...proof });
  const brought =
    begun.approval === "callback" ? door?.wait((approvalCode) => exchange({ codeVerifier, approvalCode })) : undefined;
  brought?.catch(() => undefined);
  // Without a browser the user still has the address.
  await Promise.resolve(begun.url)
    .then(openBrowser)
    .catch(() => undefined);
  if (brought !== undefined) return await brought;

  if (begun.approval !== undefined) {
    let problem = "";
    for (let tries = 0; tries < PASTES; tries += 1) {
      const approvalCode = (await paste(`${problem}The code that the browser shows`, stop))?.trim();
      if (approvalCode === undefined) throw interrupted();
      const verdict = approvalCode === "" ? "refused" : await exchange({ codeVerifier, approvalCode });
      if (typeof verdict === "object") return verdict.token;
      problem = verdict === "waiting" ? "The login is not confirmed in the browser yet. " : "This code is wrong. ";
    }
    throw refused(url, "Trigger.dev did not accept the code");
  }

  for (;;) {
    await sleep(POLL_MS, stop);
    stop.throwIfAborted();
    const verdict = await exchange().catch((error: unknown) => {
      if (error instanceof PsnError && error.code === "VENDOR_UNREACHABLE") return "waiting" as const;
      throw error;
    });
    if (typeof verdict === "object") return verdict.token;
    if (verdict === "refused") throw refused(url, "Trigger.dev says that the login was refused or has expired");
  }
}

async function exchanged(
  caller: Vendor,
  body: { readonly authorizationCode: string } & Partial<Proof>,
): Promise<Verdict> {
  const path = "/api/v1/token";
  const answer = await ask(caller, { method: "POST", path, body, repeat: true, accept: [400] });
  if (answer.status === 400) return "refused";
  const { token } = understood(caller, { answer, schema: Token, path });
  return token ?? "waiting";
}

const interrupted = () => new PsnError("INTERRUPTED", "the login was interrupted", { hint: "psn init --trigger" });
const refused = (url: string, message: string) =>
  new PsnError("VENDOR_AUTH", message, {
    hint: `psn init --trigger again, or make a token at ${dashboardOf(url)}/account/tokens`,
  });

interface Door {
  readonly port: number;
  /** Resolves with the token that the first right code brings; anything else at the door is sent away. */
  wait(exchange: (code: string) => Promise<Verdict>): Promise<string>;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1 and a free port for the browser that approves. */
async function openDoor(): Promise<Door> {
  /** Undefined for a code that is none of this login's. */
  let take: ((code: string) => Promise<string | undefined>) | undefined;
  let through: (token: string) => void = () => undefined;
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
    if (request.method !== "GET" || pathname !== "/callback") return say(response, 404, "There is no page here.");
    // By another name for this machine it would be a page of somebody else's.
    const isOurs = request.headers.host === `127.0.0.1:${port}`;
    const code = searchParams.get("approval_code");
    const isCode = code !== null && /^[\w-]{1,512}$/.test(code);
    const token = isOurs && isCode ? await take?.(code) : undefined;
    if (token === undefined) return say(response, 400, "This is not the login that psn is waiting for.");
    await say(response, 200, "You are logged in. Return to your terminal; you can close this page.");
    through(token);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new PsnError("BUG", "a server without a port");
  const { port } = address;
  return {
    port,
    wait: (exchange) =>
      new Promise((resolve, reject) => {
        through = resolve;
        take = async (code) => {
          try {
            const verdict = await exchange(code);
            return typeof verdict === "object" ? verdict.token : undefined;
          } catch (error) {
            reject(error);
            return undefined;
          }
        };
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Resolves when the browser has the page, or has gone. */
function say(response: ServerResponse, status: number, text: string): Promise<void> {
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
  };
  response.writeHead(status, { ...headers, connection: "close" });
  return new Promise((resolve) => {
    response.once("close", resolve);
    response.end(text, resolve);
  });
}
