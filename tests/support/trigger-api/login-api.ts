import { createHash } from "node:crypto";
import type { Call, Route } from "./call.ts";
import { Refusal } from "./http.ts";
import { type Authorization, letters, type User, type World } from "./world.ts";

/*
 * Signing in: the browser way of the CLI (trigger.dev 4.8.3: commands/login.js, utilities/loginApproval.js; the
 * requests' schemas are @trigger.dev/core v3/schemas/tokens). A server before approval codes ignores what it is sent
 * and is polled.
 */

/** An authorization code counts this long. */
const TTL_MS = 600_000;
const GONE = "Invalid authorization code, or code expired";

export const loginRoutes: readonly Route[] = [
  ["POST", /^\/api\/v1\/authorization-code$/, begin],
  ["POST", /^\/api\/v1\/token$/, exchange],
];

function begin({ world, body }: Call) {
  const { codeChallenge, codeChallengeMethod, callbackPort } = body;
  const knows = world.settings.pkce && codeChallenge !== undefined;
  if (knows) {
    if (typeof codeChallenge !== "string" || !/^[A-Za-z0-9_-]{43}$/.test(codeChallenge))
      throw new Refusal(422, "codeChallenge: Invalid");
    if (codeChallengeMethod !== "S256") throw new Refusal(422, 'codeChallengeMethod: expected "S256"');
    const isPort =
      typeof callbackPort === "number" &&
      Number.isInteger(callbackPort) &&
      callbackPort >= 1024 &&
      callbackPort <= 65535;
    if (callbackPort !== undefined && !isPort) throw new Refusal(422, "callbackPort: Invalid");
  }
  const code = letters(64);
  const authorization: Authorization = {
    code,
    url: `${world.origin()}/account/authorization-code/${code}`,
    createdAt: world.now(),
    codeChallenge: knows && typeof codeChallenge === "string" ? codeChallenge : undefined,
    callbackPort: knows && typeof callbackPort === "number" ? callbackPort : undefined,
    approval: knows ? (callbackPort === undefined ? "paste" : "callback") : undefined,
    state: "waiting",
  };
  world.authorizations.push(authorization);
  const { url, approval } = authorization;
  return { authorizationCode: code, url, approval };
}

function exchange({ world, body }: Call) {
  const { authorizationCode, codeVerifier, approvalCode } = body;
  if (typeof authorizationCode !== "string")
    throw new Refusal(422, "Code: invalid_type ~ Path: authorizationCode ~ Message: Required");
  const found = world.authorizations.find(({ code }) => code === authorizationCode);
  if (found === undefined || found.state === "denied" || isOld(found, world)) throw new Refusal(400, GONE);
  if (found.state === "waiting") return { token: null };
  if (found.codeChallenge !== undefined) {
    const challenge =
      typeof codeVerifier === "string" ? createHash("sha256").update(codeVerifier).digest("base64url") : undefined;
    if (challenge !== found.codeChallenge || approvalCode !== found.state.approvalCode)
      throw new Refusal(400, "Invalid approval code");
  }
  const { token } = found.state.user;
  return { token: { token, obfuscatedToken: `${token.slice(0, 11)}…` } };
}

const isOld = ({ createdAt }: Authorization, world: World) => world.now().getTime() - createdAt.getTime() >= TTL_MS;

/** What the page at the login's address does when the user says yes. */
export function approve(
  world: World,
  url: string,
  user: User,
): { readonly approvalCode: string; readonly callback: string | undefined } {
  const found = authorizationAt(world, url);
  const approvalCode =
    found.approval === "paste" ? [4, 4, 4].map((count) => letters(count).toUpperCase()).join("-") : letters(32);
  found.state = { user, approvalCode };
  const { callbackPort } = found;
  return {
    approvalCode,
    callback:
      callbackPort === undefined
        ? undefined
        : `http://127.0.0.1:${callbackPort}/callback?approval_code=${approvalCode}`,
  };
}

/** What it does when the user says no. */
export function deny(world: World, url: string): void {
  authorizationAt(world, url).state = "denied";
}

function authorizationAt(world: World, url: string): Authorization {
  const found = world.authorizations.find((candidate) => candidate.url === url);
  if (found === undefined || isOld(found, world))
    throw new Error("the page says that this login is too old, or that there is none");
  return found;
}
